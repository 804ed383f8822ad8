r"""Conv2d and Conv1d: the same small linear map, applied to every patch of an image, or of a sequence.

    N     batch                              x       (N, C, H, W)        input
    C, O  in_channels, out_channels          weight  (O, C/G, kh, kw)    the kernels
    H, W  the image's rows and columns       bias    (O,)
    P, Q  the output's rows and columns      y       (N, O, P, Q)        output
    s, d  stride and dilation (down; likewise across)
    G     groups: the channels fall into G groups, and each is convolved by itself
    K     = C/G kh kw, the numbers in a patch

conv2d
    F1  x1 = pad(x)                                (N, C, H1, W1)        see `scratch.nn.padding`
    F2  extent = d (kh - 1) + 1                    (2,)                  rows and columns that a kernel spans
    F3  windows_ncpqij = x1_nc,(sp+di),(sq+dj)     (N, C, P, Q, kh, kw)
    F4  patches = windows, each patch in a row     (G, N P Q, K)         im2col
    F5  kernels = weight, each kernel in a row     (G, O/G, K)
    F6  z = patches kernels^T                      (G, N P Q, O/G)       one matrix product for each group
    F7  places = z + bias, as                      (N, P, Q, O)
    F8  y = places, channels first                 (N, O, P, Q)

    B8  grad_places = grad_y, channels last        (N, P, Q, O)    F8: a transpose, by its inverse
    B7a grad_bias = sum_npq grad_places            (O,)            F7: bias was broadcast, and a broadcast becomes a sum
    B7b grad_z = grad_places, as                   (G, N P Q, O/G) F7: a sum passes its gradient on unchanged
    B6a grad_kernels = grad_z^T patches            (G, O/G, K)     F6: a matrix product, as in `Linear`
    B6b grad_patches = grad_z kernels              (G, N P Q, K)   F6: likewise
    B5  grad_weight = grad_kernels, as             (O, C/G, kh, kw) F5: a reshape, by its inverse
    B4  grad_windows = grad_patches, as            (N, C, P, Q, kh, kw) F4: likewise
    B3a grad_x1 = 0                                (N, C, H1, W1)  F3: room for sums
    B3b grad_x1_nc,(sp+di),(sq+dj) += grad_windows (N, C, H1, W1)  F3, col2im: a pixel was copied into each patch that
                                                                   contains it, and gets the sum of their gradients; a
                                                                   loop over i, j
    B1  grad_x = pad_backward(grad_x1)             (N, C, H, W)    F1: zeros are cut off, copies are added to originals

With a stride of 1, B6b to B1 are themselves a convolution. Written out, for a padding of a zeros,

    grad_x_nchw = sum_(o,i,j) grad_y_n,o,(h+a-di),(w+a-dj) w_ocij

which is grad_y, padded with d (k - 1) - a zeros, convolved with the flipped kernel with its two channel axes swapped.
That needs no col2im, and `scratch.kernels.conv` uses it where it is faster. Kernels over many channels that are two or
three strides high and wide (3 x 3, or 4 x 4 with stride 2) use Winograd's algorithm there, with about half of the
multiplications. With any stride, B6b to B1 are a layer of their own: `scratch.nn.conv_transpose`.

Conv1d is Conv2d on images of one row: (N, C, L) is treated as (N, C, 1, L), and a kernel of k places as one of 1 x k.

The default initialization is `Linear`'s, with fan_in = K.

Deep learning's convolution is a cross-correlation: forward does not flip the kernel. PyTorch's counterparts:
``torch.nn.Conv2d``, ``torch.nn.Conv1d``. Left out: ``device``. A negative padding always raises; in PyTorch it raises
for padding_mode 'zeros' and crops for the others. LeCun et al., "Gradient-based learning applied to document
recognition", 1998; im2col: Chellapilla et al., "High performance convolutional neural networks for document
processing", 2006; a guide to the arithmetic of strides and paddings: Dumoulin and Visin, arXiv:1603.07285.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.checks import DType, as_tuple, check_float_dtype, name_of
from scratch.nn.convolution import Convolution
from scratch.nn.image_layer import Size
from scratch.nn.padding import MODES, Padding, pad, pad_backward


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | float,
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int],
    groups: int,
    padding_mode: str,
) -> tuple[np.ndarray, tuple]:
    """Convolve ``x`` with the kernels ``weight``, and add the bias."""
    x1, saved_by_pad = pad(x, padding, padding_mode)  # F1 (N, C, H1, W1)
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]  # F2 (2,)
    windows = sliding_window_view(x1, extent, axis=(2, 3))[  # F3 (N, C, P, Q, kh, kw)
        :, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]
    ]
    patches = by_group(windows.transpose(0, 2, 3, 1, 4, 5), groups)  # F4 (G, N P Q, K)
    kernels = weight.reshape(groups, len(weight) // groups, patches.shape[2])  # F5 (G, O/G, K)
    z = patches @ kernels.transpose(0, 2, 1)  # F6 (G, N P Q, O/G)
    places = z.transpose(1, 0, 2).reshape(len(x), *windows.shape[2:4], len(weight)) + bias  # F7 (N, P, Q, O)
    y = places.transpose(0, 3, 1, 2)  # F8 (N, O, P, Q)
    return y, (patches, x1.shape, saved_by_pad)


def conv2d_backward(
    grad_y: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    saved: tuple,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `conv2d`."""
    patches, x1_shape, saved_by_pad = saved
    grad_places = grad_y.transpose(0, 2, 3, 1)  # B8 (N, P, Q, O)
    grad_bias = grad_places.sum(axis=(0, 1, 2))  # B7a (O,)
    grad_z = by_group(grad_places, groups)  # B7b (G, N P Q, O/G)
    grad_kernels = grad_z.transpose(0, 2, 1) @ patches  # B6a (G, O/G, K)
    grad_patches = grad_z @ weight.reshape(grad_kernels.shape)  # B6b (G, N P Q, K)
    grad_weight = grad_kernels.reshape(weight.shape)  # B5 (O, C/G, kh, kw)
    grad_windows = (  # B4 (N, C, P, Q, kh, kw)
        grad_patches.transpose(1, 0, 2)
        .reshape(*grad_places.shape[:3], x1_shape[1], *weight.shape[2:])
        .transpose(0, 3, 1, 2, 4, 5)
    )
    grad_x1 = np.zeros(x1_shape, grad_y.dtype)  # B3a (N, C, H1, W1)
    for i, j in np.ndindex(weight.shape[2:]):  # B3b (N, C, H1, W1)
        rows = slice(dilation[0] * i, dilation[0] * i + stride[0] * grad_y.shape[2], stride[0])
        columns = slice(dilation[1] * j, dilation[1] * j + stride[1] * grad_y.shape[3], stride[1])
        grad_x1[:, :, rows, columns] += grad_windows[..., i, j]
    grad_x = pad_backward(grad_x1, saved_by_pad)  # B1 (N, C, H, W)
    return grad_x, grad_weight, grad_bias


