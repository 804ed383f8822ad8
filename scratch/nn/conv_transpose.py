r"""ConvTranspose2d and ConvTranspose1d: Conv2d run backwards. Each pixel adds a multiple of the kernel.

    N     batch                              x       (N, C, H, W)        input
    C, O  in_channels, out_channels          weight  (C, O/G, kh, kw)    the kernels
    H, W  the input's rows and columns       bias    (O,)
    P, Q  the output's rows and columns      y       (N, O, P, Q)        output
    s, d  stride and dilation (down; likewise across)
    a, b  padding, which is cut off at every side, and output_padding, which is added at the bottom and on the right
    G     groups: the channels fall into G groups, and each is convolved by itself
    K     = O/G kh kw, the numbers in a patch

conv_transpose2d
    F1  rows = x, each pixel's channels in a row   (G, N H W, C/G)
    F2  kernels = weight, each kernel in a row     (G, C/G, K)
    F3  patches = rows kernels                     (G, N H W, K)      what each pixel adds
    F4  windows = patches, as                      (N, O, H, W, kh, kw)
    F5  size = s (H - 1) + d (kh - 1) + 1 + b      (2,)               H1, W1: room for all of them
    F6  y1 = 0                                     (N, O, H1, W1)
    F7  y1_no,(sh+di),(sw+dj) += windows_nohwij    (N, O, H1, W1)     col2im; a loop over i, j
    F8  places = y1, cut by a at each side, channels last
                                                   (N, P, Q, O)
    F9  z = places + bias                          (N, P, Q, O)
    F10 y = z, channels first                      (N, O, P, Q)

    B10 grad_z = grad_y, channels last             (N, P, Q, O)       F10: a transpose, by its inverse
    B9  grad_bias = sum_npq grad_z                 (O,)               F9: bias was broadcast, and a broadcast becomes a
                                                                      sum; the gradient of places is grad_z
    B8  grad_y1 = grad_z, channels first, padded with a zeros         F8: what was cut off has no share in y
                                                   (N, O, H1, W1)
    B7  grad_windows_nohwij = grad_y1_no,(sh+di),(sw+dj)              F7: a sum passes its gradient on to each of its
                                                   (N, O, H, W, kh, kw) terms; this is im2col
    B4  grad_patches = grad_windows, as            (G, N H W, K)      F4: a reshape, by its inverse
    B3a grad_kernels = rows^T grad_patches         (G, C/G, K)        F3: a matrix product, as in `Linear`
    B3b grad_rows = grad_patches kernels^T         (G, N H W, C/G)    F3: likewise
    B2  grad_weight = grad_kernels, as             (C, O/G, kh, kw)   F2: a reshape, by its inverse
    B1  grad_x = grad_rows, channels first         (N, C, H, W)       F1: likewise

Compare with `scratch.nn.conv`. F1 to F8 are the backward, with respect to its input, of the Conv2d with this same
weight (O channels in, C out) that maps images like y to images like x. If x is the upstream gradient of that
convolution, y without bias is the gradient of its input. And the backward with respect to x, B8 to B1, is that
convolution's forward: im2col and a matrix product. Each is the other's adjoint, <conv(y), x> = <y, conv_transpose(x)>.
That is what "transposed" means; it is not an inverse. A strided convolution maps images of several sizes to one size,
and output_padding says which of them is meant.

With a stride of 1, F3 to F8 are themselves a convolution of x with the flipped kernel; in general they are one of x
with s - 1 zeros between its pixels (a "fractionally strided" convolution). If k is not a multiple of s, the kernels
overlap unevenly, and outputs are sums of different numbers of terms: the checkerboard pattern of generated images.

What is cut off has a gradient of 0, and 0 times NaN or infinity is NaN. So an infinity in x makes the gradient NaN at
those places of its channel's kernels that lie on what is cut off, as in PyTorch's float64 code. In float32, PyTorch
leaves those products out where its kernel for larger layers runs.

The default initialization is `Linear`'s, with fan_in = O/G kh kw, the size of weight[0]. This is PyTorch's choice,
although an output is not a sum of that many terms.

ConvTranspose1d is ConvTranspose2d on images of one row: (N, C, L) is treated as (N, C, 1, L).

PyTorch's counterparts: ``torch.nn.ConvTranspose2d``, ``torch.nn.ConvTranspose1d``. Left out: ``device``. Zeiler et al.,
"Deconvolutional Networks", 2010; Dumoulin and Visin, arXiv:1603.07285, section 4; Odena et al., "Deconvolution and
Checkerboard Artifacts", Distill, 2016.
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.checks import DType, as_tuple, check_float_dtype, name_of
from scratch.nn.conv import by_group
from scratch.nn.convolution import Convolution
from scratch.nn.image_layer import Size


def conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | float,
    stride: tuple[int, int],
    padding: tuple[int, int],
    output_padding: tuple[int, int],
    groups: int,
    dilation: tuple[int, int],
) -> tuple[np.ndarray, tuple]:
    """Add up the kernels of ``weight``, multiplied by each pixel of ``x``, and add the bias."""
    rows = by_group(x.transpose(0, 2, 3, 1), groups)  # F1 (G, N H W, C/G)
    kernels = weight.reshape(groups, rows.shape[2], weight[0].size)  # F2 (G, C/G, K)
    patches = rows @ kernels  # F3 (G, N H W, K)
    windows = (  # F4 (N, O, H, W, kh, kw)
        patches.transpose(1, 0, 2)
        .reshape(len(x), *x.shape[2:], groups * weight.shape[1], *weight.shape[2:])
        .transpose(0, 3, 1, 2, 4, 5)
    )
    size = [  # F5 (2,)
        s * (n - 1) + d * (k - 1) + 1 + b
        for n, k, s, d, b in zip(x.shape[2:], weight.shape[2:], stride, dilation, output_padding, strict=True)
    ]
    y1 = np.zeros_like(x, shape=(*windows.shape[:2], *size))  # F6 (N, O, H1, W1)
    for i, j in np.ndindex(weight.shape[2:]):  # F7 (N, O, H1, W1)
        down = slice(dilation[0] * i, dilation[0] * i + stride[0] * (x.shape[2] - 1) + 1, stride[0])
        across = slice(dilation[1] * j, dilation[1] * j + stride[1] * (x.shape[3] - 1) + 1, stride[1])
        y1[:, :, down, across] += windows[..., i, j]
    places = y1[  # F8 (N, P, Q, O)
        :, :, padding[0] : size[0] - padding[0], padding[1] : size[1] - padding[1]
    ].transpose(0, 2, 3, 1)
    z = places + bias  # F9 (N, P, Q, O)
    y = z.transpose(0, 3, 1, 2)  # F10 (N, O, P, Q)
    return y, (x,)


def conv_transpose2d_backward(
    grad_y: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    dilation: tuple[int, int],
    saved: tuple,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `conv_transpose2d`."""
    (x,) = saved
    grad_z = grad_y.transpose(0, 2, 3, 1)  # B10 (N, P, Q, O)
    grad_bias = grad_z.sum(axis=(0, 1, 2))  # B9 (O,)
    grad_y1 = np.pad(  # B8 (N, O, H1, W1)
        grad_z.transpose(0, 3, 1, 2), ((0, 0), (0, 0), *[(a, a) for a in padding])
    )
    grad_windows = sliding_window_view(  # B7 (N, O, H, W, kh, kw)
        grad_y1, [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)], axis=(2, 3)
    )[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]][:, :, : x.shape[2], : x.shape[3]]
    grad_patches = by_group(grad_windows.transpose(0, 2, 3, 1, 4, 5), groups)  # B4 (G, N H W, K)
    grad_kernels = by_group(x.transpose(0, 2, 3, 1), groups).transpose(0, 2, 1) @ grad_patches  # B3a (G, C/G, K)
    grad_rows = grad_patches @ weight.reshape(grad_kernels.shape).transpose(0, 2, 1)  # B3b (G, N H W, C/G)
    grad_weight = grad_kernels.reshape(weight.shape)  # B2 (C, O/G, kh, kw)
    grad_x = (  # B1 (N, C, H, W)
        grad_rows.transpose(1, 0, 2).reshape(len(x), *x.shape[2:], x.shape[1]).transpose(0, 3, 1, 2)
    )
    return grad_x, grad_weight, grad_bias


