"""The ladder's timings: everything is timed in turns, the engines' own layers beside the rungs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.engines import Engine
from benchmarks.lessons.ladder import RUNGS, Convolve, backward, blocks, did_not_pay, half_steps, threads, winograd
from benchmarks.lessons.ladder.work import Work
from benchmarks.speed.timing import Times, interleave
from scratch.kernels import winograd as kernels_winograd
from scratch.kernels.threads import get_num_threads
from scratch.kernels.winograd_form import Form

ROUNDS = 9
BATCHES = (1, 8, 32)
SIZES = (1, 2, 4, 8, 16, 32, 64)
Functions = dict[str, Callable[[], object]]


class Way(NamedTuple):
    """A way to convolve.

    Attributes
    ----------
    convolve : callable
    beside : str
        The rung that it is compared with; empty for the first.
    images, kernels : int, optional
        How many it does if all of them would take too long; its time is then scaled up.
    """

    convolve: Convolve
    beside: str
    images: int | None = None
    kernels: int | None = None

    def piece(self, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of the work that it does."""
        return x[: self.images], weight[: self.kernels]


CLIMBED = {name: Way(rung, before) for (name, rung), before in zip(RUNGS.items(), ("", *RUNGS), strict=False)}
CLIMBED["loops"] = CLIMBED["loops"]._replace(images=1, kernels=1)
BETWEEN = {
    "one product, channels last": Way(half_steps.one_product_channels_last, "one product"),
    "blocks, channels first": Way(half_steps.blocks_channels_first, "one product"),
}
TRIED = {
    "einsum, in one line": Way(did_not_pay.by_einsum, "one product", 2),
    "tensordot, in one line": Way(did_not_pay.by_tensordot, "one product"),
    "float16": Way(did_not_pay.in_float16, "one product", 2),
    "threads, BLAS not told": Way(did_not_pay.on_two_pools, "threads"),
    "FFT, in blocks on threads": Way(did_not_pay.by_fft, "Winograd"),
    "Winograd, F(4x4, 3x3)": Way(did_not_pay.by_larger_squares, "Winograd"),
}


def in_turns(functions: Functions) -> dict[str, Times]:
    """Time the functions in turn, on as many threads as the BLAS has."""
    return interleave(functions, ROUNDS, get_num_threads())


def forward(engines: list[Engine], work: Work, seed: int, ways: dict[str, Way]) -> dict[str, Times]:
    """Time forward passes, in the given ways and in the engines' layers; scale up those that did only a piece."""
    x, weight = work.draw(seed)
    pieces = {name: way.piece(x, weight) for name, way in ways.items()}
    functions: Functions = {name: partial(way.convolve, *pieces[name]) for name, way in ways.items()}
    for engine in engines:
        functions[engine.name] = _forward_of(engine, layer_of(engine, work, weight), x)
    whole = x.shape[0] * weight.shape[0]
    share = {name: len(images) * len(kernels) / whole for name, (images, kernels) in pieces.items()}
    return {name: Times(times.seconds / share.get(name, 1)) for name, times in in_turns(functions).items()}


def layer_of(engine: Engine, work: Work, weight: np.ndarray) -> object:
    """Return an engine's own layer, with the ladder's weight."""
    module = engine.nn.Conv2d(work.channels, work.kernels, 3, padding=1, bias=False, dtype=engine.dtype)
    engine.load_state(module, {"weight": weight})
    return module


def _forward_of(engine: Engine, module: Callable[[object], object], x: np.ndarray) -> Callable[[], object]:
    x = engine.asarray(x)

    def run() -> object:
        with engine.no_grad():
            return module(x)

    return run


def parts(work: Work, seed: int) -> tuple[int, dict[str, Times]]:
    """Time the parts of the last two rungs, and scratch's kernel, for one block on one thread.

    Returns
    -------
    images : int
        The number in the block, which is that of the last rung's blocks.
    times : dict of str to Times
    """
    x, weight = work.draw(seed)
    images = x[next(blocks.blocks_of(x, winograd.image_bytes(x, weight, winograd.F2)))]
    patches, matrix = blocks.im2col(images), blocks.as_matrix(weight)
    u = winograd.both_ways(winograd.F2.kernel, weight.transpose(2, 3, 1, 0))
    v = winograd.add_before(images, winograd.F2)
    m = winograd.multiply(v, u)
    form = Form((3, 3), (1, 1), ((1, 1), (1, 1)), x.shape[2:])
    of_kernel = partial(
        kernels_winograd.convolve,
        images,
        form.transform_kernels(matrix),
        None,
        blocks.empty_output(images, weight).transpose(0, 3, 1, 2),
    )
    functions: Functions = {
        "threads: im2col": partial(blocks.im2col, images),
        "threads: product": partial(np.matmul, patches, matrix),
        "Winograd: additions before": partial(winograd.add_before, images, winograd.F2),
        "Winograd: products": partial(winograd.multiply, v, u),
        "Winograd: additions after": partial(winograd.add_after, m, winograd.F2, x.shape[2:]),
        "scratch's Winograd, all of it": of_kernel,
    }
    with threads.BLAS.limit(limits=1):
        return len(images), interleave(functions, ROUNDS, 1)


def gradients(engines: list[Engine], work: Work, seed: int) -> dict[str, Times]:
    """Time the backward pass in parts, and forward and backward together of the engines' layers."""
    x, weight = work.draw(seed)
    grad_y = work.draw_gradient(seed)
    functions: Functions = {
        "dW, one product": partial(backward.grad_weight, x, grad_y),
        "dX, one product and col2im": partial(backward.grad_x_by_col2im, weight, grad_y),
    }
    for name in ("one product", "threads", "Winograd"):
        flipped = partial(backward.grad_x_by_convolution, weight, grad_y, RUNGS[name])
        functions[f"dX, a convolution: {name}"] = flipped
    for engine in engines:
        layer = layer_of(engine, work, weight)
        functions[f"{engine.name}: y, dX and dW"] = partial(engine.forward_backward, layer, x, grad_y)
    return in_turns(functions)


def block_sizes(work: Work, seed: int) -> dict[int, Times]:
    """Time the fourth rung for blocks of more and more images."""
    x, weight = work.draw(seed)

    def in_blocks_of(size: int) -> object:
        held, blocks.CACHE_BYTES = blocks.CACHE_BYTES, size * 9 * x[:1].nbytes
        try:
            return RUNGS["threads"](x, weight)
        finally:
            blocks.CACHE_BYTES = held

    sizes = [size for size in SIZES if size <= work.batch]
    found = in_turns({str(size): partial(in_blocks_of, size) for size in sizes})
    return {int(size): times for size, times in found.items()}
