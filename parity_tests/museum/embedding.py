"""Embedding: gradients of rows that are looked up several times, or not meant to be learned."""

import numpy as np

from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.embedding import embedding, embedding_backward

INDICES = np.array([[2, 0, 2, 1], [4, 2, 0, 0]])


def repeats_overwritten_backward(grad_y, weight, saved):
    """Undo `embedding` with fancy indexing in place of the loop of B2b."""
    x, learns = saved
    grad_weight = np.zeros_like(weight)
    grad_weight[x] += np.where(learns[..., None], grad_y, 0)
    return None, grad_weight


@layer(INDICES, args=(5, 3), caught="torch differences laws", passes_ones=False)
class RepeatsOverwritten(nn.Embedding):
    """An index that occurs several times gets the sum of its gradients; ``grad[x] += g`` in NumPy adds only the last.

    Frequent words learn from only one of their occurrences in a batch: the more frequent a word, the slower.
    """

    functions = embedding, repeats_overwritten_backward


def repeats_averaged_backward(grad_y, weight, saved):
    """Undo `embedding` with a mean over an index's occurrences in place of the sum of B2b."""
    x, _ = saved
    _, grad_weight = embedding_backward(grad_y, weight, saved)
    counts = np.bincount(x.ravel(), minlength=len(weight))
    return None, grad_weight / np.maximum(counts, 1)[:, None].astype(weight.dtype)


@layer(INDICES, args=(5, 3), caught="torch differences laws", passes_ones=False)
class RepeatsAveraged(nn.Embedding):
    """The gradients of an index's occurrences have to be added; here they are averaged.

    This is what ``scale_grad_by_freq=True`` asks for. Without it, frequent words learn as slowly as rare ones.
    """

    functions = embedding, repeats_averaged_backward


def padding_learns_backward(grad_y, weight, saved):
    """Undo `embedding` without F1."""
    x, learns = saved
    return embedding_backward(grad_y, weight, (x, np.ones_like(learns)))


@layer(INDICES, args=(5, 3), options={"padding_idx": 0}, caught="torch differences", passes_ones=True)
class PaddingLearns(nn.Embedding):
    """The row of the padding is a constant; here it gets a gradient like any other.

    The padding comes to mean something, and a sentence's output depends on the lengths of the others in its batch.
    """

    functions = embedding, padding_learns_backward


def padding_reads_zeros(x, weight, padding_idx):
    """Return the row of each index, and zeros for the padding."""
    y, saved = embedding(x, weight, padding_idx)
    return np.where(saved[1][..., None], y, 0), saved


@layer(INDICES, args=(5, 3), options={"padding_idx": 2}, caught="torch", passes_ones=True)
class PaddingReadsZeros(nn.Embedding):
    """The padding has a row, which is read like any other and starts as zeros; here zeros are put in its place.

    No effect until weights are loaded from a model whose padding row is not zero: then the outputs differ.
    """

    functions = padding_reads_zeros, embedding_backward
