"""Slots, and gradients under grad_."""

import numpy as np


class Bilinear:
    __slots__ = ("grad_kernel", "kernel", "left", "right")

    def __init__(self, n):
        self.kernel = np.random.randn(n, n)

    def forward(self, left, right):
        self.left, self.right = left, right
        return ((left @ self.kernel) * right).sum(axis=1)

    def backward(self, g):
        weighted = g[:, None] * self.right
        self.grad_kernel = self.left.T @ weighted
        grad_left = weighted @ self.kernel.T
        grad_right = g[:, None] * (self.left @ self.kernel)
        return grad_left, grad_right
