"""MultiheadAttention with its products divided among the threads, and heads that need no copying.

Each head's numbers are where they would be without heads, so splitting into heads and joining them moves nothing.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from scratch.kernels import memory, products, threads
from scratch.kernels.attention import scaled_dot_product_attention, scaled_dot_product_attention_backward
from scratch.kernels.blocks import blocks
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read

# For the rows that are projected at once.
BLOCK_BYTES = 1 << 18
# Columns of a projection whose weights get their gradients at once.
COLUMNS = 64


def multi_head_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    in_proj_weight: np.ndarray,
    in_proj_bias: np.ndarray,
    attn_mask: np.ndarray | float,
    factor: np.ndarray | float,
    scale: float,
    unseen: float,
    num_heads: int,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the heads' outputs side by side, what backward needs, and the heads' weights."""
    size = query.shape[2]
    weights, biases = in_proj_weight.reshape(3, size, size), in_proj_bias.reshape(3, size)
    inputs = [_rows(x) for x in (query, key, value)]
    projections = [memory.empty(rows.shape, rows.dtype) for rows in inputs]

    thirds = zip(inputs, weights, biases, projections, strict=True)
    _run(
        [partial(_project, x[part], w, b, out[part]) for x, w, b, out in thirds for part in _parts(x)],
        inputs,
    )
    q, k, v = (_to_heads(rows, x, num_heads) for rows, x in zip(projections, (query, key, value), strict=True))
    o, inner, each = scaled_dot_product_attention(q, k, v, attn_mask, factor, scale, unseen)
    return _join(o).reshape(query.shape), (query, key, value, weights, inner), each


def multi_head_attention_backward(
    grad_y: np.ndarray,
    grad_weights: np.ndarray,
    factor: np.ndarray | float,
    scale: float,
    num_heads: int,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `multi_head_attention`; skip gradients that nobody reads."""
    query, key, value, weights, inner = saved
    size, dtype = query.shape[2], query.dtype
    grad_o = _to_heads(grad_y, grad_y, num_heads)
    by_head = scaled_dot_product_attention_backward(grad_o, grad_weights, factor, scale, inner)
    grads, inputs = [_join(grad) for grad in by_head], [_rows(x) for x in (query, key, value)]
    grad_inputs = [memory.empty(rows.shape, dtype) if is_read(place) else None for place, rows in enumerate(inputs)]
    grad_weight = np.empty((3, size, size), dtype) if is_read(3) else None
    grad_bias = np.empty((3, size), dtype) if is_read(4) else None

    tasks: list[Callable[[], object]] = []
    for third, (grad, rows, grad_x) in enumerate(zip(grads, inputs, grad_inputs, strict=True)):
        if grad_x is not None:
            tasks += [partial(np.matmul, grad[part], weights[third], out=grad_x[part]) for part in _parts(rows)]
        if grad_weight is not None:
            cuts = [slice(begin, begin + COLUMNS) for begin in range(0, size, COLUMNS)]
            tasks += [partial(np.matmul, grad[:, cut].T, rows, out=grad_weight[third, cut]) for cut in cuts]
        if grad_bias is not None:
            tasks.append(partial(_sum_into, grad_bias[third], grad))
    _run(tasks, inputs)
    found = [
        None if grad is None else grad.reshape(x.shape)
        for grad, x in zip(grad_inputs, (query, key, value), strict=True)
    ]
    return (
        *found,
        None if grad_weight is None else grad_weight.reshape(3 * size, size),
        None if grad_bias is None else grad_bias.reshape(3 * size),
    )


def _rows(x: np.ndarray) -> np.ndarray:
    """Return (N, L, E) as (N L, E)."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def _to_heads(a: np.ndarray, like: np.ndarray, num_heads: int) -> np.ndarray:
    """Return (N L, E) or (N, L, E) as (N, h, L, D), for (N, L, E) as ``like`` has it."""
    n, length, size = like.shape
    return a.reshape(n, length, num_heads, size // num_heads).swapaxes(1, 2)


def _join(heads: np.ndarray) -> np.ndarray:
    """Return (N, h, L, D) as (N L, E): a view, where the heads lie side by side."""
    n, h, length, d = heads.shape
    return heads.swapaxes(1, 2).reshape(n * length, h * d)


def _parts(rows: np.ndarray) -> list[slice]:
    return blocks(len(rows), rows.shape[1] * rows.itemsize, BLOCK_BYTES)


def _project(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
    np.matmul(x, weight.T, out=out)
    out += bias


def _sum_into(grad_bias: np.ndarray, grad: np.ndarray) -> None:
    grad_bias[...] = channel_sum(grad)


def _run(tasks: list[Callable[[], object]], inputs: list[np.ndarray]) -> None:
    # A small product is finished before another thread would have started on its part.
    if max(len(rows) for rows in inputs) * inputs[0].shape[1] ** 2 * inputs[0].itemsize > products.SMALL_PRODUCT:
        threads.run(lambda task: task(), tasks)
    else:
        for task in tasks:
            task()
