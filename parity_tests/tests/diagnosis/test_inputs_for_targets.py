"""``--target KIND`` beside an ``--input`` for the target itself: its shape, or that of the classes."""

import pytest

SOURCE = """
import numpy as np


def shares(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.p, self.t = shares(x), t
        return -np.mean(np.log(self.p[np.arange(len(t)), t]))

    def backward(self, dout=1):
        d = self.p.copy()
        d[np.arange(len(self.t)), self.t] -= 1
        return d * dout / len(self.t)


class Net:
    def __init__(self, n, k):
        self.w, self.b = np.random.randn(n, k), np.zeros(k)

    def forward(self, x):
        self.x = x
        return shares(x @ self.w + self.b)

    def loss(self, p, y):
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    def backward(self, p, y):
        e = p.copy()
        e[np.arange(len(y)), y] -= 1
        self.dw, self.db = self.x.T @ e / len(y), e.mean(axis=0)


class Trained(Net):
    def train_step(self, x, y, lr=0.1):
        self.backward(self.forward(x), y)
        self.w -= lr * self.dw
        self.b -= lr * self.db


class OneHot(Trained):
    def loss(self, p, y):
        return -np.sum(y * np.log(p)) / len(y)

    def backward(self, p, y):
        e = p - y
        self.dw, self.db = self.x.T @ e / len(y), e.mean(axis=0)


def cost(theta, X, y, classes):
    w = theta.reshape(classes, -1)
    h = 1 / (1 + np.exp(-X @ w.T))
    hot = (y[:, None] == np.arange(classes)).astype(float)
    J = -np.sum(hot * np.log(h) + (1 - hot) * np.log(1 - h)) / len(X)
    return J, ((h - hot).T @ X / len(X)).ravel()
"""
NET = ["--args", "4, 3", "--input", "7,4"]
CLASSES, ROWS = ["--target", "classes"], ["--target", "one-hot"]
COST = ["--args", "classes=2", "--input", "6", "--input", "5,3"]
LOSS = ("return d * dout / len(self.t)", "return d * dout")
INDEXED = ("e[np.arange(len(y)), y] -= 1", "e[np.arange(len(y)), y] -= 2")
MEAN = ("def backward(self, p, y):\n        e = p - y", "def backward(self, p, y):\n        e = y - p")
HOT = ("self.b -= lr * self.db", "self.b -= lr * self.db.sum()")
GIVEN = [
    (
        "SoftmaxWithLoss",
        ["--input", "5,3", "--input", "5", *CLASSES],
        [LOSS, ("d[np.arange(len(self.t)), self.t] -= 1", "d -= 1")],
    ),
    ("Net", [*NET, *CLASSES], [INDEXED, ("e.mean(axis=0)\n\n\nclass Tr", "e.sum(axis=0)\n\n\nclass Tr")]),
    ("Net", [*NET, "--input", "7", *CLASSES], [INDEXED, ("e.mean(axis=0)\n\n\nclass Tr", "e.mean()\n\n\nclass Tr")]),
    ("Net", [*NET, "--input", "7,3", *CLASSES], [INDEXED, ("self.x.T @ e / len(y), e", "self.x.T @ e, e")]),
    ("Trained.train_step", [*NET, "--input", "7", *CLASSES], [INDEXED, HOT]),
    ("Trained.train_step", [*NET, *CLASSES], [INDEXED, HOT]),
    ("OneHot.train_step", [*NET, "--input", "7,3", *ROWS], [MEAN, HOT]),
    ("OneHot.train_step", [*NET, *ROWS], [MEAN, HOT]),
    ("OneHot", [*NET, "--input", "7,3", *ROWS], [MEAN, ("e = p - y", "e = (p - y) * p")]),
    ("cost", [*COST, "--input", "5", *CLASSES], [("((h - hot).T", "((hot - h).T"), ("X / len(X)).ravel", "X).ravel")]),
    ("cost", [*COST, *CLASSES], [("((h - hot).T", "((hot - h).T"), ("X / len(X)).ravel", "X).ravel")]),
]


@pytest.mark.parametrize(("name", "options", "mistakes"), GIVEN)
def test_the_last_input_is_the_targets_shape(checked, name, options, mistakes):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    for right, wrong in mistakes:
        assert right in SOURCE
        status, out = checked(SOURCE.replace(right, wrong), name, *options)
        assert status == 1
        assert "differ" in out or "not along the gradient" in out
