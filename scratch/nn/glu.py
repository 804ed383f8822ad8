r"""GLU: one half of an axis gates the other.

    x  (..., 2 K)  input: the values, and after them the gates      y  (..., K)  output

glu
    F1  a = the first half of x, copied             (..., K)     since backward reads it, and x is the caller's
    F2  b = the second half of x                    (..., K)
    F3  gate = 1 / (1 + exp(-b))                    (..., K)     from 0, shut, to 1, open
    F4  y = a gate                                  (..., K)

    B4a grad_a = grad_y gate                        (..., K)     F4: a product, times the other factor
    B4b grad_gate = grad_y a                        (..., K)     F4: likewise
    B3  grad_b = grad_gate gate (1 - gate)          (..., K)     F3: the sigmoid's slope (`scratch.nn.sigmoid`)
    B1  grad_x = grad_a, followed by grad_b         (..., 2 K)   F1 and F2: each half goes back to its place

Where the gate is open, grad_a is nearly grad_y, while a tanh or a sigmoid would shrink it.

Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017, section 2. PyTorch's counterpart:
``torch.nn.GLU``.
"""

import numpy as np

from scratch.nn.flatten import axis_of
from scratch.nn.layer import Layer


def glu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the first half of the last axis, gated by the second."""
    a = x[..., : x.shape[-1] // 2].copy()  # F1 (..., K)
    b = x[..., x.shape[-1] // 2 :]  # F2 (..., K)
    gate = 1 / (1 + np.exp(-b))  # F3 (..., K)
    y = a * gate  # F4 (..., K)
    return y, (a, gate)


def glu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `glu`."""
    a, gate = saved
    grad_a = grad_y * gate  # B4a (..., K)
    grad_gate = grad_y * a  # B4b (..., K)
    grad_b = grad_gate * (gate * (1 - gate))  # B3 (..., K)
    grad_x = np.concatenate([grad_a, grad_b], axis=-1)  # B1 (..., 2 K)
    return grad_x


class GLU(Layer):
    """Multiply one half of an axis by the sigmoid of the other.

    Parameters
    ----------
    dim : int
        The axis.

    Raises
    ------
    TypeError
        If ``dim`` is not an int.
    IndexError
        If the input has no such axis.
    RuntimeError
        If the length of the axis is odd.

    Examples
    --------
    >>> layer = GLU()
    >>> layer(np.array([8.0, 6.0, 0.0, 0.0]))
    array([4., 3.])
    >>> layer.backward(np.array([2.0, 0.0]))
    array([1., 0., 4., 0.])
    """

    functions = glu, glu_backward

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise TypeError(f"GLU: expected dim to be an int, got {dim!r}")
        self.dim = dim

    def check(self, x: np.ndarray) -> None:
        """Raise unless the axis can be halved."""
        if x.ndim == 0 or x.shape[axis_of(self, self.dim, x.ndim)] % 2:
            raise RuntimeError(f"GLU: expected an even number along axis {self.dim}, got input of shape {x.shape}")

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Swap the axis with the last one."""
        return x.swapaxes(self.dim, -1)

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        return y.swapaxes(self.dim, -1)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"
