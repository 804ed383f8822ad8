"""Softmax in place, and its backward simplified: the total, and with it one division, is not needed."""

import numpy as np


def softmax(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the probabilities of the scores of each row."""
    y = np.subtract(x, np.maximum.reduce(x, axis=-1, keepdims=True, initial=-np.inf), out=np.empty_like(x))
    np.exp(y, out=y)
    y /= np.add.reduce(y, axis=-1, keepdims=True)
    return y, (y,)


def softmax_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softmax`."""
    (y,) = saved
    grad_x = np.multiply(grad_y, y, out=np.empty_like(y))
    mean = np.add.reduce(grad_x, axis=-1, keepdims=True)
    np.subtract(grad_y, mean, out=grad_x)
    grad_x *= y
    return grad_x
