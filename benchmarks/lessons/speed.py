r"""Speed: one convolution in five rungs, from loops to the time of PyTorch, and what each rung buys.

The second convolution of the SmallCNN turns 32 channels into 64, with kernels of 3 x 3 on 14 x 14 places. For a batch
of 128 images that is 462 million multiplications and as many additions:

    y[n, o, p, q] = sum_c sum_ij weight[o, c, i, j] x[n, c, p + i - 1, q + j - 1]

Each rung computes just this (the bias, one addition, is left out), and each is a short function in a file of its own in
benchmarks/lessons/ladder. The comparison with PyTorch that the layers have to pass is run on every rung, too.

The roofline. Two rates bound whatever computes it: how many operations a second the processor does, and how many bytes
a second come from memory. The lesson measures both, by a large matrix product and by a large copy, and

    least time = max(operations / rate of a product, bytes that must move / rate of a copy)

holds for every way of doing these multiplications (Williams, Waterman and Patterson, 2009). Here x and y are 9.7
megabytes, and each byte of them is worth 95 operations, so the product binds. A time far above the roofline says that
there is something to gain; which of the two binds says where to look.

Loops. The formula as it stands. Python looks up names, makes index tuples and wraps numbers for every single
multiplication, and that takes hundreds of times as long as the multiplication. The loops do one image and one of the 64
kernels, and their time is multiplied by 8,192.

One product. Copy the nine pixels under the kernel, in all channels, into a row of a matrix, for every place: im2col.
Then the sum over c, i and j is a row times a column, and the whole convolution is one matrix product:

    patches (N H W, 9 C)  times  weight^T (9 C, O)  =  y (N H W, O)

Each pixel is copied nine times, and still this is the largest step of the ladder, because a BLAS has the product: it
keeps the numbers that it needs next in the registers and the caches, does eight or sixteen multiplications with one
instruction, and uses every core.

Blocks. The patches of 128 images are 28.9 megabytes. They are written to memory, and read from there again. Nine
images' patches fit the cache; the next nine are written over them. The channels of a pixel are put next to each other
on the way, so that a patch is copied in three runs of 96 numbers, and not in 96 runs of three. What either change is
worth by itself is in a table of its own. With only one channel (the first convolution of the SmallCNN) a product has
nine multiplications for each number that it reads, memory binds, and the rungs are worth something else: see the
second table.

Threads. The BLAS uses every core, but padding and im2col are plain copies, on one core, while the others wait. Python's
threads can run them side by side, since NumPy lets go of the interpreter lock (the GIL) during its large operations. So
each thread takes a block from beginning to end. The BLAS has to be told to use one thread meanwhile: otherwise two
threads each call a product that starts two threads, and four threads share two cores.

Winograd. Two neighbouring outputs of a kernel with three places take six multiplications. Four are enough, if some
pixels are added before and some products after. In two dimensions that is 16 multiplications for a square of 2 x 2
outputs, instead of 36: F(2x2, 3x3). The sum over the channels is a matrix product again, one for each of the 16. In the
table and the figure its operations are counted as if it did all 36, so that it may go through the roof: there is a
second roof for it, 36/16 times as high. Additions are not free, so it stays below that one.

Backward is made of the same two pieces. y = patches weight^T is a matrix product, and the gradient of either factor is
the gradient of the result times the other factor:

    dW            = grad_y^T patches           (O, 9 C)
    grad_patches  = grad_y weight              (N H W, 9 C),  and dX = col2im(grad_patches)

A pixel was copied nine times, so it gets the sum of nine gradients: col2im, nine additions of shifted images. With a
stride of 1 there is a second way. The pixel in row p was under the kernel's row i for the output in row p - i + 1;
collect all its gradients, and dX is grad_y convolved with the kernel turned by half a turn, channels in and out
exchanged. So every rung is a faster dX as well. The table has both.

What did not pay. Each of these sounds faster. `einsum` writes the formula in one line and copies nothing, but such an
expression is a loop in C, without the BLAS. `tensordot` in one line is the second rung: it transposes, copies and calls
the BLAS. float16 halves the bytes, but NumPy has no matrix product for it, and three digits are not enough to pass.
Threads without a word to the BLAS: see above. FFT needs the fewest multiplications of all here, 576 real ones for each
image and pair of channels (Winograd: 784, the others: 1,764), and spends the time on the transforms; for large kernels
it would be otherwise. F(4x4, 3x3) needs 36 multiplications for 16 outputs, in theory almost half of F(2x2, 3x3)'s. But
14 is no multiple of 4, so that it computes 16 x 16 outputs; its transforms are longer; and they multiply by 5 and 8 and
divide by 24, so that rounding grows. The lesson counts how much of the budget of rounding either of them uses: F(4x4,
3x3) leaves it for some inputs. A result that does not pass is not faster, it is another result.

How to measure. Two functions timed one after the other are timed on two machines: clock rates change, and so do
neighbours. So everything is timed in turns of about 20 milliseconds, each after a warm-up, and the table has medians,
and medians of the ratios within a turn. All have the same number of threads. The BLAS is named with its kernel, since
another one can be twice as fast. The rest is reading: what a time says depends on what was measured, and for how long.

How the kernels do it. The layers do not run these five functions, but their grown-up twins in scratch/kernels. They
take any stride, padding, dilation and groups, and go backward. In the order of reading:

`conv.conv2d` is the fourth rung and the fifth in one. It asks a plan for the best way, cuts the batch into chunks with
`threads.chunks`, and hands `threads.run` a function that convolves one. `conv.conv2d_backward` computes the patches
again: that is cheaper than to keep nine times the input until then. Each chunk has its own dW, and they are added in
order in the end, so that the result does not depend on which thread was quicker.

`patch_plan.PatchPlan` decides, from the shapes alone. Winograd, if the kernel is 3 x 3 with stride 1 and there are at
least `patch_plan.FEWEST_CHANNELS` channels on both sides: with fewer, the additions cost more than they spare. If the
kernel is a whole number of strides long, as DQN's are, the image is cut into blocks of a stride's size, which become
channels: then the stride is 1 (space to depth, `patches.into_blocks`). With few channels, patches are copied along the
rows of the image, not along the channels (`patches.by_planes`). And `patch_plan.PatchPlan.undo` takes the turned kernel
for dX where it can, `patches.col2im` where it must.

`padded_images.pad_images` pads and reorders in one copy, and copies nothing if nothing is to be done.
`padded_images.unpad_images` is its adjoint.

`winograd.convolve` differs from the rung in three ways. The transforms are additions, not products with matrices of
zeros and ones (`winograd._take_apart`, `winograd._add_up`). The even and odd columns of all images of a chunk lie in
planes of their own, so that each addition runs through adjacent numbers. And the views that the additions need are made
once for each shape and kept (`winograd._Chunk`), because making a view takes as long as a short addition. In the end it
looks whether all is finite (`winograd._far_from_overflow`): infinity minus infinity is NaN, and then the chunk is done
by patches, where an infinity stays one.

`threads.run` is the fourth rung's `each` with threads that live on and wait, since starting one costs as much as a
small layer takes. A thread that is done helps with the others' shares. `threads.matmul` shares one product out, for
layers that are nothing else: the BLAS's own threads go on spinning for a while after each product, and are in the way
of ours. `threads.sum_products` asks for a small result in parts: NumPy keeps the lock through a product with a small
result, however long it takes, and the other threads would stand still.

`memory.empty` hands out memory that was used before. A fresh array of some megabytes costs more than it seems: the
system zeroes each page of it at the first touch, in the middle of the loop that fills it. An array is free again when
nobody holds a view of it, which Python's reference counts say. Each thread has its own, because they are in its core's
cache. `memory.kept` does the same for things that are dear to make.

In reinforcement learning. Agents use small batches. To act, a network is asked about one observation at a time, or
about as many as there are environments (PPO on Atari: 8; Schulman et al., 2017); DQN learns from batches of 32 (Mnih et
al., 2015). Then there are few blocks to share out, and calls and threads cost more than the arithmetic: the last table
has the time for an image against the batch. That is why environments are run in parallel, and their observations
stacked.

Takeaways. First let somebody else's matrix product do the work; that is most of the way. Then look where the numbers
lie and how often they travel. Then use all cores, for all of the work. Then do less. Know the roofline, to know when to
stop. Hold every step to the same result, or it is no step.

Next: `backprop lesson sequence`, layers that are applied at every step.

Read: benchmarks/lessons/ladder/loops.py, benchmarks/lessons/ladder/one_product.py,
benchmarks/lessons/ladder/backward.py, benchmarks/lessons/ladder/blocks.py, benchmarks/lessons/ladder/threads.py,
benchmarks/lessons/ladder/winograd.py, benchmarks/lessons/ladder/did_not_pay.py; scratch/kernels/conv.py
Run:  backprop lesson speed
"""

