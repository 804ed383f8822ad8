r"""Winograd's convolution, F(2 x 2, 3 x 3): a 3 x 3 kernel with less than half the multiplications.

Two neighbours y0, y1 in a row of the output are made of the four pixels d0 to d3 and the kernel g0, g1, g2:

    y0 = d0 g0 + d1 g1 + d2 g2            y1 = d1 g0 + d2 g1 + d3 g2

That takes six multiplications. Four are enough, with additions before and after:

    m0 = (d0 - d2) g0                     m1 = (d1 + d2) (g0 + g1 + g2) / 2
    m3 = (d1 - d3) (-g2)                  m2 = (d2 - d1) (g0 - g1 + g2) / 2

    y0 = m0 + m1 + m2                     y1 = m1 - m2 + m3

or, with an elementwise product in the middle, y = A^T [(G g) * (B^T d)], where

           1  0 -1  0             1    0    0
    B^T =  0  1  1  0       G =  1/2  1/2  1/2       A^T = 1  1  1  0
           0 -1  1  0            1/2 -1/2  1/2             0  1 -1  1
           0  1  0 -1             0    0   -1

In two dimensions, the transforms are applied along the columns and along the rows: a tile d of 4 x 4 pixels gives
2 x 2 outputs with 16 multiplications instead of 36, and the next tile begins two pixels further. For N images of C
channels, T tiles in each, and O output channels:

Forward
    F1  v = B^T d B                       (4, 4, N T, C)
    F2  u = G w G^T                       (4, 4, C, O)
    F3  m_ab = v_ab u_ab                  (4, 4, N T, O)     sixteen matrix products: the sum over channels
    F4  m_11 += b                                            A^T m A carries m_11 to all four outputs
    F5  y = A^T m A                       (2, 2, N T, O)

Backward: every step is linear, so its adjoint is its transpose
    B1  grad_m = A grad_y A^T             (4, 4, N T, O)     F5
    B2  grad_b = sum grad_m_11            (O,)               F4
    B3  grad_u_ab = v_ab^T grad_m_ab      (4, 4, C, O)       F3, as in `Linear`
    B4  grad_v_ab = grad_m_ab u_ab^T      (4, 4, N T, C)     F3, the same
    B5  grad_w = G^T grad_u G             (3, 3, C, O)       F2
    B6  grad_d = B grad_v B^T             (4, 4, N T, C)     F1; tiles overlap, so a pixel's gradient is a sum over
                                                             tiles

No output depends on a pixel outside of its own patch: y0's formula does not contain d3, nor y1's d0. So where a patch
is all zeros the output is exactly b, as with im2col. The rounding does change a little, and an infinity becomes NaN,
because it is subtracted from itself: `convolve` and `convolve_backward` tell the caller so by what they return.

`scratch.kernels.winograd_tiles` has the additions as code, and the same for kernels of 2 x 2. A kernel whose height and
width are two or three strides is applied to blocks of stride x stride pixels: each block takes the place of a pixel
here, and its channels are all the numbers in it.

In the code, the pixels of even and odd columns are separated first, with the images next to each other, so that all
further additions are over contiguous memory. These additions are short: making the views for them takes as long as the
additions, and holds the GIL while other threads wait for it. So the views are made once for all chunks of a shape, and
the additions are stored as steps that run for each chunk (`scratch.kernels.winograd_chunk`).

See Winograd, "Arithmetic complexity of computations", 1980, and Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", arXiv:1509.09308.
"""

from collections.abc import Callable
from itertools import product
from math import isfinite

import numpy as np

from scratch.kernels import buffer, products
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.winograd_chunk import Chunk, as_matrices, chunk_of, take
from scratch.kernels.winograd_form import Kernels


@np.errstate(over="ignore", invalid="ignore")
def convolve(
    x: np.ndarray,
    kernels: Kernels,
    bias: np.ndarray | None,
    y: np.ndarray,
    v: np.ndarray | None = None,
) -> bool:
    """Write the convolution of ``x`` into ``y``.

    Parameters
    ----------
    x : numpy.ndarray, shape (N, C, H, W)
        The images.
    kernels : Kernels
        What `Form.transform_kernels` returned.
    bias : numpy.ndarray of shape (O,), or None
        What to add.
    y : numpy.ndarray, shape (N, O, P, Q)
        Where to write; channels-last.
    v : numpy.ndarray, optional
        What `Form.empty_tiles` returned: where to save the transformed images for `convolve_backward`.

    Returns
    -------
    bool
        Whether all of ``y`` is finite and far from the largest number; if not, it may be wrong.
    """
    chunk = _convolve(x, kernels, bias, v)
    chunk.outputs.copy_to(y)
    return _far_from_overflow(y)


