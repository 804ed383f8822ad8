"""LogSigmoid in place; NumPy's logaddexp, which the plain function has, decides element by element."""

import numpy as np

from scratch.kernels import memory


def log_sigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the sigmoid of ``x``: min(0, x) - log(1 + exp(-|x|))."""
    log = np.abs(x, out=memory.empty_like(x))
    np.negative(log, out=log)
    np.exp(log, out=log)
    np.log1p(log, out=log)
    y = np.minimum(0.0, x, out=memory.empty_like(x))
    y -= log
    return y, (x,)


def log_sigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `log_sigmoid`."""
    (x,) = saved
    grad_x = np.exp(x, out=memory.empty_like(x))
    grad_x += 1.0
    return np.divide(grad_y, grad_x, out=grad_x)
