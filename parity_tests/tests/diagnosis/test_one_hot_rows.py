"""Targets of which each row has to sum to one, given as a further input: they are drawn as one-hot rows."""

import pytest

SOURCE = '''
import numpy as np


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


class SoftmaxCrossEntropy:
    def forward(self, logits, labels):
        self.probs, self.labels = softmax(logits), labels
        return -np.sum(labels * np.log(self.probs)) / len(labels)

    def backward(self):
        return (self.probs - self.labels) / len(self.labels)


def cross_entropy(logits, y_true):
    return -(y_true * np.log(softmax(logits))).sum(axis=-1).mean()


def cross_entropy_grad(logits, y_true):
    return (softmax(logits) - y_true) / (y_true.size / y_true.shape[-1])


class OfClasses:
    """Takes the class of the row for the loss, and the row for the gradient."""

    def forward(self, scores, onehot):
        self.p, self.onehot = softmax(scores), onehot
        return -np.log(self.p[np.arange(len(scores)), onehot.argmax(axis=1)]).mean()

    def backward(self):
        return (self.p - self.onehot) / len(self.p)


class Marked(OfClasses):
    def forward(self, scores, onehot):
        self.p, self.onehot = softmax(scores), onehot
        return -np.log(self.p[onehot == 1]).mean()


class Binary:
    """Asks where the target is 1."""

    def forward(self, z, y):
        self.sigma, self.y = 1 / (1 + np.exp(-z)), y
        return -np.where(y == 1, np.log(self.sigma), np.log(1 - self.sigma)).mean()

    def backward(self):
        return (self.sigma - self.y) / self.sigma.size


class Shares(Binary):
    """Takes any share from 0 to 1."""

    def forward(self, z, y):
        super().forward(z, y)
        return -(y * np.log(self.sigma) + (1 - y) * np.log(1 - self.sigma)).mean()


def loss_and_grad(W, X, Y):
    P = softmax(X @ W)
    return -np.sum(Y * np.log(P)) / len(X), X.T @ (P - Y) / len(X)


class Net:
    def __init__(self):
        self.W1, self.W2 = np.random.randn(4, 5) * 0.3, np.random.randn(5, 3) * 0.3

    def loss(self, X, Y):
        self.X, self.Y, self.h = X, Y, np.maximum(0, X @ self.W1)
        self.P = softmax(self.h @ self.W2)
        return -np.mean(np.sum(Y * np.log(self.P), axis=1))

    def backward(self):
        d = (self.P - self.Y) / len(self.X)
        self.dW2 = self.h.T @ d
        dh = d @ self.W2.T * (self.h > 0)
        self.dW1 = self.X.T @ dh


class Columns:
    def __init__(self):
        self.W, self.b = np.random.randn(3, 4), np.zeros((3, 1))

    def loss(self, X, Y):
        self.A = softmax(self.W @ X + self.b, axis=0)
        return -np.sum(Y * np.log(self.A)) / X.shape[1]

    def backward(self, X, Y):
        dZ = self.A - Y
        self.dW = dZ @ X.T / X.shape[1]
        self.db = dZ.sum(axis=1, keepdims=True) / X.shape[1]


class Regression:
    def __init__(self):
        self.W, self.l = np.random.randn(4, 3), 0.1

    def gradient(self, X, Y):
        h = softmax(X @ self.W)
        loss = -np.sum(Y * np.log(h)) / len(X) + self.l * np.sum(self.W**2)
        return loss, X.T @ (h - Y) / len(X) + 2 * self.l * self.W


class Stepping:
    def __init__(self):
        self.W1, self.W2 = np.random.randn(6, 3), np.random.randn(3, 6)

    def forward(self, x):
        return softmax(x @ self.W1 @ self.W2)

    def backward(self, x, target, lr=0.01):
        error = self.forward(x) - target
        of_hidden = self.W2 @ error
        self.W2 -= lr * np.outer(x @ self.W1, error)
        self.W1 -= lr * np.outer(x, of_hidden)


class Training:
    def __init__(self):
        self.W, self.lr = np.random.randn(4, 3), 0.1

    def loss(self, X, Y):
        return -np.sum(Y * np.log(softmax(X @ self.W)))

    def train_step(self, X, Y):
        self.W -= self.lr * X.T @ (softmax(X @ self.W) - Y)


class Giving:
    def __init__(self):
        self.W1, self.W2 = np.random.randn(4, 5), np.random.randn(5, 3)

    def predict(self, X):
        return softmax(np.tanh(X @ self.W1) @ self.W2)

    def gradients(self, X, Y):
        h = np.tanh(X @ self.W1)
        d = (softmax(h @ self.W2) - Y) / len(X)
        return {"W1": X.T @ (d @ self.W2.T * (1 - h**2)), "W2": h.T @ d}
'''
ROWS = "drawn as one-hot rows: more is right where each "
RIGHT = {
    "a layer": ("SoftmaxCrossEntropy", "5,3 5,3", "labels was " + ROWS),
    "two functions": ("cross_entropy,cross_entropy_grad", "5,3 5,3", "y_true was " + ROWS),
    "over time": ("cross_entropy,cross_entropy_grad", "2,5,3 2,5,3", "y_true was " + ROWS),
    "of the class": (
        "OfClasses",
        "5,3 5,3",
        "onehot was drawn as one-hot rows: other numbers make no difference to the loss",
    ),
    "where it is one": (
        "Marked",
        "5,3 5,3",
        "onehot was drawn as one-hot rows: other numbers make no difference to the loss",
    ),
    "zeros and ones": ("Binary", "5,3 5,3", "y was drawn as zeros and ones: other numbers make no"),
    "of one output": ("Binary", "6,1 6,1", "y was drawn as zeros and ones"),
    "loss and gradient": ("loss_and_grad", "4,3 5,4 5,3", "Y was " + ROWS),
    "a network": ("Net", "6,4 6,3", "Y was " + ROWS),
    "examples in columns": ("Columns", "4,6 3,6", "Y was drawn as one-hot columns"),
    "a method": ("Regression.gradient", "5,4 5,3", "Y was " + ROWS),
    "a step": ("Stepping.backward", "6 6", "the target was " + ROWS),
    "a step of the network's own loss": ("Training.train_step", "5,4 5,3", "the target was " + ROWS),
    "a training step by the class": ("Training", "5,4 5,3", "the target was " + ROWS),
    "gradients without the loss": ("Giving.gradients", "5,4 5,3", "the target was " + ROWS),
}
WRONG = {
    "a layer": [("(self.probs - self.labels) /", "(self.labels - self.probs) /"), (" / len(self.labels)", "")],
    "two functions": [("/ (y_true.size / y_true.shape[-1])", "/ y_true.size"), ("softmax(logits) - y", "2 - y")],
    "over time": [
        ("/ (y_true.size / y_true.shape[-1])", "/ len(y_true)"),
        ("logits) - y_true)", "logits) - y_true**2)"),
    ],
    "of the class": [
        ("(self.p - self.onehot)", "self.p"),
        ("self.onehot) / len(self.p)", "self.onehot) / self.p.size"),
    ],
    "where it is one": [("(self.p - self.onehot)", "(self.onehot - self.p)"), ("onehot) / len(self.p)", "onehot)")],
    "zeros and ones": [("(self.sigma - self.y)", "(self.y - self.sigma)"), ("/ self.sigma.size", "/ len(self.sigma)")],
    "of one output": [("(self.sigma - self.y)", "self.sigma"), ("/ self.sigma.size", "")],
    "loss and gradient": [("(P - Y) /", "(Y - P) /"), ("X.T @ (P - Y)", "X.T @ (P - (Y > 0))")],
    "a network": [("(self.h > 0)", "(self.h < 0)"), ("self.h.T @ d", "self.h.T @ self.P")],
    "examples in columns": [
        ("dZ.sum(axis=1, keepdims=True) /", "dZ.sum(axis=1, keepdims=True) *"),
        ("self.A - Y", "self.A + Y"),
    ],
    "a method": [("2 * self.l * self.W", "self.l * self.W"), ("(h - Y) / len(X)", "(h - Y) / X.size")],
    "a step": [("self.W2 @ error", "self.W2 @ target"), ("self.W1 -= lr", "self.W1 += lr")],
    "a step of the network's own loss": [
        ("X @ self.W) - Y)", "X @ self.W) - 2 * Y)"),
        ("self.W -= self.lr", "self.W += self.lr"),
    ],
    "a training step by the class": [
        ("X @ self.W) - Y)", "X @ self.W) - 2 * Y)"),
        ("self.W -= self.lr", "self.W += self.lr"),
    ],
    "gradients without the loss": [("(1 - h**2)", "(1 - h)"), ('"W2": h.T @ d', '"W2": h.T @ d * 2')],
}


def _inputs(shapes):
    return [part for shape in shapes.split() for part in ("--input", shape)]


@pytest.mark.parametrize("what", RIGHT)
def test_a_gradient_for_rows_that_sum_to_one_is_right(checked, what):
    name, shapes, said = RIGHT[what]
    status, out = checked(SOURCE, name, *_inputs(shapes))
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize(("what", "right", "wrong"), [(what, *twin) for what, twins in WRONG.items() for twin in twins])
def test_a_wrong_gradient_is_wrong_for_them_too(checked, what, right, wrong):
    name, shapes, _ = RIGHT[what]
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *_inputs(shapes))
    assert status == 1
    assert "All agree" not in out


def test_what_is_right_for_zeros_and_ones_alone_is_wrong_for_a_loss_of_shares(checked):
    status, out = checked(SOURCE, "Shares", *_inputs("5,3 5,3"))
    assert status == 0, out
    assert "zeros and ones" not in out
    status, out = checked(
        SOURCE.replace("self.sigma - self.y", "self.sigma - (self.y > 0)"), "Shares", *_inputs("5,3 5,3")
    )
    assert status == 1
    assert "grad_input: 15 of 15 elements differ" in out