def by_group(a: np.ndarray, groups: int) -> np.ndarray:
    """Reshape (N, P, Q, ...) to (G, N P Q, numbers per place / G)."""
    rows, row = math.prod(a.shape[:3]), math.prod(a.shape[3:])
    return a.reshape(rows, groups, row // groups).transpose(1, 0, 2)


class _Conv(Convolution):
    functions = conv2d, conv2d_backward

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DType = np.float32,
    ) -> None:
        dtype = check_float_dtype(self, dtype)
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups)
        if not isinstance(padding_mode, str) or padding_mode not in MODES:
            expected = ", ".join(map(repr, MODES))
            raise ValueError(f"{name_of(self)}: expected padding_mode to be one of {expected}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.padding, self._sides = self._read_padding(padding)
        self.make_parameters((out_channels, in_channels // groups), bias, dtype)

    def _read_padding(self, padding: Size | str) -> tuple:
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ValueError(f"{name_of(self)}: expected padding to be numbers, 'valid' or 'same', got {padding!r}")
            if padding == "same" and max(self.stride) > 1:
                raise ValueError(f"{name_of(self)}: expected stride 1 with padding='same', got {self.stride}")
            reach = [(extent - 1) * (padding == "same") for extent in self._extent]
            return padding, tuple([(total // 2, total - total // 2) for total in reach])
        padding = as_tuple(self, "padding", padding, self.axes, least=0)
        return padding, tuple([(side, side) for side in padding])

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images with the layer's channels, no smaller than the kernel, that can be padded."""
        super().check(x)
        image = x.shape[-self.axes :]
        padded = tuple([length + sum(sides) for length, sides in zip(image, self._sides, strict=True)])
        if any(length < extent for length, extent in zip(padded, self._extent, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected input of at least the kernel's size {self.kernel_size} with dilation "
                f"{self.dilation}, got {padded} after padding"
            )
        spare = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if spare is not None and any(max(sides) > n - spare for n, sides in zip(image, self._sides, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected enough pixels in the image for padding_mode {self.padding_mode!r}, "
                f"got padding {self._sides} for an image of size {image}"
            )

    def arguments(self) -> tuple:
        """Return `conv2d`'s arguments after ``x``."""
        stride, dilation = self.on_images(self.stride, 1), self.on_images(self.dilation, 1)
        sides = self.on_images(self._sides, (0, 0))
        own = self.kernels(), self.value("bias", absent=0.0)
        return *own, stride, sides, dilation, self.groups, self.padding_mode


class Conv2d(_Conv):
    """Two-dimensional convolution (in fact cross-correlation: the kernel is not flipped), y = weight * x + bias.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, dilation : int or pair of int
        Down and across.
    padding : int, pair of int, 'valid' or 'same'
        Rows and columns added on each side; 'valid' adds none, 'same' adds enough to keep H and W (stride 1 only), an
        odd one at the bottom and on the right.
    groups : int
        How many groups of channels are convolved separately; divides C and O.
    bias : bool
        Whether the bias is learned and added.
    padding_mode : str
        What is added: 'zeros', 'reflect', 'replicate' or 'circular'.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, kh, kw)
    bias : Parameter of shape (out_channels,), or None

    Raises
    ------
    ValueError, RuntimeError
        For options that do not fit together, whichever of the two PyTorch raises.
    RuntimeError
        If the input is not (N, C, H, W) or (C, H, W), is smaller than the kernel, or has another dtype.

    Examples
    --------
    >>> layer = Conv2d(1, 1, kernel_size=(1, 2))
    >>> layer.weight.data[...], layer.bias.data[...] = [[[[10.0, 1.0]]]], 0.5
    >>> layer(np.array([[[1.0, 2.0, 3.0]]], dtype=np.float32))
    array([[[12.5, 23.5]]], dtype=float32)
    >>> layer.backward(np.array([[[1.0, 2.0]]], dtype=np.float32))
    array([[[10., 21.,  2.]]], dtype=float32)
    >>> layer.weight.grad, layer.bias.grad
    (array([[[[5., 8.]]]], dtype=float32), array([3.], dtype=float32))
    """


class Conv1d(_Conv):
    """One-dimensional convolution, of sequences: as `Conv2d`, with one number for each option instead of a pair.

    Parameters
    ----------
    in_channels, out_channels, groups, bias, padding_mode, dtype
        As for `Conv2d`.
    kernel_size, stride, dilation : int
        Along the sequence.
    padding : int, 'valid' or 'same'
        Places added at each end; 'same' adds an odd one at the end of the sequence.

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, k)
    bias : Parameter of shape (out_channels,), or None

    Raises
    ------
    ValueError, RuntimeError
        As `Conv2d` does; the input is (N, C, L) or (C, L).

    Examples
    --------
    >>> layer = Conv1d(1, 1, kernel_size=2)
    >>> layer.weight.data[...], layer.bias.data[...] = [[[10.0, 1.0]]], 0.5
    >>> layer(np.array([[1.0, 2.0, 3.0]], dtype=np.float32))
    array([[12.5, 23.5]], dtype=float32)
    >>> layer.backward(np.array([[1.0, 2.0]], dtype=np.float32))
    array([[10., 21.,  2.]], dtype=float32)
    """

    axes = 1
