"""Pooling: the options that MaxPool1d, MaxPool2d, AvgPool1d and AvgPool2d share."""

import numpy as np

from scratch.checks import as_tuple, check_flag, name_of
from scratch.nn.image_layer import ImageLayer, Size


class Pooling(ImageLayer):
    """Base of the poolings: reads their options, and refuses images in which no window fits."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None,
        padding: Size,
        dilation: Size,
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        check_flag(self, "ceil_mode", ceil_mode)
        self.ceil_mode = ceil_mode
        self._kernel = as_tuple(self, "kernel_size", kernel_size, self.axes, least=1)
        self._stride = as_tuple(self, "stride", self.stride, self.axes, least=1)
        self._dilation = as_tuple(self, "dilation", dilation, self.axes, least=1)
        self._padding = as_tuple(self, "padding", padding, self.axes, least=0)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self._dilation, self._kernel, strict=True)])
        if any(2 * side > extent for side, extent in zip(self._padding, self._extent, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected padding of at most half the window's extent {self._extent}, got {padding}"
            )

    def windows(self) -> tuple:
        """Return kernel_size, stride, padding and dilation as the functions take them, for rows and columns."""
        options = (self._kernel, 1), (self._stride, 1), (self._padding, 0), (self._dilation, 1)
        return tuple([self.on_images(own, row) for own, row in options])

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` holds images with at least one channel, in which a window fits."""
        super().check(x)
        if x.shape[-self.axes - 1] == 0:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one channel, got {x.shape}")
        for axis, extent in enumerate(self._extent):
            beyond = self._stride[axis] - 1 if self.ceil_mode else 0
            if x.shape[axis - self.axes] + 2 * self._padding[axis] + beyond < extent:
                raise RuntimeError(
                    f"{name_of(self)}: expected an image of at least the window's extent {self._extent}, "
                    f"got {x.shape[-self.axes :]} with padding {self._padding}"
                )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
