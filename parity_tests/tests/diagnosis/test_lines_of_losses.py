"""The first wrong line of a function that returns the loss and its gradients."""

import pytest

SOURCE = """
import numpy as np


def softmax_loss(x, y):
    shifted = x - x.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    loss = -np.log(p[rows, y]).mean()
    dx = p.copy()
    dx[rows, y] -= 1
    dx /= len(x)
    return loss, dx


def penalized(W, X, y, reg=0.1):
    scores = X @ W
    scores = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(len(X))
    loss = -np.log(p[rows, y]).sum() / len(X) + reg * np.sum(W * W)
    p[rows, y] -= 1
    dW = X.T @ p / len(X)
    dW += 2 * reg * W
    return loss, dW


def hinge(W, X, y):
    dW = np.zeros(W.shape)
    loss = 0.0
    for i in range(len(X)):
        scores = X[i] @ W
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    dW /= len(X)
    return loss / len(X), dW


class Network:
    def __init__(self):
        self.p = {"W1": np.random.randn(4, 5), "b1": np.zeros(5), "W2": np.random.randn(5, 3), "b2": np.zeros(3)}

    def loss(self, X, y):
        h = np.maximum(0, X @ self.p["W1"] + self.p["b1"])
        loss, dscores = softmax_loss(h @ self.p["W2"] + self.p["b2"], y)
        grads = {"W2": h.T @ dscores, "b2": dscores.sum(axis=0)}
        dh = dscores @ self.p["W2"].T
        dh = dh * (h > 0)
        grads["W1"] = X.T @ dh
        grads["b1"] = dh.sum(axis=0)
        return loss, grads
"""
CLASSES = ("--target", "classes")
WEIGHTS = ("--input", "4,3", "--input", "5,4", *CLASSES)
COMMANDS = {
    "softmax_loss": ("--input", "5,3", *CLASSES),
    "penalized": WEIGHTS,
    "hinge": WEIGHTS,
    "Network": ("--input", "5,4", *CLASSES),
}
WRONG = [
    ("softmax_loss", "dx /= len(x)", "dx *= 2 / len(x)", "dx: this is 2 times the gradient of x"),
    ("penalized", "dW += 2 * reg * W", "dW += reg * W", "dW: it should be the gradient of W"),
    ("Network", "dh = dh * (h > 0)", "dh = dh * (h > 1)", "dh: it should be the gradient of (("),
    ("Network", "X.T @ dh\n", "X.T @ dh / 2\n", "grads['W1']: this is 0.5 times the gradient of p.W1"),
    ("Network", '{"W2": h.T @ dscores', '{"W2": -h.T @ dscores', "grads['W2']: this is minus the gradient of p.W2"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_right_loss_agrees(checked, name):
    status, out = checked(SOURCE, name, *COMMANDS[name])
    assert status == 0, out
    assert "All agree." in out


@pytest.mark.parametrize(("name", "old", "new", "said"), WRONG, ids=range(len(WRONG)))
def test_the_wrong_line_of_a_loss_is_shown(wrong_line, name, old, new, said):
    assert SOURCE.count(old) == 1
    marked, sentence = wrong_line(SOURCE.replace(old, new), name, *COMMANDS[name])
    assert new.strip() in marked
    assert sentence.startswith("The first wrong line is ")
    assert said in sentence


@pytest.mark.parametrize(
    ("name", "old", "new"), [("hinge", "] -= X[i]", "] += X[i]"), ("penalized", "X.T @ p / len(X)", "X.T @ p")]
)
def test_where_several_lines_add_to_a_wrong_sum_none_of_them_is_sure(checked, name, old, new):
    status, out = checked(SOURCE.replace(old, new), name, *WEIGHTS)
    assert status == 1
    assert "The first wrong line" not in out
    assert "The first line that may be wrong is line " in out
