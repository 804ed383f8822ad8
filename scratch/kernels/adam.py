"""Adam in place: the operations of `scratch.optim.adam` in their order, and so the same bits, without new arrays."""

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
    beta1, beta2 = betas
    room, other = memory.empty(w.shape, w.dtype), memory.empty(w.shape, w.dtype)
    penalized = np.negative(g, out=other) if maximize else g
    if weight_decay != 0:
        penalized = np.add(penalized, np.multiply(w, weight_decay, out=room), out=other)
    np.subtract(penalized, m, out=room)
    room *= 1 - beta1
    m += room
    np.square(penalized, out=room)
    room *= 1 - beta2
    v *= beta2
    v += room
    largest = np.maximum(v_max, v, out=v_max) if amsgrad else v
    step = np.divide(m, 1 - beta1**t, out=room)
    step *= lr
    root = np.divide(largest, 1 - beta2**t, out=other)
    np.sqrt(root, out=root)
    root += eps
    step /= root
    w -= step
    return w, m, v, largest
