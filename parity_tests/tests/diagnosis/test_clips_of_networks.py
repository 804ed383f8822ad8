"""Networks whose loss clips its probabilities, with weights that make some nearly 0; backward may take the step."""

import pytest

SOURCE = """
import numpy as np


class Deep:
    def __init__(self, sizes):
        pairs = list(zip(sizes, sizes[1:]))
        self.ws = [3 * np.random.randn(i, o) for i, o in pairs]
        self.bs = [np.zeros(o) for _, o in pairs]

    def forward(self, x):
        self.hs = [x]
        for w, b in zip(self.ws[:-1], self.bs[:-1]):
            self.hs.append(np.maximum(0, self.hs[-1] @ w + b))
        z = self.hs[-1] @ self.ws[-1] + self.bs[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def loss(self, y_hat, y):
        p = np.clip(y_hat, 1e-9, 1 - 1e-9)
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    def backward(self, y_hat, y):
        dws, dbs, d = [], [], y_hat.copy()
        d[np.arange(len(y)), y] -= 1
        for i in reversed(range(len(self.ws))):
            dws.insert(0, self.hs[i].T @ d / len(y))
            dbs.insert(0, np.mean(d, axis=0))
            d = d @ self.ws[i].T * (self.hs[i] > 0)
        return dws, dbs


class Stepping:
    def __init__(self, n, h):
        self.W1, self.b1 = np.random.randn(n, h), np.zeros((1, h))
        self.W2, self.b2 = np.random.randn(h, 1), np.zeros((1, 1))

    def forward(self, X):
        self.Z1 = X @ self.W1 + self.b1
        self.A1 = np.maximum(0, self.Z1)
        self.A2 = 1 / (1 + np.exp(-(self.A1 @ self.W2 + self.b2)))
        return self.A2

    def compute_loss(self, y, y_hat):
        y_hat = np.clip(y_hat, 1e-7, 1 - 1e-7)
        return -np.mean(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))

    def backward(self, X, y, lr=0.1):
        dZ2 = (self.A2 - y) / len(y)
        dW2, db2 = self.A1.T @ dZ2, np.sum(dZ2, axis=0, keepdims=True)
        dZ1 = dZ2 @ self.W2.T * (self.Z1 > 0)
        self.W1 -= lr * (X.T @ dZ1)
        self.b1 -= lr * np.sum(dZ1, axis=0, keepdims=True)
        self.W2 -= lr * dW2
        self.b2 -= lr * db2
"""
DEEP = ["--args", "[4, 5, 6, 3]", "--input", "7,4", "--target", "classes"]
STEPPING = ["--args", "4, 6", "--input", "7,4", "--input", "7,1", "--target", "binary"]


@pytest.mark.parametrize(
    ("name", "options", "mistakes"),
    [
        ("Deep", DEEP, [("* (self.hs[i] > 0)", ""), ("np.mean(d, axis=0)", "np.sum(d, axis=0)"), ("d / len(y)", "d")]),
        (
            "Stepping",
            STEPPING,
            [("* (self.Z1 > 0)", ""), ("(self.A2 - y) / len(y)", "self.A2 - y"), ("lr * dW2", "2 * lr * dW2")],
        ),
    ],
)
def test_backward_is_that_of_the_loss_without_the_clip(checked, name, options, mistakes):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "guard decides" in out
    for right, wrong in mistakes:
        assert SOURCE.count(right) == 1
        status, out = checked(SOURCE.replace(right, wrong), name, *options)
        assert status == 1
        assert "elements differ" in out or "element differs" in out


def test_the_rate_is_handed_to_a_backward_that_takes_the_target(checked):
    _, out = checked(SOURCE, "Stepping", *STEPPING)
    assert "takes the step itself" in out
    _, out = checked(SOURCE.replace("lr=0.1", "lr"), "Stepping", *STEPPING)
    assert "All agree." in out
