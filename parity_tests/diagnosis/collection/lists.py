"""Weights and biases in lists, their gradients in lists of the same order."""

import numpy as np


class MLP:
    def __init__(self, sizes):
        self.weights = [np.random.randn(m, n) for m, n in zip(sizes, sizes[1:])]  # noqa: RUF007
        self.biases = [np.zeros(n) for n in sizes[1:]]

    def forward(self, x):
        self.activations = [x]
        for w, b in zip(self.weights, self.biases):
            x = np.tanh(x @ w + b)
            self.activations.append(x)
        return x

    def backward(self, g):
        self.grad_weights = [None] * len(self.weights)
        self.grad_biases = [None] * len(self.biases)
        for i in reversed(range(len(self.weights))):
            dz = g * (1 - self.activations[i + 1] ** 2)
            self.grad_weights[i] = self.activations[i].T @ dz
            self.grad_biases[i] = dz.sum(axis=0)
            g = dz @ self.weights[i].T
        return g
