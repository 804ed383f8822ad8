"""ImageLayer: the base of the layers whose functions take images, (N, C, H, W)."""

from typing import ClassVar

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer

Size = int | tuple[int, ...]
"""An option for each axis of an image, or one for all of them."""


class ImageLayer(Layer):
    """A layer of images, (N, C, H, W), or of sequences, (N, C, L), which its functions get as images of one row.

    One image, (C, H, W), or one sequence, (C, L), is a batch of one.

    Attributes
    ----------
    axes : int
        How many axes an image has after its channels: 2, or 1 for a sequence.
    """

    axes: ClassVar[int] = 2

    @property
    def layout(self) -> str:
        """Return the shapes that the layer takes, in words."""
        places = "H, W" if self.axes == 2 else "L"
        return f"(N, C, {places}) or (C, {places})"

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is images, with or without a batch, of at least one pixel."""
        if x.ndim not in (self.axes + 1, self.axes + 2):
            raise RuntimeError(f"{name_of(self)}: expected input of shape {self.layout}, got {x.shape}")
        if 0 in x.shape[-self.axes :]:
            least = "one row and one column" if self.axes == 2 else "one place"
            raise RuntimeError(f"{name_of(self)}: expected input with at least {least}, got {x.shape}")

    def on_images(self, own: tuple, row: object) -> tuple:
        """Return an option for rows and columns: for a sequence, ``row`` for its one row, then its own."""
        return own if self.axes == 2 else (row, *own)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (C, H, W) to (1, C, H, W), and (N, C, L) to (N, C, 1, L)."""
        batch = x if x.ndim == self.axes + 2 else x[None]
        return batch if self.axes == 2 else batch[:, :, None]

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (1, C, P, Q) to (C, P, Q), if the input had no batch, and (N, C, 1, Q) to (N, C, Q)."""
        batch = y if self.axes == 2 else y[:, :, 0]
        return batch if len(input_shape) == self.axes + 2 else batch[0]