class _ConvTranspose(Convolution):
    functions = conv_transpose2d, conv_transpose2d_backward

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        dtype: DType = np.float32,
    ) -> None:
        dtype = check_float_dtype(self, dtype)
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        if padding_mode != "zeros":
            raise ValueError(f"{name_of(self)}: expected padding_mode 'zeros', as in PyTorch, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.padding = as_tuple(self, "padding", padding, self.axes, least=0)
        self.output_padding = as_tuple(self, "output_padding", output_padding, self.axes, least=0)
        limits = [max(own) for own in zip(self.stride, self.dilation, strict=True)]
        if any(added >= limit for added, limit in zip(self.output_padding, limits, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected output_padding smaller than stride or dilation, got {output_padding} with "
                f"stride {self.stride} and dilation {self.dilation}"
            )
        self.make_parameters((in_channels, out_channels // groups), bias, dtype)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images with the layer's channels, at least one."""
        super().check(x)
        if self.in_channels == 0:
            raise RuntimeError(f"{name_of(self)}: expected in_channels of 1 or more, got 0")

    def forward(self, x: np.ndarray, output_size: Sequence[int] | None = None) -> np.ndarray:
        """Map images to larger ones; ``output_size``, P and Q or the whole output shape, replaces output_padding."""
        self.check_input(x)
        added = self.output_padding if output_size is None else self._added(x, output_size)
        size = tuple([least + more for least, more in zip(self._smallest(x), added, strict=True)])
        if min(size) < 1:
            raise RuntimeError(
                f"{name_of(self)}: expected an output of at least one pixel, got size {size} for an input of size "
                f"{x.shape[-self.axes :]} with padding {self.padding}"
            )
        return self.run(self.functions, x, *self.arguments(added))[0]

    def _smallest(self, x: np.ndarray) -> list[int]:
        # The output's size without output_padding.
        along = zip(x.shape[-self.axes :], self.stride, self.padding, self._extent, strict=True)
        return [s * (n - 1) + extent - 2 * a for n, s, a, extent in along]

    def _added(self, x: np.ndarray, output_size: Sequence[int]) -> tuple[int, ...]:
        if not isinstance(output_size, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in output_size):
            raise TypeError(f"{name_of(self)}: expected output_size to be a sequence of integers, got {output_size!r}")
        if len(output_size) not in (self.axes, x.ndim):
            raise ValueError(
                f"{name_of(self)}: expected output_size to have {self.axes} or {x.ndim} entries, got {output_size}"
            )
        smallest, asked = self._smallest(x), output_size[-self.axes :]
        largest = [least + s - 1 for least, s in zip(smallest, self.stride, strict=True)]
        if not all(least <= n <= most for least, n, most in zip(smallest, asked, largest, strict=True)):
            raise ValueError(
                f"{name_of(self)}: expected an output_size from {smallest} to {largest} for an input of size "
                f"{x.shape[-self.axes :]}, got {output_size}"
            )
        return tuple([int(n) - least for least, n in zip(smallest, asked, strict=True)])

    def arguments(self, output_padding: tuple[int, ...] | None = None) -> tuple:
        """Return `conv_transpose2d`'s arguments after ``x``."""
        added = self.output_padding if output_padding is None else output_padding
        options = (self.stride, 1), (self.padding, 0), (added, 0), (self.dilation, 1)
        stride, padding, added, dilation = [self.on_images(own, row) for own, row in options]
        own = self.kernels(), self.value("bias", absent=0.0)
        return *own, stride, padding, added, self.groups, dilation


class ConvTranspose2d(_ConvTranspose):
    """Two-dimensional transposed convolution: from the output shape of a `Conv2d` with these options to its input's.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, dilation : int or pair of int
        Down and across; ``stride`` is the distance between the places of neighbouring pixels in the output.
    padding : int or pair of int
        Rows and columns that are cut off on each side.
    output_padding : int or pair of int
        Additional rows and columns at the bottom and on the right; smaller than ``stride`` or ``dilation``.
    groups : int
        How many groups of channels are convolved separately; divides C and O.
    bias : bool
        Whether the bias is learned and added.
    padding_mode : str
        'zeros'; PyTorch supports no other here.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight : Parameter, shape (in_channels, out_channels / groups, kh, kw)
    bias : Parameter of shape (out_channels,), or None

    Raises
    ------
    ValueError, RuntimeError
        For options that do not fit together, or an ``output_size`` out of reach, whichever of the two PyTorch raises.
    RuntimeError
        If the input is not (N, C, H, W) or (C, H, W), has another dtype, or would have an output without pixels.
    TypeError
        If ``output_size`` is not a sequence of integers.

    Examples
    --------
    >>> layer = ConvTranspose2d(1, 1, kernel_size=(1, 3), stride=2)
    >>> layer.weight.data[...], layer.bias.data[...] = [[[[1.0, 2.0, 3.0]]]], 0.5
    >>> layer(np.array([[[10.0, 100.0]]], dtype=np.float32))
    array([[[ 10.5,  20.5, 130.5, 200.5, 300.5]]], dtype=float32)
    >>> layer.backward(np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]], dtype=np.float32))
    array([[[14., 26.]]], dtype=float32)
    >>> layer.weight.grad, layer.bias.grad
    (array([[[[310., 420., 530.]]]], dtype=float32), array([15.], dtype=float32))
    """


class ConvTranspose1d(_ConvTranspose):
    """One-dimensional transposed convolution: as `ConvTranspose2d`, with one number for each option.

    Parameters
    ----------
    in_channels, out_channels, groups, bias, padding_mode, dtype
        As for `ConvTranspose2d`.
    kernel_size, stride, padding, output_padding, dilation : int
        Along the sequence.

    Attributes
    ----------
    weight : Parameter, shape (in_channels, out_channels / groups, k)
    bias : Parameter of shape (out_channels,), or None

    Raises
    ------
    ValueError, RuntimeError, TypeError
        As `ConvTranspose2d` does; the input is (N, C, L) or (C, L).

    Examples
    --------
    >>> layer = ConvTranspose1d(1, 1, kernel_size=2, bias=False)
    >>> layer.weight.data[...] = [[[1.0, 2.0]]]
    >>> layer(np.array([[10.0, 100.0]], dtype=np.float32))
    array([[ 10., 120., 200.]], dtype=float32)
    >>> layer.backward(np.array([[1.0, 2.0, 3.0]], dtype=np.float32))
    array([[5., 8.]], dtype=float32)
    """

    axes = 1
