"""A network with its loss and a training step."""

import numpy as np


class Regression:
    def __init__(self, n_in, n_hidden, lr=0.1):
        rng = np.random.default_rng(0)
        self.W1, self.b1 = rng.normal(size=(n_in, n_hidden)), rng.normal(size=n_hidden)
        self.W2, self.b2 = rng.normal(size=(n_hidden, 1)), rng.normal(size=1)
        self.lr = lr
        self.zero_grad()

    def zero_grad(self):
        self.dW1, self.db1 = np.zeros_like(self.W1), np.zeros_like(self.b1)
        self.dW2, self.db2 = np.zeros_like(self.W2), np.zeros_like(self.b2)

    def predict(self, x):
        self.h = np.tanh(x @ self.W1 + self.b1)
        return self.h @ self.W2 + self.b2

    def loss(self, x, y):
        return np.mean((self.predict(x) - y.reshape(-1, 1)) ** 2)

    def train_step(self, x, y):
        self.zero_grad()
        dy = 2 * (self.predict(x) - y.reshape(-1, 1)) / len(x)
        self.dW2 += self.h.T @ dy
        self.db2 += dy.sum(axis=0)
        dz = dy @ self.W2.T * (1 - self.h**2)
        self.dW1 += x.T @ dz
        self.db1 += dz.sum(axis=0)
        self.W2 = self.W2 - self.lr * self.dW2
        self.b2 = self.b2 - self.lr * self.db2
        self.W1 = self.W1 - self.lr * self.dW1
        self.b1 = self.b1 - self.lr * self.db1
