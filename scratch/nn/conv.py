r"""Conv2d: the same small linear map, applied to every patch of an image.

    N     batch                              x  (N, C, H, W)     input
    C, O  in_channels, out_channels          w  (O, C, kh, kw)   weight, the kernels
    H, W  the image's rows and columns       b  (O,)             bias
    P, Q  the output's rows and columns      y  (N, O, P, Q)     output
    s, d  stride and dilation                K = kh kw C         numbers in a patch

Forward
    F1  x1 = pad(x)                          (N, C, H1, W1)
    F2  patches_(npq),(ijc) = x1_n,c,(sp+di),(sq+dj)
                                             (N P Q, K)      a row for every place where the kernel is laid
    F3  rows = patches w'                    (N P Q, O)      w' (K, O) is w with its axes in the order i, j, c, o
    F4  y_nopq = rows_(npq),o + b_o          (N, O, P, Q)    b is broadcast over images and places

Backward, from grad_y = dL/dy of shape (N, O, P, Q)
    B1  grad_rows = grad_y, as (N P Q, O)                    F4: a sum hands its gradient on unchanged
    B2  grad_b = sum_npq grad_rows           (O,)            F4: b was broadcast, and a broadcast becomes a sum
    B3  grad_w' = patches^T grad_rows        (K, O)          F3: a matrix product, as in `Linear`
    B4  grad_patches = grad_rows w'^T        (N P Q, K)      F3: the same
    B5  grad_x1 = fold(grad_patches)         (N, C, H1, W1)  F2: a pixel was copied into every patch that covers it,
                                                             so its gradient is the sum over these
    B6  grad_x = unpad(grad_x1)              (N, C, H, W)    F1: likewise; what was padded with zeros is cut off

With a stride of 1, B4 to B6 are a convolution themselves. Written out, pixel (h, w) collects

    grad_x_nchw = sum_(o,i,j) grad_y_n,o,(h+a-di),(w+a-dj) w_ocij

for a padding of a: grad_y, padded with d(k-1) - a zeros, under the kernel turned by 180 degrees, with the channels'
roles exchanged. This needs no fold, and is used where it is quicker.

A 3 x 3 kernel over many channels takes less than half of these multiplications, if pixels are added up first; that is
`scratch.kernels.winograd`, which does a chunk of images from F1 to F4, or from B1 to B6, if its numbers are finite.

Groups: the channels fall into G groups, and each is convolved by itself; every matrix above gets a leading axis G.

How the code goes about it: a few images at a time, so that their patches stay in the cache between F2 and F3; the
patches are cut again in B3, which is cheaper than to keep kh kw copies of the input. Outputs and input gradients have
the shape (N, C, H, W) over memory in the order N, H, W, C, in which patches are runs of adjacent numbers; inputs may
come in any order. `scratch.nn.conv_literal` says the same in loops, one output number at a time.

The default initialisation is `Linear`'s, with fan_in = K.

PyTorch's counterpart: ``torch.nn.Conv2d``. Left out: ``device``; a negative padding, which PyTorch refuses for
padding_mode 'zeros' and takes as cropping for the others, is always refused. LeCun et al., "Gradient-based learning
applied to document recognition", 1998; patches as a matrix: Chellapilla et al., 2006; a guide to the arithmetic of
strides and paddings, which B4 to B6 follow: Dumoulin and Visin, arXiv:1603.07285.
"""

import numpy as np

from scratch.checks import check_dtype, check_float_dtype, check_grad_output
from scratch.kernels import memory, threads, winograd
from scratch.kernels.patch_plan import PatchPlan, as_rows
from scratch.nn import init
from scratch.nn.images import as_batch, pair
from scratch.nn.module import Module
from scratch.nn.padding import COPYING_MODES
from scratch.nn.parameter import Parameter