from __future__ import annotations

import numpy as np

from benchmarks.engines import Engine
from benchmarks.lessons.ladder import accuracy, timings
from benchmarks.lessons.ladder.drawing import draw_choices, draw_ladder, times_as_fast, told
from benchmarks.lessons.ladder.timings import BETWEEN, CLIMBED, TRIED
from benchmarks.lessons.ladder.work import Roof, Work, measure_roof
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.speed import machine
from benchmarks.speed.timing import Times
from scratch.kernels.threads import get_num_threads

SECOND = Work("32 to 64 channels, 14 x 14", 128, 32, 64, 14)
FIRST = Work("1 to 32 channels, 28 x 28", 128, 1, 32, 28)
COMPARED = 8  # images whose outputs and gradients are compared with PyTorch's
DRAWS = 4  # of the inputs on which both forms of Winograd's convolution are held to the budget


def show_machine(board: Blackboard, works: tuple[Work, ...]) -> Roof:
    """Put on the board what the times have to be read with, and return the machine's rates."""
    roof = measure_roof()
    said = machine.lines(machine.describe(get_num_threads()))
    said.append(f"Roof: matrix product {roof.operations / 1e9:.0f} GFLOP/s, copying {roof.bytes / 1e9:.1f} GB/s")
    for work in works:
        said.append(
            f"{work.name}, batch {work.batch}: {work.operations / 1e6:.0f} million operations, "
            f"{work.least_bytes / 1e6:.1f} MB in and out, patches of {work.batch * work.patches_bytes / 1e6:.1f} MB; "
            f"at least {told(roof.seconds(work))}"
        )
    board.write("\n".join(said))
    return roof


