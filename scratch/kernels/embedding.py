"""Embedding, whose backward makes few additions of many rows at once, instead of one addition for each index."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks

# Up to this k, the k-th occurrences of all indices are added at once; the rest of an index that occurs more often is
# summed by itself. If indices occur more often than this on average, all rows are sorted first, and summed index by
# index.
AT_ONCE = 8
# For the gradient, on each thread: its zeros are still in the outer cache when rows are written over them.
BLOCK_BYTES = 1 << 21


def embedding(x: np.ndarray, weight: np.ndarray, padding_idx: int) -> tuple[np.ndarray, tuple]:
    """Return the row of each index."""
    return weight.take(x, axis=0), (x, padding_idx)


def embedding_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[None, np.ndarray]:
    """Undo `embedding`; the indices have no gradient."""
    x, padding_idx = saved
    indices, rows = x.ravel(), grad_y.reshape(x.size, weight.shape[1])
    # For short integers NumPy's stable sort is a radix sort.
    order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)
    indices = indices[order]
    is_first = np.ones(len(indices), bool)
    np.not_equal(indices[1:], indices[:-1], out=is_first[1:])
    begins = np.flatnonzero(is_first)
    ends = np.append(begins[1:], len(indices))
    grad_weight = memory.empty(weight.shape, weight.dtype)
    found, often_named = indices[begins], len(indices) > AT_ONCE * len(begins)
    if often_named:
        firsts, places = np.add.reduceat(rows.take(order, axis=0), begins, axis=0), np.arange(len(begins))
    else:
        firsts, places = rows, order[begins]

    def fill(part: slice) -> None:
        here = slice(*np.searchsorted(found, (part.start, part.stop)))
        grad_weight[part] = 0
        grad_weight[found[here]] = firsts.take(places[here], axis=0)

    threads.run(fill, blocks(len(weight), grad_weight.nbytes // max(len(weight), 1), BLOCK_BYTES))
    if not often_named:
        for k in range(1, AT_ONCE):
            places = begins[begins + k < ends] + k
            if len(places) == 0:
                break
            grad_weight[indices[places]] += rows.take(order[places], axis=0)
        often = begins + AT_ONCE < ends
        for begin, end in zip(begins[often] + AT_ONCE, ends[often], strict=True):
            grad_weight[indices[begin]] += np.add.reduce(rows[order[begin:end]], axis=0)
    if padding_idx >= 0:
        grad_weight[padding_idx] = 0
    return None, grad_weight
