r"""Conv2d: the same small linear map, applied to every patch of an image.

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

With a stride of 1, B6b to B1 are a convolution themselves. Written out, for a padding of a zeros,

    grad_x_nchw = sum_(o,i,j) grad_y_n,o,(h+a-di),(w+a-dj) w_ocij

which is grad_y, padded with d (k - 1) - a zeros, convolved with the flipped kernel, whose two channel axes are
exchanged. That needs no col2im, and `scratch.kernels.conv` uses it where it is faster. For 3 x 3 kernels over many
channels it uses Winograd's algorithm, with less than half of the multiplications.

The default initialisation is `Linear`'s, with fan_in = K.

Deep learning's convolution is a cross-correlation: forward does not flip the kernel. PyTorch's counterpart:
``torch.nn.Conv2d``. Left out: ``device``; a negative padding, which PyTorch refuses for padding_mode 'zeros' and takes
as cropping for the others, is always refused. LeCun et al., "Gradient-based learning applied to document recognition",
1998; im2col: Chellapilla et al., "High performance convolutional neural networks for document processing", 2006; a
guide to the arithmetic of strides and paddings: Dumoulin and Visin, arXiv:1603.07285.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.checks import DType, as_pair, check_fits, check_float_dtype, check_integer, is_integer
from scratch.nn import init
from scratch.nn.image_layer import ImageLayer
from scratch.nn.padding import MODES, Padding, pad, pad_backward
from scratch.nn.parameter import Parameter


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
    """Return (N, P, Q, ...) as (G, N P Q, numbers of a place / G)."""
    rows, row = math.prod(a.shape[:3]), math.prod(a.shape[3:])
    return a.reshape(rows, groups, row // groups).transpose(1, 0, 2)


class Conv2d(ImageLayer):
    """Two-dimensional convolution (in fact cross-correlation: the kernel is not flipped), y = weight * x + bias.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, dilation : int or pair of int
        Down and across.
    padding : int, pair of int, 'valid' or 'same'
        Rows and columns added on each side; 'valid' adds none, 'same' as many as keep H and W (stride 1 only), the odd
        one at the bottom and on the right.
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
        For options that do not fit together, of the kind that PyTorch raises.
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

    functions = conv2d, conv2d_backward
    learned = "weight", "bias"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        dtype = check_float_dtype(self, dtype)
        _check_channels(in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        if isinstance(kernel_size, (tuple, list)) and len(kernel_size) != 2:
            raise RuntimeError(f"Conv2d: expected kernel_size to have two entries, got {kernel_size!r}")
        self.kernel_size = as_pair(self, "kernel_size", kernel_size, least=1)
        self.stride = as_pair(self, "stride", stride, least=1)
        self.dilation = as_pair(self, "dilation", dilation, least=1)
        if not isinstance(padding_mode, str) or padding_mode not in MODES:
            expected = ", ".join(map(repr, MODES))
            raise ValueError(f"Conv2d: expected padding_mode to be one of {expected}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.padding, self._sides = self._read_padding(padding)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)])
        check_fits(self, "weight", out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, *self.kernel_size), dtype))
        self.bias = Parameter(np.empty(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def _read_padding(self, padding: int | tuple[int, int] | str) -> tuple:
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ValueError(f"Conv2d: expected padding to be numbers, 'valid' or 'same', got {padding!r}")
            if padding == "same" and self.stride != (1, 1):
                raise ValueError(f"Conv2d: expected stride 1 with padding='same', got {self.stride}")
            reach = [d * (k - 1) * (padding == "same") for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return padding, tuple([(total // 2, total - total // 2) for total in reach])
        padding = as_pair(self, "padding", padding, least=0)
        return padding, tuple([(side, side) for side in padding])

    def reset_parameters(self) -> None:
        """Draw new initial values, weight first."""
        init.fan_in_uniform_(self.weight, self.bias)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images of the layer's channels, as large as the kernel, that can be padded."""
        super().check(x)
        if x.shape[-3] != self.in_channels:
            raise RuntimeError(f"Conv2d: expected input with {self.in_channels} channels, got shape {x.shape}")
        if self.out_channels == 0:
            raise RuntimeError("Conv2d: expected out_channels of 1 or more, got 0")
        (height, width), ((top, bottom), (left, right)) = x.shape[-2:], self._sides
        padded = height + top + bottom, width + left + right
        if padded[0] < self._extent[0] or padded[1] < self._extent[1]:
            raise RuntimeError(
                f"Conv2d: expected input of at least the kernel's size {self.kernel_size} with dilation "
                f"{self.dilation}, got {padded} after padding"
            )
        spare = {"reflect": 1, "circular": 0}.get(self.padding_mode)
        if spare is not None and (max(top, bottom) > height - spare or max(left, right) > width - spare):
            raise RuntimeError(
                f"Conv2d: expected padding_mode {self.padding_mode!r} to find its pixels in the image, "
                f"got padding {self._sides} of an image of size {x.shape[-2:]}"
            )

    def arguments(self) -> tuple:
        """Return what `conv2d` takes behind ``x``."""
        own = self.weight.data, self.value("bias", absent=0.0)
        return *own, self.stride, self._sides, self.dilation, self.groups, self.padding_mode

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        options = {"padding": (0, 0), "dilation": (1, 1), "groups": 1, "bias": True, "padding_mode": "zeros"}
        values = {name: getattr(self, name) for name in options} | {"bias": self.bias is not None}
        changed = [f", {name}={values[name]}" for name, default in options.items() if values[name] != default]
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
            + "".join(changed)
        )


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if not is_integer(groups) or groups < 1:
        raise ValueError(f"Conv2d: expected groups to be a positive integer, got {groups!r}")
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        check_integer("Conv2d", name, channels)
        if channels < 0:
            raise RuntimeError(f"Conv2d: expected {name} of 0 or more, got {channels}")
        if channels % groups:
            raise ValueError(f"Conv2d: expected {name} to be divisible by groups, got {channels} and {groups}")
