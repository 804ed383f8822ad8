"""Convolution: what Conv1d, Conv2d, ConvTranspose1d and ConvTranspose2d share around their functions."""

import numpy as np

from scratch.checks import DType, as_tuple, check_fits, check_integer, is_integer, name_of
from scratch.nn import init
from scratch.nn.image_layer import ImageLayer, Size
from scratch.nn.parameter import Parameter


class Convolution(ImageLayer):
    """Base of the convolutions: reads the options that they share, and owns the kernels and the bias.

    The functions convolve images. A layer for sequences passes its kernels as kernels of one row.
    """

    learned = "weight", "bias"

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size, dilation: Size, groups: int
    ) -> None:
        super().__init__()
        self._check_channels(in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        if isinstance(kernel_size, (tuple, list)) and len(kernel_size) != self.axes:
            raise RuntimeError(
                f"{name_of(self)}: expected kernel_size to have {self.axes} entries, got {kernel_size!r}"
            )
        self.kernel_size = as_tuple(self, "kernel_size", kernel_size, self.axes, least=1)
        self.stride = as_tuple(self, "stride", stride, self.axes, least=1)
        self.dilation = as_tuple(self, "dilation", dilation, self.axes, least=1)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)])

    def _check_channels(self, in_channels: int, out_channels: int, groups: int) -> None:
        if not is_integer(groups) or groups < 1:
            raise ValueError(f"{name_of(self)}: expected groups to be a positive integer, got {groups!r}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            check_integer(self, name, channels)
            if channels < 0:
                raise RuntimeError(f"{name_of(self)}: expected {name} of 0 or more, got {channels}")
            if channels % groups:
                raise ValueError(
                    f"{name_of(self)}: expected {name} to be divisible by groups, got {channels} and {groups}"
                )

    def make_parameters(self, channels: tuple[int, int], bias: bool, dtype: DType) -> None:
        """Draw a weight whose first two axes are ``channels``, and a bias if there is to be one."""
        check_fits(self, "weight", *channels, *self.kernel_size)
        self.weight = Parameter(np.empty((*channels, *self.kernel_size), dtype))
        self.bias = Parameter(np.empty(self.out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, weight first."""
        init.fan_in_uniform_(self.weight, self.bias)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images with the layer's channels."""
        super().check(x)
        if x.shape[-self.axes - 1] != self.in_channels:
            raise RuntimeError(f"{name_of(self)}: expected input with {self.in_channels} channels, got shape {x.shape}")
        if self.out_channels == 0:
            raise RuntimeError(f"{name_of(self)}: expected out_channels of 1 or more, got 0")

    def kernels(self) -> np.ndarray:
        """Return the weight as the functions take it, with rows and columns."""
        return self.weight.data if self.axes == 2 else self.weight.data[:, :, None]

    def unfold_grad(self, grad: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Return the gradient of `kernels` in the shape of the weight."""
        return grad.reshape(parameter.shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        nothing, one = (0,) * self.axes, (1,) * self.axes
        options = {"padding": nothing, "dilation": one, "output_padding": nothing, "groups": 1, "bias": True}
        options |= {"padding_mode": "zeros"}
        values = {name: getattr(self, name, default) for name, default in options.items()}
        values["bias"] = self.bias is not None
        changed = [f", {name}={values[name]}" for name, default in options.items() if values[name] != default]
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
            + "".join(changed)
        )
