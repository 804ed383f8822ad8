"""Pooling: the options that MaxPool2d and AvgPool2d share."""

import numpy as np

from scratch.checks import as_pair, check_flag, name_of
from scratch.nn.image_layer import ImageLayer


class Pooling(ImageLayer):
    """Base of MaxPool2d and AvgPool2d: reads their options, and refuses images in which no window fits."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None,
        padding: int | tuple[int, int],
        dilation: int | tuple[int, int],
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        check_flag(self, "ceil_mode", ceil_mode)
        self.ceil_mode = ceil_mode
        self._kernel = as_pair(self, "kernel_size", kernel_size, least=1)
        self._stride = as_pair(self, "stride", self.stride, least=1)
        self._dilation = as_pair(self, "dilation", dilation, least=1)
        self._padding = as_pair(self, "padding", padding, least=0)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self._dilation, self._kernel, strict=True)])
        if any(2 * side > extent for side, extent in zip(self._padding, self._extent, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected padding of at most half the window's extent {self._extent}, got {padding}"
            )

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images with at least one channel, in which a window fits."""
        super().check(x)
        if x.shape[-3] == 0:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one channel, got {x.shape}")
        for axis in (0, 1):
            room = x.shape[axis - 2] + 2 * self._padding[axis] + (self._stride[axis] - 1 if self.ceil_mode else 0)
            if room < self._extent[axis]:
                raise RuntimeError(
                    f"{name_of(self)}: expected an image of at least the window's extent {self._extent}, "
                    f"got {x.shape[-2:]} with padding {self._padding}"
                )
