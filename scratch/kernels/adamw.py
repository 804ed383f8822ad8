"""AdamW in place, to the same bits as `scratch.optim.adamw`."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.adam import move


def adamw(
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
    slope = np.negative(g, out=other) if maximize else g
    largest = move(slope, m, v, v_max, t, lr, betas, eps, amsgrad, room, other)
    w *= 1 - lr * weight_decay  # not earlier, since g may be w
    w -= room
    return w, m, v, largest
