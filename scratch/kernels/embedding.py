"""Embedding's backward in few additions of many rows at once, instead of one addition for each index."""

import numpy as np

from scratch.kernels import memory

# The k-th occurrences of all indices are added at once; what occurs more often is summed by itself. Where that is the
# mean, all is put in order first, and summed piece by piece.
AT_ONCE = 8


def embedding(x: np.ndarray, weight: np.ndarray, padding_idx: int) -> tuple[np.ndarray, tuple]:
    """Return the row of each index."""
    return weight.take(x, axis=0), (x, padding_idx)


def embedding_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[None, np.ndarray]:
    """Undo `embedding`; the indices have no gradient."""
    x, padding_idx = saved
    indices, rows = x.ravel(), grad_y.reshape(x.size, weight.shape[1])
    # Of short integers NumPy's stable sort is a radix sort.
    order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)
    indices = indices[order]
    begins = np.flatnonzero(np.diff(indices, prepend=-1))
    ends = np.append(begins[1:], len(indices))
    grad_weight = memory.empty(weight.shape, weight.dtype)
    grad_weight[...] = 0
    if len(indices) > AT_ONCE * len(begins):
        grad_weight[indices[begins]] = np.add.reduceat(rows.take(order, axis=0), begins, axis=0)
    else:
        grad_weight[indices[begins]] = rows.take(order[begins], axis=0)
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
