"""Attributes W and dW, gradients assigned."""

import numpy as np


class Linear:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class LayerNorm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)

    def forward(self, x):
        self.mean = x.mean(axis=-1, keepdims=True)
        self.centred = x - self.mean
        self.var = (self.centred**2).mean(axis=-1, keepdims=True)
        self.std = np.sqrt(self.var + 1e-5)
        self.xhat = self.centred / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dy):
        n = dy.shape[-1]
        self.dgamma = (dy * self.xhat).sum(axis=0)
        self.dbeta = dy.sum(axis=0)
        dxhat = dy * self.gamma
        dstd = -(dxhat * self.centred).sum(axis=-1, keepdims=True) / self.std**2
        dvar = dstd / (2 * self.std)
        dcentred = dxhat / self.std + 2 * self.centred * dvar / n
        return dcentred - dcentred.mean(axis=-1, keepdims=True)


class Swish:
    def forward(self, x):
        self.x = x
        self.s = 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, grad):
        ds = grad * self.x
        dx = grad * self.s
        return dx + ds * self.s * (1 - self.s)
