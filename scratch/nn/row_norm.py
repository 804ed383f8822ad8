"""RowNorm: the base of the normalizations whose functions take rows, each normalized by its own statistics."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from scratch.checks import check_fits, check_number, is_integer, name_of
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


class RowNorm(Layer):
    """A layer with an optional weight and bias, which its functions take as a row or a column."""

    learned: ClassVar[tuple[str, ...]] = ("weight", "bias")
    weight: Parameter | None = None
    bias: Parameter | None = None

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            self.weight.data.fill(1)
        if self.bias is not None:
            self.bias.data.fill(0)

    def unfold_grad(self, grad: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Map a row or a column to the parameter's shape."""
        return grad.reshape(parameter.shape)


class LastAxesNorm(RowNorm):
    """A normalization of the last axes of its input together, ``normalized_shape``."""

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None, elementwise_affine: bool) -> None:
        super().__init__()
        shape: tuple = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        if not all(map(is_integer, shape)):
            raise TypeError(f"{name_of(self)}: expected normalized_shape of integers, got {normalized_shape!r}")
        if not shape or min(shape) < 0:
            raise RuntimeError(f"{name_of(self)}: expected one or more sizes of 0 or more, got {normalized_shape!r}")
        check_fits(self, "normalized_shape", *shape)
        if eps is not None:
            check_number(self, "eps", eps)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine

    def check(self, x: np.ndarray) -> None:
        """Raise unless the last axes of ``x`` are ``normalized_shape``."""
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            raise RuntimeError(
                f"{name_of(self)}: expected input of shape (..., {self.normalized_shape}), got {x.shape}"
            )

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (..., *normalized_shape) to (R, K)."""
        return x.reshape(math.prod(x.shape[: -len(self.normalized_shape)]), math.prod(self.normalized_shape))

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (R, K) to (..., *normalized_shape)."""
        return y.reshape(input_shape)


def reshaped(parameter: Parameter | None, shape: tuple[int, ...], absent: float) -> np.ndarray | float:
    """Return a parameter's numbers in another shape, or ``absent`` for a parameter that is None."""
    return absent if parameter is None else parameter.data.reshape(shape)
