r"""Speed: one convolution in five rungs, from plain loops to nearly PyTorch's speed, and what each rung buys.

The second convolution of the SmallCNN turns 32 channels into 64, with kernels of 3 x 3 on 14 x 14 places. For a batch
of 128 images that is 462 million multiplications and as many additions:

    y[n, o, p, q] = sum_c sum_ij weight[o, c, i, j] x[n, c, p + i - 1, q + j - 1]

Each rung computes just this (the bias, one addition, is left out), and each is a short function in its own file in
benchmarks/lessons/ladder. Each agrees with PyTorch: in float64 to 1e-12, in float32 within a budget, which says how far
rounding alone can take two right programs apart (parity_tests/harness/budget.py). This text comes first, then the
tables and figures that it refers to; a table is called by the first words of its title.

The roofline. Two rates limit a computation: how many operations per second the processor does, and how many bytes per
second move from and to memory. The lesson measures both in NumPy, with a large matrix product and a large copy. Then

    least time = max(operations / rate of the product, bytes that must move / rate of the copy)

is the least that any way of doing all these multiplications can take (Williams, Waterman and Patterson, 2009). Here x,
weight and y are 9.7 megabytes, and each byte of them is used in 95 operations. If that is more than the rate of the
product divided by the rate of the copy, the product is the limit. Here it is far more; in the figure, that quotient is
where the roof has its corner. A rung far below the roof can still gain something, and the rate that limits it says
where to look. Rates are in GFLOP/s, 1e9 floating-point operations per second, and in GB/s.

Loops. This is the formula as written. For every single multiplication Python looks up names, makes tuples of indices
and wraps numbers into objects. To see what that costs, divide the time in the first table by the 462 million: the
result is microseconds, in which a matrix product does tens of thousands of multiplications. The loops do only one image
and one of the 64 kernels, and their time is multiplied by 8,192.

One product. For every place, copy the nine pixels under the kernel, in all channels, into a row of a matrix. Such a row
is called a patch, and the copying im2col, image to columns (many libraries make each patch a column). Then the sum over
c, i and j is a row times a column, and the whole convolution is one matrix product:

    patches (N H W, 9 C)  times  weight^T (9 C, O)  =  y (N H W, O)

Each pixel is copied nine times, and yet this is the largest gain on the ladder, because a BLAS does the product: the
library for linear algebra that NumPy calls (OpenBLAS, in NumPy's own packages). It keeps the numbers that it needs next
in registers and in the cache (the small fast memory beside each core), does several multiplications with one
instruction (SIMD), and uses every core. In the right half of the figure this rung lies to the left of the others: its
patches are written to memory and read again, so there are fewer operations for each byte.

Blocks. This rung changes two things about the copying. The first is the order in memory. An array (N, C, H, W) is
stored channels first: the 32 channels of a pixel are far apart, and a patch is copied in 96 runs of three numbers. If
the channels of a pixel lie next to each other (channels last), a patch is copied in three runs of 96. The second is the
size. The patches of 128 images are 28.9 megabytes, far more than a cache holds. They go out to memory, and come back
for the product. Nine images' patches fit; the next nine overwrite them.

The table "From one product to blocks" has each change by itself. For this convolution the order is worth more. The trip
to memory and back is 58 megabytes: divided by the rate of the copy, that is a small part of the second rung's time. The
second figure says the same: from four images in a block on, the curve is nearly flat. The faster the product is, the
more the trip to memory matters. There is a price, too: the BLAS's threads have to meet at the end of 15 products
instead of one. On a machine that is busy with something else they wait for each other, and this rung may be slower than
the one before. It is still useful, because the next rung shares out the blocks among threads.

Threads. The BLAS uses every core, but padding and im2col are plain copies, on one core, while the others wait. Python's
threads can copy side by side, since NumPy lets go of the interpreter lock (the GIL) during its large operations. So
each thread takes a block from beginning to end, and meets the others only once all blocks are done. The BLAS has to be
told to use one thread meanwhile. Otherwise each of our threads calls a product that starts as many threads again, and
they fight for the cores.

Winograd. Two neighbouring outputs in a row, y0 and y1, are made of four pixels d and three weights g:

    y0 = d0 g0 + d1 g1 + d2 g2            y1 = d1 g0 + d2 g1 + d3 g2

That takes six multiplications. Four are enough if pixels are added before the products and results after them; the sums
of weights are computed once for all images:

    m0 = (d0 - d2) g0                     m1 = (d1 + d2) (g0 + g1 + g2) / 2
    m3 = (d1 - d3) (-g2)                  m2 = (d2 - d1) (g0 - g1 + g2) / 2

    y0 = m0 + m1 + m2                     y1 = m1 - m2 + m3

With the same along the columns, a square of 2 x 2 outputs takes 16 multiplications instead of 36. This is called F(2x2,
3x3), after the sizes of the square and of the kernel. The sum over the channels is again a matrix product, one for each
of the 16. The rung's speed is counted as if it did all 36, so it may go through the roof. A second roof is drawn for
it, 36/16 times as high; since additions take time too, it stays below that one.

Why this rung may be slower than the fourth. The table "Where the time of a block goes" has its parts beside those of
the fourth rung, on one thread. The 16 products take about half as long as the fourth rung's single one, but the
additions before and after take as long as that saves, or longer. The rung writes the additions as products with
matrices of 0, 1 and -1. That is short, but `tensordot` first copies its operand into another order, and then multiplies
by every 0. The last line of the table is scratch's Winograd, with all its parts. Its products are the same, but its
additions are real additions, of adjacent numbers, into memory that it has used before. The idea pays only if the
additions cost nearly nothing, and that is the main reason why scratch's layer beats the last rung.

Not every convolution is like this one. The first one of the SmallCNN has a single channel. An output takes nine
multiplications instead of 288, and a byte is used in 4.4 operations instead of 95. That is near the corner of the roof,
so the machine decides which rate is the limit. The second table and the squares in the figure show that the gains are
different there. With one channel there is no order of channels to change, and copying is most of the work. Winograd is
by far the slowest except for the loops: the additions after the products do not depend on the number of input channels.
With 32 of them they follow sums of 32 products, with one they follow single products. So a fast layer has to look at
the shapes before it chooses.

Backward is two more products. y = patches weight^T is a matrix product, and the gradient of either factor is the
gradient of the result times the other factor:

    dW            = grad_y^T patches           (O, 9 C)
    grad_patches  = grad_y weight              (N H W, 9 C)          and then dX = col2im(grad_patches)

A pixel was copied nine times, so it gets the sum of nine gradients: col2im, nine additions of shifted images. With a
stride of 1 there is a second way. The pixel in row p was under the kernel's row i for the output in row p - i + 1. So
its gradient is a sum over weight[i] grad_y[p - i + 1]: a convolution of grad_y with the flipped kernel, with input and
output channels exchanged. Whatever makes y faster makes dX faster, too. The table "Backward" has all the parts.

One of them may surprise you. dW takes as many operations as y, but on a busy machine it can take many times as long.
Each of its numbers is a sum over all 25,088 places. The BLAS goes through such a sum in pieces, and its threads wait
for each other at every piece. A thread that computes the dW of a block by itself waits for nobody: see
`conv.conv2d_backward` below.

What did not pay. Each of these sounds as if it were faster. `einsum` writes the formula in one line and copies nothing,
but runs as a loop in C, without the BLAS. `tensordot` in one line is the second rung again: it transposes, copies and
calls the BLAS, so its ratio is about 1. float16 halves the bytes, but NumPy's BLAS has no float16 product, and three
digits are not PyTorch's result. Threads with the BLAS not told: see above. FFT: multiplying two images frequency by
frequency convolves them. That takes the fewest multiplications of all, 576 real ones for each image and pair of
channels (Winograd: 784, the others: 1,764), but the transforms cost what it saves. For large kernels it would be
different, since the number does not depend on their size.

The table "What did not pay" compares each with the rung that it was meant to beat. For FFT and for F(4x4, 3x3) that is
Winograd's. Where Winograd's rung is slower than the fourth, a ratio of 1 or less is no gain yet: compare the time with
the fourth rung's, and with that of scratch's layer.

Rounding decides the last one. F(4x4, 3x3) has 36 multiplications for 16 outputs, 2.25 for each instead of 4. (14 is no
multiple of 4: it computes 16 x 16 outputs, and some of the gain is lost.) It may well be faster than F(2x2, 3x3). But
its transforms multiply by up to 8 and divide by 24, and errors grow more than tenfold. The table "Against PyTorch" has
them for several inputs: they use most of the budget, and for some inputs more than all of it, where F(2x2, 3x3) uses a
twentieth. A function with a different result is not a faster version.

How to measure. Two functions timed one after the other are in effect timed on two machines: the clock rate changes, and
so does what else is running. So everything is timed in turns, for some 20 milliseconds or one call each, after a
warm-up. A table has the median of the times, and the median of the ratios within a round, so a ratio need not be the
quotient of the two times beside it. All have the same number of threads. The first lines name the BLAS and, in
brackets, the processor that its code is written for: with `OPENBLAS_CORETYPE=Prescott`, an old one, the same NumPy
takes about twice as long. PyTorch does not use that BLAS for its convolution but oneDNN, whose code is generated for
the given shape; so its layer may also be nearer to the roof than any rung, or on another machine further from it.

How the kernels do it. The layers do not run these five functions but their grown-up twins in scratch/kernels, which
take any stride, padding, dilation and groups, and have a backward. What makes them faster than the rungs is in three of
the files: additions that are real additions (`winograd`), memory that is reused (`memory`), and threads that are kept
(`threads`). Whether a layer then beats PyTorch's depends on the shape and on the machine: benchmarks/speed/README.md
has the tables. In reading order:

`conv.conv2d` is the fourth rung and the fifth in one. It asks a plan for the best way, cuts the batch into blocks
(called chunks there) with `threads.chunks`, and gives `threads.run` a function that convolves one of them. It keeps the
patches for backward if they are small (`patch_plan.MOST_PATCH_BYTES`): nine times the input is soon too much. Otherwise
`conv.conv2d_backward` computes them again. Each chunk has its own dW, computed by one thread. These are added up at the
end, in a fixed order, so the result does not depend on which thread was faster.

`patch_plan.PatchPlan` makes that choice, from the shapes alone. If the kernel is a whole number of strides long, as in
DQN's first two convolutions (8 x 8 with stride 4, 4 x 4 with stride 2), the image is cut into squares of a stride's
size, whose pixels become channels, and the stride becomes 1 (space to depth: `patches.into_blocks`). It chooses
Winograd if the kernel is then 3 x 3 or 2 x 2, there are at least `patch_plan.FEWEST_CHANNELS` channels on both sides,
and the tiles do not reach too far beyond the output (`patch_plan.MOST_PRODUCTS`). Otherwise it chooses patches: with
few channels, they are copied in runs along the rows of the image, not along the channels (`patches.by_planes`). For dX,
`patch_plan.PatchPlan.undo` takes the flipped kernel where it can, and `patches.col2im` where it must.

`padded_images.pad_images` pads and reorders in one copy, and copies nothing if there is nothing to do.
`padded_images.unpad_images` is its backward pass: it cuts off the margin, or adds it to the pixels that it was copied
from.

`winograd.convolve` differs from the rung in three ways. Its transforms are additions, not products with matrices of 0,
1 and -1 (`winograd_tiles._take_apart_3`, `winograd_tiles._add_up_3`). The even and the odd columns of all images of a
chunk lie in separate planes, so each addition runs through adjacent numbers. And the views that the additions work on
are made once for each shape and kept (`winograd_chunk.Chunk`), since making a view takes as long as a short addition.
At the end it checks that all numbers are finite (`winograd._far_from_overflow`). Infinity minus infinity is NaN, so a
chunk that has an infinity is done again by patches, where it stays an infinity.

`threads.run` is the fourth rung's `each`, with threads that are started once and wait for work. A thread that is done
helps with the others' shares. The BLAS's own threads are never woken (`blas.one_blas_thread`): after each product they
would go on spinning (waiting without giving up the core) for more than a tenth of a second, and get in the way of ours.
So `products.matmul` shares out a large product that stands alone. `products.sum_products` asks for a small result in
parts, because NumPy holds the GIL through a product with a small result, however long it takes, and the other threads
would stand still. `threads.touch_blas_memory` is a surprise: until OpenBLAS has written to its own memory once, its
float32 products can take several times as long. Time a rung by itself in a new process, and you may see that instead.

`memory.empty` hands out memory that was used before. A fresh array of some megabytes costs more than it seems: the
system zeroes each page of it at the first touch, in the middle of the loop that fills it. An array's memory is free
again once nobody holds a view of it, which Python's reference counts tell. Each thread has its own memory, because it
lies in its core's cache. `memory.kept` keeps other things that take long to make, such as Winograd's views.

To see where a layer's time goes, statement by statement, run `backprop bench layers --why`.

In reinforcement learning. Agents use small batches. To act, a network is given one observation at a time, or one from
each of a few environments (PPO on Atari: 8; Schulman et al., 2017); DQN learns from batches of 32 (Mnih et al., 2015).
Then there are few blocks to share out, and calls and threads cost more than the arithmetic: the table "Microseconds for
an image" has the time for each batch size. That is one reason to run many environments at once and stack their
observations.

Takeaways. Turn the work into a matrix product; that is most of the way. Then look at where the numbers lie in memory,
and how often they travel. Then use all cores, for all of the work. Then do less work. Know the roofline, so that you
know when to stop. Check that every step has the same result, or it is no step.

Next: `backprop lesson sequence`, layers that are applied at every step.

Read: benchmarks/lessons/ladder/loops.py, benchmarks/lessons/ladder/one_product.py,
benchmarks/lessons/ladder/backward.py, benchmarks/lessons/ladder/blocks.py,
benchmarks/lessons/ladder/half_steps.py, benchmarks/lessons/ladder/threads.py,
benchmarks/lessons/ladder/winograd.py, benchmarks/lessons/ladder/did_not_pay.py; scratch/kernels/conv.py
Run:  backprop lesson speed
"""

