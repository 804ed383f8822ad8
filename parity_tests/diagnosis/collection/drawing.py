"""A forward that draws."""

import numpy as np


class Dropout:
    def __init__(self, p=0.5):
        self.p, self.training = p, True

    def forward(self, x):
        self.mask = np.random.rand(*x.shape) >= self.p
        return x * self.mask / (1 - self.p)

    def backward(self, g):
        return g * self.mask / (1 - self.p)
