"""A network's training step where its start says little: units that are dead or at a kink, and weights of zero."""

import pytest

NET = """
import numpy as np


class Net:
    def __init__(self, sizes, scale=0.1):
        rng = np.random.default_rng(0)
        self.W = [scale * rng.normal(size=(o, i)) for i, o in zip(sizes, sizes[1:])]
        self.b = [np.zeros((o, 1)) for o in sizes[1:]]

    def forward(self, X):
        self.A, self.Z = [X], []
        for W, b in zip(self.W, self.b):
            self.Z.append(W @ self.A[-1] + b)
            self.A.append(np.maximum(0, self.Z[-1]))
        self.A[-1] = 1 / (1 + np.exp(-self.Z[-1]))
        return self.A[-1]

    def train_step(self, X, Y, lr=0.1):
        out = self.forward(X)
        dZ, gradients = (out - Y) / Y.shape[1], []
        for l in reversed(range(len(self.W))):
            gradients.append((l, dZ @ self.A[l].T, dZ.sum(axis=1, keepdims=True)))
            dZ = (self.W[l].T @ dZ) * (self.Z[l - 1] > 0) if l else None
        for l, dW, db in gradients:
            self.W[l] -= lr * dW
            self.b[l] -= lr * db
        return -(Y * np.log(out) + (1 - Y) * np.log(1 - out)).mean()
"""
OPTIONS = ["--input", "5,4", "--input", "1,4", "--target", "binary"]
OTHERS = "the parameters have other numbers: at the start, a gradient is 0, or the loss has a kink"
STARTS = {
    "near a kink": ("[5,4,3,2,1]", False),
    "dead units": ("[5,3,2,2,1]", True),
    "zeros": ("[5,4,1], 0.0", True),
}
each_start = pytest.mark.parametrize("start", STARTS)


@each_start
def test_a_right_network_agrees(checked, start):
    sizes, drawn_anew = STARTS[start]
    status, out = checked(NET, "Net.train_step", "--args", sizes, *OPTIONS)
    assert (status, "All agree: two steps" in out) == (0, True), out
    assert (OTHERS in out) == drawn_anew


@each_start
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("dZ @ self.A[l].T,", "dZ @ self.A[l].T * (1 if l else 2),", "self.W[0]: the first step is not along"),
        ("dZ.sum(axis=1, keepdims=True)", "dZ.sum(axis=1, keepdims=True) / 4", "self.b[0]: the first step is not"),
        ("(self.Z[l - 1] > 0)", "(self.Z[l - 1] > -1)", "self.W[0]: the first step is not along"),
    ],
)
def test_a_wrong_network_is_accused(checked, start, right, wrong, said):
    assert right in NET
    status, out = checked(NET.replace(right, wrong), "Net.train_step", "--args", STARTS[start][0], *OPTIONS)
    assert (status, "All agree" in out) == (1, False), out
    assert said in out
