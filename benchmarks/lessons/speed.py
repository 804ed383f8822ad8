r"""Speed: one convolution in five rungs, from loops into the reach of PyTorch, and what each rung buys.

The second convolution of the SmallCNN turns 32 channels into 64, with kernels of 3 x 3 on 14 x 14 places. For a batch
of 128 images that is 462 million multiplications and as many additions:

    y[n, o, p, q] = sum_c sum_ij weight[o, c, i, j] x[n, c, p + i - 1, q + j - 1]

Each rung computes just this (the bias, one addition, is left out), and each is a short function in a file of its own in
benchmarks/lessons/ladder. Each has PyTorch's result: in float64 to 1e-12, in float32 within a budget, which says how
far rounding alone can take two right programs apart (parity_tests/harness/budget.py).

The roofline. Two rates bound whatever computes it: how many operations a second the processor does, and how many bytes
a second come from memory and go there. The lesson measures both, by a large matrix product and by a large copy. Then

    least time = max(operations / rate of the product, bytes that must move / rate of the copy)

holds for every way of doing these multiplications (Williams, Waterman and Patterson, 2009). Here x, weight and y are
9.7 megabytes, and each byte of them is used in 95 operations, so it is the product that binds. A time far above the
roofline says that there is something to gain; which of the two rates binds says where. Rates are in GFLOP/s, 1e9
floating-point operations a second, and in GB/s.

Loops. The formula as it stands. For every single multiplication Python looks up names, makes tuples of indices and
wraps numbers into objects, and that takes thousands of times as long as the multiplication. The loops do one image and
one of the 64 kernels, and their time is multiplied by 8,192.

One product. Copy the nine pixels under the kernel, in all channels, into a row of a matrix, for every place: im2col.
Then the sum over c, i and j is a row times a column, and the whole convolution is one matrix product:

    patches (N H W, 9 C)  times  weight^T (9 C, O)  =  y (N H W, O)

Each pixel is copied nine times, and still this is the largest step of the ladder, because the product is done by a
BLAS, the library for linear algebra that NumPy calls (OpenBLAS, in NumPy's own packages). It holds the numbers that it
needs next in the registers and in the cache (the small fast memory beside each core), does several multiplications with
one instruction, and uses every core.

Blocks. The patches of 128 images are 28.9 megabytes, far more than a cache holds. They go out to memory, and come back
for the product. Nine images' patches fit; the next nine are written over them. On the way the channels of a pixel are
put next to each other, so that a patch is copied in three runs of 96 numbers, not in 96 runs of three. A table shows
what each of the two changes is worth by itself. There is a price: the BLAS's threads have to meet at the end of 15
products instead of one. On a machine that is busy with something else they wait for each other, and this rung may lie
below the last.

Threads. The BLAS uses every core, but padding and im2col are plain copies, on one core, while the others wait. Python's
threads can make them side by side, since NumPy lets go of the interpreter lock (the GIL) during its large operations.
So each thread takes a block from beginning to end, and need not meet the others before the end. The BLAS has to be told
to use one thread meanwhile. Otherwise each of our threads calls a product that uses as many threads again, and they
fight for the cores.

Winograd. Two neighbouring outputs of a kernel with three places take six multiplications. Four are enough, if some
pixels are added up before, and some products after. For a square of 2 x 2 outputs that makes 16 multiplications instead
of 36. It is called F(2x2, 3x3), after the sizes of the square and of the kernel; scratch/kernels/winograd.py writes it
out. The sum over the channels is a matrix product again, one for each of the 16. Its speed is counted as if it did all
36, so that it may go through the roof. There is a second roof for it, 36/16 times as high, and since additions take
time too it stays below that one. In the short form of this rung the additions can cost more than the multiplications
they save, and the ladder steps down. The layer of scratch writes them into memory that is still in the cache; its bar
shows what the idea is worth when that is done.

Not every convolution is like this one. The first one of the SmallCNN has a single channel: an output takes nine
multiplications instead of 288. There is less to multiply for each byte, the roof is lower, and the rungs are worth
something else; Winograd's additions have nothing to be spread over, and it is far the slowest but for the loops. The
second table and the squares in the figure show it. So a fast layer has to look at the shapes before it chooses.

Backward is two more products. y = patches weight^T is a matrix product, and the gradient of either factor is the
gradient of the result times the other factor:

    dW            = grad_y^T patches           (O, 9 C)
    grad_patches  = grad_y weight              (N H W, 9 C)          and then dX = col2im(grad_patches)

A pixel was copied nine times, so it gets the sum of nine gradients: col2im, nine additions of shifted images. With a
stride of 1 there is a second way. The pixel in row p was under the kernel's row i for the output in row p - i + 1. So
its gradient is a sum over weight[i] grad_y[p - i + 1]: a convolution of grad_y with the flipped kernel, with channels
in and out exchanged. Every rung is a faster dX, too. A table has all the parts.

What did not pay. Each of these sounds as if it were faster. `einsum` writes the formula in one line and copies nothing,
but such an expression is a loop in C, without the BLAS. `tensordot` in one line is the second rung again: it
transposes, copies and calls the BLAS. float16 halves the bytes, but NumPy's BLAS has no product of it, and three digits
are not PyTorch's result. Threads without a word to the BLAS: see above. FFT: where two images are multiplied frequency
by frequency, they are convolved. That takes the fewest multiplications of all, 576 real ones for each image and pair of
channels (Winograd: 784, the others: 1,764), and the transforms take what it spares; for large kernels it would be
otherwise, since the number does not depend on their size.

Rounding decides the last one. F(4x4, 3x3) has 36 multiplications for 16 outputs, 2.25 for each instead of 4. (14 is no
multiple of 4: it computes 16 x 16 outputs, and some of the gain is lost.) It may well be faster. But its transforms
multiply by up to 8 and divide by 24, and errors grow more than tenfold: they take up most of the budget, and for some
inputs more than there is, where F(2x2, 3x3) uses a twentieth. The lesson tries several. A function with another result
is not a faster one.

How to measure. Two functions timed one after the other are timed on two machines: the clock rate changes, and so does
what else is running. So everything is timed in turns, for some 20 milliseconds or one call each, after a warm-up; the
tables have the medians of the times, and the medians of the ratios of a round. All have the same number of threads. The
BLAS is named with its kernel, since the same NumPy can be twice as slow with another one.

How the kernels do it. The layers do not run these five functions but their grown-up twins in scratch/kernels, which
take any stride, padding, dilation and groups, go backward, and get to PyTorch's time and below. In an order for
reading:

`conv.conv2d` is the fourth rung and the fifth in one. It asks a plan for the best way, cuts the batch into blocks
(called chunks there) with `threads.chunks`, and hands `threads.run` a function that convolves one of them.
`conv.conv2d_backward` computes the patches again: that is cheaper than to keep nine times the input until then. Each
chunk has a dW of its own. They are added up in the end, in their order, so that the result does not depend on which
thread was quicker.

`patch_plan.PatchPlan` makes that choice, from the shapes alone. Winograd, if the kernel is 3 x 3 with stride 1 and
there are at least `patch_plan.FEWEST_CHANNELS` channels on both sides. If the kernel is a whole number of strides long,
as DQN's first two are, the image is cut into squares of a stride's size, whose pixels become channels, and the stride
becomes 1 (space to depth: `patches.into_blocks`). With few channels, patches are copied in runs along the rows of the
image, not along the channels (`patches.by_planes`). For dX, `patch_plan.PatchPlan.undo` takes the flipped kernel where
it can, and `patches.col2im` where it must.

`padded_images.pad_images` pads and reorders in one copy, and copies nothing where there is nothing to do.
`padded_images.unpad_images` is its backward pass: it cuts the margin off, or adds it to the pixels that it was copied
from.

`winograd.convolve` differs from the rung in three ways. Its transforms are additions, not products with matrices of 0
and 1 (`winograd._take_apart`, `winograd._add_up`). The even and the odd columns of all images of a chunk lie in planes
of their own, so that each addition runs through adjacent numbers. And the views that the additions work on are made
once for each shape and kept (`winograd._Chunk`), since to make a view takes as long as a short addition. In the end it
looks whether all numbers are finite (`winograd._far_from_overflow`). Infinity minus infinity is NaN, so a chunk that
has an infinity is done again by patches, where it stays an infinity.

`threads.run` is the fourth rung's `each`, with threads that are started once and wait for work. A thread that is done
helps with the others' shares. `threads.matmul` shares out a single large product, for layers that are nothing else, so
that the BLAS's own threads are never woken: they would go on spinning (waiting without letting go of the core) for a
while after each product, in the way of ours. `threads.sum_products` asks for a small result in parts. NumPy keeps the
interpreter lock through a product with a small result, however long it takes, and the other threads would stand still.

`memory.empty` hands out memory that was used before. A fresh array of some megabytes costs more than it seems: the
system zeroes each page of it at the first touch, in the middle of the loop that fills it. An array's memory is free
again when nobody holds a view of it, which Python's reference counts tell. Each thread has memory of its own, because
it lies in its core's cache. `memory.kept` keeps other things that are dear to make, such as Winograd's views.

In reinforcement learning. Agents use small batches. To act, a network is asked about one observation at a time, or
about as many as there are environments (PPO on Atari: 8; Schulman et al., 2017); DQN learns from batches of 32 (Mnih et
al., 2015). Then there are few blocks to share out, and calls and threads cost more than the arithmetic: a table has the
time of an image against the batch. That is one reason to run many environments at once, and to stack their
observations.

Takeaways. Give the work to a matrix product; that is most of the way. Then look where the numbers lie, and how often
they travel. Then use all cores, for all of the work. Then do less. Know the roofline, so as to know when to stop. Hold
every step to the same result, or it is no step.

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
COMPARED = 16  # images whose outputs and gradients are compared with PyTorch's
DRAWS = 4  # of the inputs on which both forms of Winograd's convolution are held to the budget


def show_machine(board: Blackboard, works: tuple[Work, ...]) -> Roof:
    """Put on the board what the times have to be read with, and return the machine's rates."""
    roof = measure_roof()
    said = machine.lines(machine.describe([get_num_threads()]))
    said.append(f"Roof: matrix product {roof.operations / 1e9:.0f} GFLOP/s, copying {roof.bytes / 1e9:.1f} GB/s")
    for work in works:
        said.append(
            f"{work.name}, batch {work.batch}: {work.operations / 1e6:.0f} million operations, "
            f"{work.least_bytes / 1e6:.1f} MB in and out, patches of {work.batch * work.patches_bytes / 1e6:.1f} MB; "
            f"at least {told(roof.seconds(work))}"
        )
    board.write("\n".join(said))
    return roof


