"""Forward returns its own backward."""

import numpy as np


def linear_tanh(x, w):
    z = x @ w
    y = np.tanh(z)

    def back(g):
        dz = g * (1 - y**2)
        return dz @ w.T, x.T @ dz

    return y, back
