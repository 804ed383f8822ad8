"""Arrays whose items a line changes: that line is named, not the one that returns what came of it."""

import pytest

SOURCE = """
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss(W, X, y):
    p = softmax(X @ W)
    return -np.log(p[np.arange(len(y)), y]).mean()


def loss_gradient(W, X, y):
    A = softmax(X @ W)
    A[np.arange(len(y)), y] -= 1
    return X.T @ A / len(y)


class PerExample:
    def loss(self, z, y):
        self.p = softmax(z)
        return -np.log(self.p[np.arange(len(y)), y])

    def derivative(self, z, y):
        d = self.p.copy()
        d[np.arange(len(y)), y] -= 1
        return d


class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.s = e / e.sum(axis=1, keepdims=True)
        return self.s

    def backward(self, g):
        J = -self.s[:, :, None] * self.s[:, None, :]
        J[:, np.arange(J.shape[1]), np.arange(J.shape[1])] += self.s
        return (J @ g[:, :, None])[:, :, 0]


class Steps:
    def __init__(self):
        self.U, self.V, self.W = np.random.randn(5, 7), np.random.randn(7, 5), np.random.randn(5, 5)

    def states(self, x):
        s = np.zeros((len(x) + 1, 5))
        o = np.zeros((len(x), 7))
        for t in np.arange(len(x)):
            s[t] = np.tanh(self.U[:, x[t]] + self.W.dot(s[t - 1]))
            e = np.exp(self.V.dot(s[t]))
            o[t] = e / e.sum()
        return o, s

    def loss(self, x, y):
        o, s = self.states(x)
        return -np.sum(np.log(o[np.arange(len(y)), y]))

    def bptt(self, x, y):
        o, s = self.states(x)
        dU, dV, dW = np.zeros(self.U.shape), np.zeros(self.V.shape), np.zeros(self.W.shape)
        delta_o = o
        delta_o[np.arange(len(y)), y] -= 1.0
        for t in np.arange(len(y))[::-1]:
            dV += np.outer(delta_o[t], s[t].T)
            delta_t = self.V.T.dot(delta_o[t]) * (1 - s[t] ** 2)
            for step in np.arange(t + 1)[::-1]:
                dW += np.outer(delta_t, s[step - 1])
                dU[:, x[step]] += delta_t
                delta_t = self.W.T.dot(delta_t) * (1 - s[step - 1] ** 2)
        return [dU, dV, dW]
"""
COMMANDS = {
    "loss,loss_gradient": ("--input", "4,3", "--input", "5,4", "--input", "5"),
    "PerExample": ("--target", "classes", "--input", "5,4"),
    "Softmax": ("--input", "4,3"),
    "Steps.loss,Steps.bptt": ("--input", "4", "--input", "4"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_right_layer_agrees(checked, name):
    status, out = checked(SOURCE, name, *COMMANDS[name])
    assert status == 0, out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("loss,loss_gradient", "A[np.arange(len(y)), y] -= 1\n", "A[np.arange(len(y)), y] += 1\n"),
        ("loss,loss_gradient", "return X.T @ A / len(y)", "return X.T @ np.abs(A) / len(y)"),
        ("PerExample", "d[np.arange(len(y)), y] -= 1\n", "d[np.arange(len(y)), y] -= 0.5\n"),
        ("PerExample", "return d\n", "return d * np.abs(d)\n"),
        ("Steps.loss,Steps.bptt", "np.outer(delta_t, s[step - 1])", "np.outer(delta_t, s[step])"),
        ("Steps.loss,Steps.bptt", "np.outer(delta_o[t], s[t].T)", "np.outer(delta_o[t], s[t - 1].T)"),
    ],
)
def test_the_first_wrong_line_is_found(wrong_line, name, right, wrong):
    assert SOURCE.count(right) == 1
    marked, _ = wrong_line(SOURCE.replace(right, wrong), name, *COMMANDS[name])
    assert wrong.strip() in marked


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("Softmax", "] += self.s", "] = self.s"),
        ("Softmax", "J = -self.s", "J = self.s"),
        ("Steps.loss,Steps.bptt", "y] -= 1.0", "y] += 1.0"),
    ],
)
def test_a_line_that_uses_what_is_unclear_is_not_surely_wrong(wrong_line, name, right, wrong):
    assert SOURCE.count(right) == 1
    _, sentence = wrong_line(SOURCE.replace(right, wrong), name, *COMMANDS[name])
    assert sentence.startswith("The first line that may be wrong is "), sentence