def show_ladder(board: Blackboard, work: Work, times: dict[str, Times], roof: Roof) -> dict[str, float]:
    """Put the rungs and the engines on the board, and return their seconds."""
    engine = board.engine_names[-1]
    seconds = {name: times[name].median for name in (*CLIMBED, *board.engine_names)}
    board.table(
        f"Forward, {work.name}, batch {work.batch}",
        ("rung", "time", "times as fast as below", f"time, of {engine}'s", "GFLOP/s", "of the roofline"),
        [
            (
                f"{name}, counted up" if name == "loops" else name if name in CLIMBED else f"{name}'s layer",
                told(taken),
                times_as_fast(times[CLIMBED[name].beside].ratio(times[name])) if name in CLIMBED else "",
                times_as_fast(times[name].ratio(times[engine])),
                f"{work.operations / taken / 1e9:.3g}",
                f"{roof.seconds(work) / taken:.0%}",
            )
            for name, taken in seconds.items()
        ],
    )
    return seconds


def show_between(board: Blackboard, times: dict[Work, dict[str, Times]]) -> None:
    """Put on the board what each of the two changes between the second rung and the third is worth."""
    board.table(
        "From one product to blocks, each change by itself: the time, and of one product's",
        ("way", *(work.name for work in times)),
        [
            (name, *(f"{told(one[name].median)} ({one[name].ratio(one['one product']):.2f})" for one in times.values()))
            for name in ("one product", *BETWEEN, "blocks")
        ],
    )


