"""forward_pass and backward_pass, parameters built on the first forward."""

import numpy as np


class Dense:
    def __init__(self, n_units):
        self.n_units, self.W, self.w0 = n_units, None, None

    def forward_pass(self, X, training=True):
        if self.W is None:
            self.W, self.w0 = np.random.randn(X.shape[1], self.n_units), np.zeros((1, self.n_units))
        self.layer_input = X
        return X @ self.W + self.w0

    def backward_pass(self, accum_grad):
        self.grad_W = self.layer_input.T @ accum_grad
        self.grad_w0 = accum_grad.sum(axis=0, keepdims=True)
        return accum_grad @ self.W.T
