r"""SELU and CELU: the exponential linear unit, scaled so that it normalizes, or so that it has no kink.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x. `elu`, the common ancestor, is in `scratch.nn.relu`.

    x, y  input, output        a  alpha

selu
    F1  positive = x > 0                                          (...)   which branch is taken
    F2  e = exp(min(0, x)) - 1                                    (...)   expm1: no cancellation for small x
    F3  y = SCALE (x where positive, else ALPHA e)                (...)
    B3  grad_e = SCALE ALPHA grad_y where not positive, else 0    (...)   F3: the exponential's branch
    B2  grad_min = grad_e (e + 1)                                 (...)   F2: the derivative of exp(x) - 1 is exp(x)
    B1  grad_x = SCALE grad_y where positive, else grad_min       (...)   F3 and F2: x is in both branches; one of them
                                                                          was taken

celu
    F1  positive = x > 0                                          (...)   which branch is taken
    F2  e = exp(min(0, x) / a) - 1                                (...)
    F3  y = x where positive, else a e                            (...)
    B3  grad_e = a grad_y where not positive, else 0              (...)   F3: the exponential's branch
    B2  grad_min = grad_e (e + 1) / a                             (...)   F2: the derivative of exp(x / a) is
                                                                          exp(x / a) / a
    B1  grad_x = grad_y where positive, else grad_min             (...)   F3 and F2: as above

With ALPHA and SCALE as they are, a unit whose inputs have mean 0 and variance 1 has outputs with mean 0 and variance 1:
the fixed point that gives self-normalizing networks their name. CELU divides by alpha inside the exponential and
multiplies by it outside, so its slope at 0 is 1 from either side, whatever alpha is.

At x = 0 SELU has a kink. Like PyTorch we take the derivative from the left, SCALE ALPHA. NaN stays NaN, and has the
gradient NaN; PyTorch gives NaN or the slope of the right half, depending on the dtype and the array's length.

Differs from PyTorch: in backward PyTorch's CELU takes the reciprocal of alpha rounded to float32, even in float64.

Sources: Klambauer, Unterthiner, Mayr and Hochreiter, "Self-Normalizing Neural Networks", 2017, equation 2 and appendix
for the digits; Barron, "Continuously Differentiable Exponential Linear Units", 2017. PyTorch's counterparts:
``torch.nn.SELU``, ``torch.nn.CELU``. ``inplace=True`` is accepted but has no effect: an input is never written to.
"""

import numpy as np

from scratch.nn.layer import Layer

ALPHA = 1.6732632423543772
SCALE = 1.0507009873554805


def selu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``SCALE`` times ``x`` where it is positive, and times an exponential elsewhere."""
    positive = x > 0  # F1 (...)
    e = np.expm1(np.minimum(0, x))  # F2 (...)
    y = SCALE * np.where(positive, x, ALPHA * e)  # F3 (...)
    return y, (positive, e)


def selu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `selu`."""
    positive, e = saved
    grad_e = np.where(positive, 0, SCALE * ALPHA * grad_y)  # B3 (...)
    grad_min = grad_e * (e + 1)  # B2 (...)
    grad_x = np.where(positive, SCALE * grad_y, grad_min)  # B1 (...)
    return grad_x


def celu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere that continues with the same slope."""
    positive = x > 0  # F1 (...)
    e = np.expm1(np.minimum(0, x) / alpha)  # F2 (...)
    y = np.where(positive, x, alpha * e)  # F3 (...)
    return y, (positive, e)


def celu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `celu`."""
    positive, e = saved
    grad_e = np.where(positive, 0, alpha * grad_y)  # B3 (...)
    grad_min = grad_e * (e + 1) / alpha  # B2 (...)
    grad_x = np.where(positive, grad_y, grad_min)  # B1 (...)
    return grad_x


class SELU(Layer):
    """The scaled exponential linear unit of self-normalizing networks; any shape.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = SELU()
    >>> layer(np.array([-1e4, 0.0, 2.0])).round(4)
    array([-1.7581,  0.    ,  2.1014])
    >>> layer.backward(np.array([5.0, 1.0, 2.0])).round(4)
    array([0.    , 1.7581, 2.1014])
    """

    functions = selu, selu_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class CELU(Layer):
    """A line for positive inputs, and an exponential that levels off at ``-alpha`` for the others, without a kink.

    Parameters
    ----------
    alpha : float
        The depth a, and the width over which the curve bends.
    inplace : bool
        Has no effect: an input is never written to.

    Raises
    ------
    RuntimeError
        If ``alpha`` is 0.

    Examples
    --------
    >>> layer = CELU(alpha=2.0)
    >>> layer(np.array([-2 * np.log(2.0), 0.0, 3.0]))
    array([-1.,  0.,  3.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([2.5, 6. , 7. ])
    """

    functions = celu, celu_backward

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if alpha == 0:
            raise RuntimeError("CELU: expected alpha other than 0, got 0")
        self.alpha = alpha

    def arguments(self) -> tuple:
        """Return `celu`'s arguments after ``x``."""
        return (self.alpha,)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}"
