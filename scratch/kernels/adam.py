"""Adam in place: the operations of `scratch.optim.adam` in the same order, and so the same bits, without new arrays."""

import numpy as np

from scratch.kernels import memory


def adam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_max: np.ndarray,
    t: int,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take a step: write to w, m, v, and with amsgrad to v_max, and return them."""
    room, other = memory.empty(w.shape, w.dtype), memory.empty(w.shape, w.dtype)
    penalized = np.negative(g, out=other) if maximize else g
    if weight_decay != 0:
        penalized = np.add(penalized, np.multiply(w, weight_decay, out=room), out=other)
    largest = move(penalized, m, v, v_max, t, lr, betas, eps, amsgrad, room, other)
    w -= room
    return w, m, v, largest


def move(
    penalized: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_max: np.ndarray,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    amsgrad: bool,
    step: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """Write what is to be subtracted from the parameters into ``step``; return v, or with amsgrad v_max.

    ``penalized`` may be ``root``, which is written to, and may be the parameters themselves, which are not.
    """
    beta1, beta2 = betas
    np.subtract(penalized, m, out=step)
    step *= 1 - beta1
    m += step
    np.square(penalized, out=step)
    step *= 1 - beta2
    v *= beta2
    v += step
    largest = np.maximum(v_max, v, out=v_max) if amsgrad else v
    np.divide(m, 1 - beta1**t, out=step)
    step *= lr
    np.divide(largest, 1 - beta2**t, out=root)
    np.sqrt(root, out=root)
    root += eps
    step /= root
    return largest