class Conv2d(Module):
    """Two-dimensional convolution (in fact cross-correlation: the kernel is not turned), y = w * x + b.

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
        Whether b is learned and added.
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
        dtype: type = np.float32,
    ) -> None:
        super().__init__()
        dtype = check_float_dtype(self, dtype)
        _check_channels(in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(self, "kernel_size", kernel_size, least=1)
        self.stride = pair(self, "stride", stride, least=1)
        self.dilation = pair(self, "dilation", dilation, least=1)
        if padding_mode not in ("zeros", *COPYING_MODES):
            expected = ", ".join(repr(mode) for mode in ("zeros", *COPYING_MODES))
            raise ValueError(f"Conv2d: expected padding_mode to be one of {expected}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self.padding, self._sides = self._read_padding(padding)
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
        padding = pair(self, "padding", padding, least=0)
        return padding, tuple([(side, side) for side in padding])

    def reset_parameters(self) -> None:
        """Draw new initial values, weight first."""
        init.fan_in_uniform_(self.weight, self.bias)

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, H, W) to (N, O, P, Q), or (C, H, W) to (O, P, Q)."""
        check_dtype(self, x, self.weight.dtype)
        images = as_batch(self, x)
        plan = self._plan(images)
        y = memory.empty((len(images), self.out_channels, *plan.size), x.dtype, channels_last=True)
        weight = plan.as_matrix(self.weight.data)  # w' (G, K, O/G)
        u = winograd.transform_kernels(weight[0]) if plan.tiled else None
        bias = None if self.bias is None else self.bias.data
        # Written out for a whole row of the output, so that the addition runs through memory.
        bias_of_row = None if bias is None else np.tile(bias, (plan.size[1], 1))

        def convolve(chunk: slice) -> None:
            if u is not None and winograd.convolve(images[chunk], u, bias, plan.sides, y[chunk]):
                return
            patches = plan.cut(images[chunk])  # F1, F2 (G, n P Q, K)
            np.matmul(patches, weight, out=as_rows(y[chunk], self.groups))  # F3 (G, n P Q, O/G)
            if bias is not None:
                place_by_place = y[chunk].transpose(0, 2, 3, 1)
                place_by_place += bias_of_row  # F4 (n, P, Q, O)

        chunks = threads.chunks(len(images), plan.image_bytes(x.dtype))
        threads.run(convolve, chunks)
        self.save_for_backward(images=images, plan=plan, chunks=chunks, output_shape=y.shape, unbatched=x.ndim == 3)
        return y[0] if x.ndim == 3 else y

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray | None:
        """Map the gradient of (N, O, P, Q) to that of (N, C, H, W); add to weight's and bias's."""
        images, plan, chunks = self.saved("images", "plan", "chunks")
        output_shape, unbatched = self.saved("output_shape", "unbatched")
        check_grad_output(self, grad_output, output_shape[1:] if unbatched else output_shape, images.dtype)
        grad_y = grad_output[None] if unbatched else grad_output
        weight = plan.as_matrix(self.weight.data)  # w' (G, K, O/G)
        turned = plan.as_turned_matrix(self.weight.data) if plan.turned else None
        u_transposed = winograd.transform_kernels(weight[0]).swapaxes(1, 2).copy() if plan.tiled else None
        grad_x = memory.empty(images.shape, images.dtype, channels_last=True) if self.needs_input_grad else None
        # For each chunk its own sum, so that the sum over chunks is taken in their order.
        grad_weights = memory.empty((len(chunks), *weight.shape), weight.dtype)
        grad_biases = np.empty((len(chunks), self.groups, 1, weight.shape[2]), weight.dtype)

        def undo(part: tuple[int, slice]) -> None:
            index, chunk = part
            grad_chunk = None if grad_x is None else grad_x[chunk]
            if u_transposed is not None and winograd.convolve_back(
                images[chunk],
                u_transposed,
                grad_y[chunk],
                plan.sides,
                grad_weights[index],
                grad_biases[index],
                grad_chunk,
            ):
                return
            grad_rows = as_rows(grad_y[chunk], self.groups)  # B1 (G, n P Q, O/G)
            # The sum over rows, as a product: the BLAS is quicker at it.
            ones = np.ones((1, grad_rows.shape[1], 1), grad_rows.dtype)
            grad_biases[index] = threads.sum_products(ones, grad_rows)  # B2 (G, 1, O/G)
            patches = plan.cut(images[chunk])
            grad_weights[index] = threads.sum_products(patches, grad_rows)  # B3 (G, K, O/G)
            if grad_x is None:
                return
            if plan.turned:
                plan.convolve_back(grad_y[chunk], turned, grad_x[chunk])  # B4 to B6, as one convolution
            else:
                grad_patches = plan.empty_patches(len(grad_x[chunk]), grad_x.dtype)
                np.matmul(grad_rows, weight.transpose(0, 2, 1), out=grad_patches)  # B4 (G, n P Q, K)
                plan.fold(grad_patches, grad_x[chunk])  # B5, B6 (n, C, H, W)

        threads.run(undo, enumerate(chunks))
        if self.bias is not None:
            self.bias.add_grad(grad_biases.sum(axis=0).reshape(-1))
        self.weight.add_grad(plan.as_kernels(grad_weights.sum(axis=0)))
        return grad_x[0] if unbatched and grad_x is not None else grad_x

    def _plan(self, images: np.ndarray) -> PatchPlan:
        if images.shape[1] != self.in_channels:
            raise RuntimeError(f"Conv2d: expected input with {self.in_channels} channels, got shape {images.shape}")
        if self.out_channels == 0:
            raise RuntimeError("Conv2d: expected out_channels of 1 or more, got 0")
        plan = PatchPlan(
            images.shape[2:], self.weight.shape, self.stride, self.dilation, self._sides, self.padding_mode, self.groups
        )
        if min(plan.size) < 1:
            raise RuntimeError(
                f"Conv2d: expected input of at least the kernel's size {self.kernel_size} with dilation "
                f"{self.dilation}, got {plan.padded} after padding"
            )
        longest = {"reflect": -1, "circular": 0}.get(self.padding_mode)
        if longest is not None and any(
            max(s) > n + longest for n, s in zip(images.shape[2:], self._sides, strict=True)
        ):
            raise RuntimeError(
                f"Conv2d: expected padding_mode {self.padding_mode!r} to find its pixels in the image, "
                f"got padding {self._sides} of an image of size {images.shape[2:]}"
            )
        return plan

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
    if not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"Conv2d: expected groups to be a positive integer, got {groups!r}")
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if not isinstance(channels, (int, np.integer)):
            raise TypeError(f"Conv2d: expected {name} to be an integer, got {channels!r}")
        if channels < 0:
            raise RuntimeError(f"Conv2d: expected {name} of 0 or more, got {channels}")
        if channels % groups:
            raise ValueError(f"Conv2d: expected {name} to be divisible by groups, got {channels} and {groups}")
