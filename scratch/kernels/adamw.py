"""AdamW in place, to the same bits as `scratch.optim.adamw`."""

import numpy as np

from scratch.kernels.adam import adam


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
    w *= 1 - lr * weight_decay
    return adam(w, g, m, v, v_max, t, lr=lr, betas=betas, eps=eps, weight_decay=0, amsgrad=amsgrad, maximize=maximize)
