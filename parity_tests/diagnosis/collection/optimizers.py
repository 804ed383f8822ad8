"""Optimizers: update(params, grads) on dictionaries, and step()."""

import numpy as np


class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t, self.m, self.v = 0, {}, {}

    def update(self, params, grads):
        self.t += 1
        for key in params:
            m = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * grads[key]
            v = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * grads[key] ** 2
            self.m[key], self.v[key] = m, v
            m_hat = m / (1 - self.beta1**self.t)
            v_hat = v / (1 - self.beta2**self.t)
            params[key] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


class SGD:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [np.zeros_like(p.data) for p in parameters]

    def step(self):
        for p, v in zip(self.parameters, self.velocity):
            v[...] = self.momentum * v + p.grad
            p.data = p.data - self.lr * v