def gains_of(times: dict[str, Times]) -> dict[str, float]:
    """Return how many times as fast as the rung below each rung is."""
    return {name: times[way.beside].ratio(times[name]) for name, way in CLIMBED.items() if way.beside}


def show_ladder(board: Blackboard, work: Work, times: dict[str, Times], roof: Roof) -> dict[str, float]:
    """Put the rungs and the engines on the board, and return their seconds."""
    engine, gains = board.engine_names[-1], gains_of(times)
    seconds = {name: times[name].median for name in (*CLIMBED, *board.engine_names)}
    board.table(
        f"Forward, {work.name}, batch {work.batch}",
        ("rung", "time", "times as fast as below", f"time, of {engine}'s", "GFLOP/s", "of the roofline"),
        [
            (
                f"{name}, counted up" if name == "loops" else name if name in CLIMBED else f"{name}'s layer",
                told(taken),
                times_as_fast(gains[name]) if name in gains else "",
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
    board.figure("speed_ladder", draw_ladder(seconds, gains_of(times[SECOND]), roof))
    show_between(board, times)
    show_gradients(board, engines)
    ratios = show_tried(board, times[SECOND])
    show_errors(board)
    sizes = {size: one.median for size, one in timings.block_sizes(SECOND, board.seed).items()}
    own = board.engine_names[-1]
    board.figure("speed_choices", draw_choices(sizes, (own, seconds[SECOND][own]), ratios))
    show_batches(board, engines, seconds[SECOND])
    board.differences(differences(engines, board.seed))
