"""The first wrong line where a loop adds up the gradients of what each step uses, and a loss is a Python number."""

import pytest

SOURCE = """
import numpy as np

n, m = 6, 5
Wx, Wh, Wy = np.random.randn(m, n), np.random.randn(m, m), np.random.randn(n, m)
bh, by = np.zeros((m, 1)), np.zeros((n, 1))


def loss_and_gradients(inputs, targets, start):
    xs, hs, ps, loss = {}, {-1: np.copy(start)}, {}, 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((n, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wx, xs[t]) + np.dot(Wh, hs[t - 1]) + bh)
        y = np.dot(Wy, hs[t]) + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    dbh, dby, dnext = np.zeros_like(bh), np.zeros_like(by), np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Wy.T, dy) + dnext
        draw = (1 - hs[t] * hs[t]) * dh
        dbh += draw
        dWx += np.dot(draw, xs[t].T)
        dWh += np.dot(draw, hs[t - 1].T)
        dnext = np.dot(Wh.T, draw)
    for one in [dWx, dWh, dWy, dbh, dby]:
        np.clip(one, -1, 1, out=one)
    return loss, dWx, dWh, dWy, dbh, dby


class Policy:
    def __init__(self):
        self.params = {"W1": np.random.randn(4, 5), "W2": np.random.randn(5, 3)}

    def loss(self, x, actions, returns):
        h = np.maximum(x @ self.params["W1"], 0)
        z = h @ self.params["W2"]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        self.cache = x, h, p
        return -(np.log(p[np.arange(len(x)), actions]) * returns).mean().item()

    def gradients(self, actions, returns):
        x, h, p = self.cache
        dz = p.copy()
        dz[np.arange(len(x)), actions] -= 1
        dz = dz * returns[:, None] / len(x)
        dh = dz @ self.params["W2"].T
        dh[h <= 0] = 0
        return dict(W1=x.T @ dh, W2=h.T @ dz)


def mean_square(w, x, y):
    return float(np.mean((x @ w - y) ** 2))


def mean_square_gradient(w, x, y):
    d = 2 * (x @ w - y)
    return x.T @ d / y.size
"""
COMMANDS = {
    "loss_and_gradients": ("--input", "4", "--input", "4", "--input", "5,1"),
    "Policy.loss,Policy.gradients": ("--input", "6,4", "--input", "6", "--input", "6"),
    "mean_square,mean_square_gradient": ("--input", "3,2", "--input", "5,3", "--input", "5,2"),
}
WRONG = [
    ("loss_and_gradients", "np.dot(Wy.T, dy) + dnext", "np.dot(Wy.T, dy)"),
    ("loss_and_gradients", "(1 - hs[t] * hs[t]) * dh", "hs[t] * (1 - hs[t]) * dh"),
    ("loss_and_gradients", "dbh += draw", "dbh += dh"),
    ("loss_and_gradients", "dby += dy", "dby = dy"),
    ("loss_and_gradients", "np.dot(draw, hs[t - 1].T)", "np.dot(draw, hs[t].T)"),
    ("loss_and_gradients", "np.dot(Wh.T, draw)", "np.dot(Wh, draw)"),
    ("Policy.loss,Policy.gradients", "dh[h <= 0] = 0", "dh[dh <= 0] = 0"),
    ("Policy.loss,Policy.gradients", "W2=h.T @ dz", "W2=h.T @ np.abs(dz)"),
    ("mean_square,mean_square_gradient", "x.T @ d / y.size", "x.T @ np.abs(d) / y.size"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_right_loss_agrees(checked, name):
    status, out = checked(SOURCE, name, *COMMANDS[name])
    assert status == 0, out


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_the_first_wrong_line_is_found(wrong_line, name, right, wrong):
    assert SOURCE.count(right) == 1
    marked, sentence = wrong_line(SOURCE.replace(right, wrong), name, *COMMANDS[name])
    assert wrong in marked
    assert sentence.startswith("The first wrong line is "), sentence


def test_what_is_returned_is_called_by_its_place_or_its_key(wrong_line):
    _, sentence = wrong_line(
        SOURCE.replace("return loss, dWx, dWh,", "return loss, dWx, 2 * dWh,"),
        "loss_and_gradients",
        *COMMANDS["loss_and_gradients"],
    )
    assert ", the third value that it returns: this is 2 times the gradient of Wh;" in sentence
    name = "Policy.loss,Policy.gradients"
    _, sentence = wrong_line(SOURCE.replace("W1=x.T @ dh", "W1=-x.T @ dh"), name, *COMMANDS[name])
    assert ", what it returns as 'W1': this is minus the gradient of params.W1;" in sentence
