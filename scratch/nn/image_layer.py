"""ImageLayer: the base of the layers whose functions take images, (N, C, H, W)."""

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer


class ImageLayer(Layer):
    """A layer of (N, C, H, W); one image without a batch, (C, H, W), is a batch of one."""

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images, with or without a batch, of one pixel at least."""
        if x.ndim not in (3, 4):
            raise RuntimeError(f"{name_of(self)}: expected input of shape (N, C, H, W) or (C, H, W), got {x.shape}")
        if 0 in x.shape[-2:]:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one row and one column, got {x.shape}")

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (C, H, W) to (1, C, H, W)."""
        return x if x.ndim == 4 else x[None]

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (1, C, P, Q) to (C, P, Q), if the input had no batch."""
        return y if len(input_shape) == 4 else y[0]
