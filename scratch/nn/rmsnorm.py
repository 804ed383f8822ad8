r"""RMSNorm: the last axes of each example are divided by their root mean square; LayerNorm without the mean.

    x     input       weight  broadcast against y
    y     output      eps     against division by zero

rms_norm, of R rows of K numbers
    F1  square = x^2                                          (R, K)
    F2  mean_square = sum_k square / K                        (R, 1)
    F3  rms = sqrt(mean_square + eps)                         (R, 1)
    F4  normalized = x / rms                                  (R, K)
    F5  y = normalized weight                                 (R, K)

    B5a grad_weight = sum_r grad_y normalized                 (K,)    F5: a product, times the other factor; weight was
                                                                      broadcast, and a broadcast becomes a sum
    B5b grad_normalized = grad_y weight                       (R, K)  F5: times the other factor
    B4  grad_rms = -sum_k grad_normalized x / rms^2           (R, 1)  F4: a quotient, by its denominator; broadcast
    B3  grad_mean_square = grad_rms / (2 rms)                 (R, 1)  F3: the derivative of the square root
    B2  grad_square = grad_mean_square / K                    (R, 1)  F2: each of the mean's K terms has the same share
    B1  grad_x = grad_normalized / rms + 2 x grad_square      (R, K)  F4 and F1: x is used twice, so two gradients are
                                                                      added: as the numerator, and of the square

The simplification. Put B4 to B1 together:

    grad_x = (grad_normalized - normalized mean_k(grad_normalized normalized)) / rms

grad_normalized loses its component along normalized: scaling a row changes no output, so grad_x is orthogonal to x
(apart from eps). Shifting a row does, unlike in LayerNorm (`scratch.nn.layernorm`), so grad_x need not sum to zero.

Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, equation 4. PyTorch's counterpart:
``torch.nn.RMSNorm``. Left out: ``device``.
"""

import math
from collections.abc import Sequence

import numpy as np

from scratch.checks import DType, check_float_dtype
from scratch.dispatch import Pair
from scratch.nn.parameter import Parameter
from scratch.nn.row_norm import LastAxesNorm, reshaped


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Divide each row by its root mean square, then scale its numbers."""
    square = x**2  # F1 (R, K)
    mean_square = square.sum(axis=1, keepdims=True) / x.shape[1]  # F2 (R, 1)
    rms = np.sqrt(mean_square + eps)  # F3 (R, 1)
    normalized = x / rms  # F4 (R, K)
    y = normalized * weight  # F5 (R, K)
    return y, (x, rms, normalized)


def rms_norm_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `rms_norm`."""
    x, rms, normalized = saved
    grad_weight = (grad_y * normalized).sum(axis=0)  # B5a (K,)
    grad_normalized = grad_y * weight  # B5b (R, K)
    grad_rms = -(grad_normalized * x).sum(axis=1, keepdims=True) / rms**2  # B4 (R, 1)
    grad_mean_square = grad_rms / (2 * rms)  # B3 (R, 1)
    grad_square = grad_mean_square / x.shape[1]  # B2 (R, 1)
    grad_x = grad_normalized / rms + 2 * x * grad_square  # B1 (R, K)
    return grad_x, grad_weight


class RMSNorm(LastAxesNorm):
    """Divide the last axes of each example by their root mean square.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes of the input, which are normalized together.
    eps : float or None
        Added to the mean square; None takes the machine epsilon of the input's dtype.
    elementwise_affine : bool
        Whether a weight is learned and applied.
    dtype : numpy dtype
        float32 or float64, of the weight, the input and the output.

    Attributes
    ----------
    weight : Parameter of shape ``normalized_shape``, or None

    Raises
    ------
    RuntimeError
        If ``normalized_shape`` is empty or negative, the input's last axes differ from it, or its dtype is not the
        layer's.
    TypeError
        If ``normalized_shape`` is not made of integers.

    Examples
    --------
    >>> layer = RMSNorm(2, dtype=np.float64)
    >>> layer(np.array([[1.0, 7.0]]))
    array([[0.2, 1.4]])
    >>> layer.backward(np.array([[5.0, 0.0]])).round(6)
    array([[ 0.98, -0.14]])
    """

    functions = rms_norm, rms_norm_backward
    learned = ("weight",)

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine)
        dtype = check_float_dtype(self, dtype)
        self.weight = Parameter(np.empty(self.normalized_shape, dtype)) if elementwise_affine else None
        self.reset_parameters()

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair, and its forward's arguments: an eps that is None depends on the dtype."""
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        weight = reshaped(self.weight, (math.prod(self.normalized_shape),), absent=1.0)
        return self.functions, (weight, eps)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
