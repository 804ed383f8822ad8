"""Convolution in loops, one output number at a time: an independent witness for `scratch.nn.conv` and its kernels.

y_nopq      = b_o + sum_cij x1_n,c,(sp+di),(sq+dj) w_ocij              x1 is x, padded with zeros
grad_b_o    = sum_npq grad_y_nopq
grad_w_ocij = sum_npq grad_y_nopq x1_n,c,(sp+di),(sq+dj)
grad_x1     = for each n, o, p, q: add grad_y_nopq w_o to the patch that y_nopq was made of
"""

import numpy as np

Pair = tuple[int, int]


def convolve_in_loops(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """Return what Conv2d's forward returns for zero padding, one output number at a time."""
    x1 = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    size = [
        (length - d * (k - 1) - 1) // s + 1
        for length, k, s, d in zip(x1.shape[2:], weight.shape[2:], stride, dilation, strict=True)
    ]
    y = np.zeros((len(x), len(weight), *size), x.dtype)
    for n, o, p, q in np.ndindex(*y.shape):
        y[n, o, p, q] = (_patch(x1, weight, n, o, p, q, stride, dilation, groups) * weight[o]).sum()
        if bias is not None:
            y[n, o, p, q] += bias[o]
    return y


def convolve_in_loops_backward(
    x: np.ndarray,
    weight: np.ndarray,
    grad_y: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of x, weight and bias, to which each output number adds its share."""
    x1 = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    grad_x1, grad_weight, grad_bias = np.zeros_like(x1), np.zeros_like(weight), np.zeros(len(weight), weight.dtype)
    for n, o, p, q in np.ndindex(*grad_y.shape):
        grad = grad_y[n, o, p, q]
        grad_bias[o] += grad
        grad_weight[o] += grad * _patch(x1, weight, n, o, p, q, stride, dilation, groups)
        grad_patch = _patch(grad_x1, weight, n, o, p, q, stride, dilation, groups)
        grad_patch += grad * weight[o]
    height, width = x.shape[2:]
    return grad_x1[:, :, padding[0] :][:, :, :height, padding[1] :][..., :width], grad_weight, grad_bias


def _patch(
    x1: np.ndarray, weight: np.ndarray, n: int, o: int, p: int, q: int, stride: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    # The view that kernel o sees at place (p, q), of shape (C/G, kh, kw).
    out_channels, channels, kh, kw = weight.shape
    first = o // (out_channels // groups) * channels
    rows, columns = (
        slice(at * s, at * s + d * (k - 1) + 1, d)
        for at, s, d, k in zip((p, q), stride, dilation, (kh, kw), strict=True)
    )
    return x1[n, first : first + channels, rows, columns]