from __future__ import annotations

import numpy as np

from benchmarks.engines import Engine
from benchmarks.lessons.ladder import accuracy, timings
from benchmarks.lessons.ladder.drawing import as_ratio, draw_choices, draw_ladder, told
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
    """Put on the board the machine that the times belong to, and return its rates."""
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
    """Return how many times as fast each rung is as the one before it."""
    return {name: times[way.beside].ratio(times[name]) for name, way in CLIMBED.items() if way.beside}


def show_ladder(board: Blackboard, work: Work, times: dict[str, Times], roof: Roof) -> dict[str, float]:
    """Put the rungs and the engines on the board, and return their seconds."""
    engine, gains = board.engine_names[-1], gains_of(times)
    seconds = {name: times[name].median for name in (*CLIMBED, *board.engine_names)}
    board.table(
        f"Forward, {work.name}, batch {work.batch}",
        ("rung", "time", "times as fast as the rung before", f"of {engine}'s time", "GFLOP/s", "of the roofline"),
        [
            (
                f"{name}, scaled up" if name == "loops" else name if name in CLIMBED else f"{name}'s layer",
                told(taken),
                as_ratio(gains[name]) if name in gains else "",
                as_ratio(times[name].ratio(times[engine])),
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
        "From one product to blocks, each change by itself: the time, and its ratio to one product's",
        ("way", *(work.name for work in times)),
        [
            (name, *(f"{told(one[name].median)} ({one[name].ratio(one['one product']):.2f})" for one in times.values()))
            for name in ("one product", *BETWEEN, "blocks")
        ],
    )


def show_parts(board: Blackboard) -> None:
    """Put on the board where the time of a block goes, in the last two rungs and in scratch's kernel."""
    images, times = timings.parts(SECOND, board.seed)
    product = times["threads: product"]
    board.table(
        f"Where the time of a block goes, {images} image{'s' * (images > 1)} on one thread",
        ("part", "time", "of the fourth rung's product"),
        [(name, told(one.median), f"{one.ratio(product):.2f}") for name, one in times.items()],
    )


def show_tried(board: Blackboard, times: dict[str, Times]) -> dict[str, float]:
    """Put on the board what did not pay, and return each time as a multiple of the time of the rung beside it."""
    ratios = {name: times[name].ratio(times[way.beside]) for name, way in TRIED.items()}
    board.table(
        "What did not pay",
        ("way", "time", "meant to beat", "its time", "ratio"),
        [
            (
                f"{name}, scaled up" if way.images else name,
                told(times[name].median),
                way.beside,
                told(times[way.beside].median),
                as_ratio(ratios[name]),
            )
            for name, way in TRIED.items()
        ],
    )
    return ratios


def show_errors(board: Blackboard) -> None:
    """Compare every way with PyTorch's result, on several inputs."""
    draws = [SECOND._replace(batch=COMPARED).draw(board.seed + draw) for draw in range(DRAWS)]
    rows = []
    for name, way in {**CLIMBED, **TRIED}.items():
        rounding = name.startswith("Winograd")  # of the others a draw says enough
        errors = [accuracy.error(way.convolve, *way.piece(*draw)) for draw in (draws if rounding else draws[:1])]
        shares = ", ".join(f"{error.share:.0%}" for error in errors)
        rows.append((name, f"{max(error.largest for error in errors):.1e}", shares))
    board.table(
        f"Against PyTorch, in float32, on {COMPARED} images: above 100% of the rounding budget, it does not pass",
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
    """Put the time per image on the board for several batch sizes; ``seconds`` are those of the ladder's batch."""
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
    show_parts(board)
    show_gradients(board, engines)
    ratios = show_tried(board, times[SECOND])
    show_errors(board)
    sizes = {size: one.median for size, one in timings.block_sizes(SECOND, board.seed).items()}
    own = board.engine_names[-1]
    board.figure("speed_choices", draw_choices(sizes, (own, seconds[SECOND][own]), ratios))
    show_batches(board, engines, seconds[SECOND])
    board.differences(differences(engines, board.seed))