def show_tried(board: Blackboard, times: dict[str, Times]) -> dict[str, float]:
    """Put on the board what did not pay, and return its time as a multiple of that of the rung beside it."""
    ratios = {name: times[name].ratio(times[way.beside]) for name, way in TRIED.items()}
    board.table(
        "What did not pay",
        ("way", "time", "beside", "its time", "ratio"),
        [
            (
                f"{name}, counted up" if way.images else name,
                told(times[name].median),
                way.beside,
                told(times[way.beside].median),
                times_as_fast(ratios[name]),
            )
            for name, way in TRIED.items()
        ],
    )
    return ratios


def show_errors(board: Blackboard) -> None:
    """Hold every way to PyTorch's result, on several inputs."""
    draws = [SECOND._replace(batch=COMPARED).draw(board.seed + draw) for draw in range(DRAWS)]
    rows = []
    for name, way in {**CLIMBED, **TRIED}.items():
        rounding = name.startswith("Winograd")  # of the others a draw says enough
        errors = [accuracy.error(way.convolve, *way.piece(*draw)) for draw in (draws if rounding else draws[:1])]
        shares = ", ".join(f"{error.share:.0%}" for error in errors)
        rows.append((name, f"{max(error.largest for error in errors):.1e}", shares))
    board.table(
        f"Against PyTorch, in float32, on {COMPARED} images: above 100% of the budget of rounding, it does not pass",
        ("way", "largest error of y", "of the budget, of y or dX"),
        rows,
    )


def show_gradients(board: Blackboard, engines: list[Engine]) -> None:
    """Put the parts of the backward pass on the board."""
    times = timings.gradients(engines, SECOND, board.seed)
    whole = [*times][-1]
    board.table(
        f"Backward, {SECOND.name}, batch {SECOND.batch}",
        ("gradient", "time", f"of {whole}"),
        [(name, told(one.median), f"{one.ratio(times[whole]):.2f}") for name, one in times.items()],
    )


def show_batches(board: Blackboard, engines: list[Engine], seconds: dict[str, float]) -> None:
    """Put the time of an image on the board, against the batch; ``seconds`` are those of the ladder's."""
    found = {}
    for batch in timings.BATCHES:
        climbed = {name: way for name, way in CLIMBED.items() if name != "loops"}
        times = timings.forward(engines, SECOND._replace(batch=batch), board.seed, climbed)
        found[batch] = {name: one.median for name, one in times.items()}
    found[SECOND.batch] = seconds
    board.table(
        f"Microseconds for an image, {SECOND.name}, by the size of the batch",
        ("rung", *found),
        [
            (name, *(f"{1e6 * taken[name] / batch:.0f}" for batch, taken in found.items()))
            for name in seconds
            if name != "loops"
        ],
    )


def differences(engines: list[Engine], seed: int) -> dict[str, list[np.ndarray]]:
    """Return output and gradients of the engines' own layers."""
    work = SECOND._replace(batch=COMPARED)
    x, weight = work.draw(seed)
    found: dict[str, list[np.ndarray]] = {"y": [], "dX": [], "dW": []}
    for engine in engines:
        layer = timings.layer_of(engine, work, weight)
        y, grad_x = engine.forward_backward(layer, x, work.draw_gradient(seed))
        for name, values in zip(found, (y, grad_x, engine.grads(layer)["weight"]), strict=True):
            found[name].append(values)
    return found


def run(board: Blackboard) -> None:
    """Climb the ladder, and look around from it."""
    engines = board.engines()
    roof = show_machine(board, (SECOND, FIRST))
    times = {
        SECOND: timings.forward(engines, SECOND, board.seed, CLIMBED | BETWEEN | TRIED),
        FIRST: timings.forward(engines, FIRST, board.seed, CLIMBED | BETWEEN),
    }
    seconds = {work: show_ladder(board, work, one, roof) for work, one in times.items()}
    board.figure("speed_ladder", draw_ladder(seconds, roof))
    show_between(board, times)
    show_gradients(board, engines)
    ratios = show_tried(board, times[SECOND])
    show_errors(board)
    sizes = {size: one.median for size, one in timings.block_sizes(SECOND, board.seed).items()}
    own = board.engine_names[-1]
    board.figure("speed_choices", draw_choices(sizes, (own, seconds[SECOND][own]), ratios))
    show_batches(board, engines, seconds[SECOND])
    board.differences(differences(engines, board.seed))
