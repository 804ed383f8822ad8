"""What the recurrent kernels share: products over all steps of a sequence at once, and dividing a batch among threads.

Each step needs the state of the step before, but the part of the gates that comes from the input does not, nor do the
weights' gradients on the way back. So those are one product for the whole sequence, and only the small rest is done
step by step.

The sequences of a batch do not depend on one another. Each thread does all of this for its part of them, from the input
to the gradients, and waits for the others once.
"""

import numpy as np

from scratch.kernels import memory, products, threads
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read

FEWEST_NUMBERS = 1 << 12  # in the states of a batch: with fewer, a second thread does not pay off
SEQUENCES = 32  # in a part, if the batch has enough: with fewer rows, packing the weights for a product hardly pays off


def by_gate(weight: np.ndarray, size: int) -> np.ndarray:
    """Return a weight (G H, I), or a bias (G H, 1), of G gates of a size H as matrices (G, I, H)."""
    return np.ascontiguousarray(weight.reshape(-1, size, weight.shape[1]).swapaxes(1, 2))


def project(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return ``x`` (T, N, I) times the matrices (G, I, H), plus the bias (G, 1, H): a gate's numbers in one piece."""
    gates, inputs = memory.empty((len(weights), *x.shape[:2], weights.shape[2]), x.dtype), rows(x)
    products.matmul(inputs, weights, out=gates.reshape(len(weights), len(inputs), weights.shape[2]))
    gates += bias[:, None]
    return gates


def as_column(bias: np.ndarray | float, like: np.ndarray) -> np.ndarray:
    """Return a bias (G H,), or 0.0 for none, as a column (G H, 1) beside a weight ``like`` (G H, I)."""
    return np.broadcast_to(like.dtype.type(0) + bias, (len(like),))[:, None]


def rows(a: np.ndarray) -> np.ndarray:
    """Return (T, N, G) as (T N, G)."""
    return a.reshape(a.shape[0] * a.shape[1], a.shape[2])


def states(h_0: np.ndarray, steps: int) -> np.ndarray:
    """Return room for the states before and after each step, (T + 1, N, H), with the first state in it."""
    h = memory.empty((steps + 1, *h_0.shape), h_0.dtype)
    h[0] = h_0
    return h


def batch_parts(h_0: np.ndarray) -> list[slice]:
    """Return slices that divide the batch of states (N, H); they depend on its shape alone.

    There are no more of them than threads that share work, since each has gradients of the weights of its own.
    """
    batch = len(h_0)
    parts = min(max(batch // SEQUENCES, 2), threads.MOST_WORKERS) if h_0.size >= FEWEST_NUMBERS and batch > 1 else 1
    return threads.shares(batch, parts)


def gradients_of_part(
    grad_a: np.ndarray, grad_b: np.ndarray, x: np.ndarray, h: np.ndarray, weight_ih: np.ndarray, first: int
) -> tuple[np.ndarray | None, ...]:
    """Return the gradients of the input, of both weights and of both biases, from one part of the batch.

    Parameters
    ----------
    grad_a, grad_b : numpy.ndarray, shape (T, N, G)
        Of a = x weight_ih^T + bias_ih and b = h weight_hh^T + bias_hh, for all steps.
    x, h : numpy.ndarray, shapes (T, N, I) and (T, N, H)
        The inputs, and the states before each step.
    weight_ih : numpy.ndarray, shape (G, I)
    first : int
        The place of weight_ih's gradient among the results of the backward.
    """
    a, b = rows(grad_a), rows(grad_b)
    grad_x = products.matmul(a, weight_ih).reshape(x.shape) if is_read(0) else None
    grad_weight_ih = products.sum_products(a, rows(x)) if is_read(first) else None
    grad_weight_hh = products.sum_products(b, rows(h)) if is_read(first + 1) else None
    grad_bias_ih = channel_sum(a) if is_read(first + 2) else None
    grad_bias_hh = None
    if is_read(first + 3):
        grad_bias_hh = channel_sum(b) if grad_bias_ih is None or grad_a is not grad_b else grad_bias_ih.copy()
    return grad_x, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


def gradients(of_parts: list[tuple[np.ndarray | None, ...]]) -> tuple[np.ndarray | None, ...]:
    """Return the gradients of the input and of the parameters, from those of all parts (see `gradients_of_part`)."""
    of_x, *of_parameters = zip(*of_parts, strict=True)
    grad_x = None if of_x[0] is None else np.concatenate(of_x, axis=1)
    return grad_x, *[None if parts[0] is None else sum(parts[1:], start=parts[0]) for parts in of_parameters]