@np.errstate(over="ignore", invalid="ignore")
def convolve_planes(
    x: np.ndarray, kernels: Kernels, bias: np.ndarray | None, v: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """Do as `convolve` does, for an output of even size (P, Q), but return its pixels as planes, without copying them.

    Returns
    -------
    planes : numpy.ndarray, shape (2, 2, P/2, Q/2, N, O)
        The outputs of even and odd rows, and of even and odd columns. Valid until this thread's next call.
    bool
        As for `convolve`.
    """
    planes = _convolve(x, kernels, bias, v).m_planes[:2, :2]
    return planes, all(_far_from_overflow(planes[place].reshape(-1)) for place in product((0, 1), (0, 1)))


def _convolve(x: np.ndarray, kernels: Kernels, bias: np.ndarray | None, v: np.ndarray | None) -> Chunk:
    np.setbufsize(buffer.SMALLEST)  # until the caller's errstate ends
    form, u = kernels
    chunk = chunk_of(x, u.shape[2], form)
    v = chunk.transform(x, v)  # F1
    products.matmul(as_matrices(v), u, out=chunk.m)  # F3
    if bias is not None:
        chunk.bias[...] = bias
        take(chunk.add_bias)  # F4
    take(chunk.add_up)  # F5
    return chunk


@np.errstate(over="ignore", invalid="ignore")
def convolve_backward(
    x: np.ndarray,
    kernels: Kernels,
    grad_y: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None = None,
) -> bool:
    """Write the gradients of `convolve` that are asked for.

    Parameters
    ----------
    x
        As for `convolve`.
    kernels : Kernels
        What `Kernels.transposed` returned.
    grad_y : numpy.ndarray, shape (N, O, P, Q)
        The upstream gradient.
    grad_matrix : numpy.ndarray of shape (..., kh kw C, O), or None
        Where to write the gradient of the kernels w'.
    grad_bias : numpy.ndarray of shape (..., O), or None
        Where to write that of the bias.
    grad_x : numpy.ndarray of shape (N, C, H, W), or None
        Where to write that of the images; channels-last.
    v : numpy.ndarray, optional
        What `convolve` saved there; by default the images are transformed again.

    Returns
    -------
    bool
        As for `convolve`, of the gradients.
    """
    chunk = chunk_of(x, grad_y.shape[1], kernels.form)
    for corner in chunk.beyond:
        corner[...] = 0
    chunk.corners.copy_from(grad_y)
    return _undo(chunk, x, kernels.u, grad_matrix, grad_bias, grad_x, v)


@np.errstate(over="ignore", invalid="ignore")
def convolve_planes_backward(
    x: np.ndarray,
    kernels: Kernels,
    write_grad_planes: Callable[[np.ndarray], object],
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None,
) -> bool:
    """Do as `convolve_backward` does, for a gradient that ``write_grad_planes`` writes in `convolve_planes`' form."""
    chunk = chunk_of(x, kernels.u.shape[1], kernels.form)
    write_grad_planes(chunk.corners_of_m)
    return _undo(chunk, x, kernels.u, grad_matrix, grad_bias, grad_x, v)


def _undo(
    chunk: Chunk,
    x: np.ndarray,
    u_transposed: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None,
) -> bool:
    np.setbufsize(buffer.SMALLEST)  # until the caller's errstate ends
    if grad_matrix is not None and v is None:
        v = chunk.transform(x)
    take(chunk.spread)  # B1
    trusted = True
    if grad_bias is not None:
        grad_bias[...] = channel_sum(chunk.m_11)  # B2
        trusted = _far_from_overflow(grad_bias.reshape(-1))
    if grad_matrix is not None and v is not None:
        grad_u = products.matmul(as_matrices(v).swapaxes(1, 2), chunk.m, out=chunk.grad_u)  # B3
        g = chunk.both_ways
        products.matmul(g.T, grad_u.reshape(len(g), -1), out=grad_matrix.reshape(g.shape[1], -1))  # B5
        trusted = trusted and _far_from_overflow(grad_u)
    if grad_x is not None:
        products.matmul(chunk.m, u_transposed, out=as_matrices(chunk.v))  # B4
        take(chunk.put_together)  # B6
        chunk.grad_pixels.copy_to(grad_x)
        trusted = trusted and _far_from_overflow(grad_x)
    return trusted


def _far_from_overflow(a: np.ndarray) -> bool:
    # A sum of squares is cheap, and finite only if every number is.
    flat = a.transpose(0, 2, 3, 1).reshape(-1) if a.ndim == 4 else a.reshape(-1)
    return isfinite(flat @ flat)
