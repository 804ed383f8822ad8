"""Gradients that are clipped at the end of backward are compared as they are before."""

import pytest

SOURCE = """
import numpy as np

n, m = 6, 5
Wx, Wh, Wy = np.random.randn(m, n) * 0.01, np.random.randn(m, m) * 0.01, np.random.randn(n, m) * 0.01
bh, by = np.zeros((m, 1)), np.zeros((n, 1))


def clip(gradients, limit):
    for one in gradients.values():
        np.clip(one, -limit, limit, out=one)


def passes(inputs, targets, start):
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
        draw = (1 - hs[t] * hs[t]) * (np.dot(Wy.T, dy) + dnext)
        dbh += draw
        dWx += np.dot(draw, xs[t].T)
        dWh += np.dot(draw, hs[t - 1].T)
        dnext = np.dot(Wh.T, draw)
    return loss, dWx, dWh, dWy, dbh, dby


def in_place(inputs, targets, start):
    loss, dWx, dWh, dWy, dbh, dby = passes(inputs, targets, start)
    for one in [dWx, dWh, dWy, dbh, dby]:
        np.clip(one, -1, 1, out=one)
    return loss, dWx, dWh, dWy, dbh, dby


def by_a_helper(inputs, targets, start):
    loss, dWx, dWh, dWy, dbh, dby = passes(inputs, targets, start)
    clip({"Wx": dWx, "Wh": dWh, "Wy": dWy, "bh": dbh, "by": dby}, 0.5)
    return loss, dWx, dWh, dWy, dbh, dby


class Linear:
    limit = 0.5

    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x = x
        return np.clip(x, -1, 1) @ self.W + self.b

    def backward(self, g):
        self.dW = np.clip(np.clip(self.x, -1, 1).T @ g, -self.limit, self.limit)
        self.db = g.sum(axis=0).clip(-self.limit, self.limit)
        return g @ self.W.T * (np.abs(self.x) < 1)


class Huber:
    def forward(self, x, y):
        self.d, a = x - y, np.abs(x - y)
        return np.where(a < 0.3, 0.5 * self.d**2, 0.3 * (a - 0.15)).sum()

    def backward(self):
        return np.clip(self.d, -0.3, 0.3)
"""
RECURRENT = ("--input", "4", "--input", "4", "--input", "5,1")
COMMANDS = {
    "in_place": RECURRENT,
    "by_a_helper": RECURRENT,
    "Linear": ("--args", "4, 3", "--input", "6,4"),
    "Huber": ("--input", "5,3", "--input", "5,3"),
}


@pytest.mark.parametrize(
    ("name", "said"),
    [("in_place", "±1 (line 41)"), ("by_a_helper", "±limit (line 11)"), ("Linear", "±self.limit (lines")],
)
def test_the_clip_is_said_and_all_agree(checked, name, said):
    status, out = checked(SOURCE, name, *COMMANDS[name])
    assert status == 0, out
    assert "All agree, before they are clipped." in out
    assert f"note: gradients are clipped to {said}" in out
    assert "They agree on" in out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("in_place", "+ dnext)", ")"),
        ("in_place", "dWh += np.dot(draw, hs[t - 1].T)", "dWh += 1.5 * np.dot(draw, hs[t - 1].T)"),
        ("in_place", "dby += dy", "dby += 2 * dy"),
        ("by_a_helper", "dbh += draw", "dbh += dnext"),
        ("by_a_helper", "dWx += np.dot(draw, xs[t].T)", "dWx += np.sign(np.dot(draw, xs[t].T))"),
        ("Linear", "np.clip(self.x, -1, 1).T @ g", "self.x.T @ g"),
        ("Linear", "g.sum(axis=0).clip", "g.mean(axis=0).clip"),
        ("Linear", "g.sum(axis=0).clip", "(3 * g.sum(axis=0)).clip"),
        ("Linear", "return g @ self.W.T *", "g = np.clip(g, -0.5, 0.5)\n        return g @ self.W.T *"),
        ("Linear", "return g @ self.W.T * (np.abs(self.x) < 1)", "return np.clip(g @ self.W.T, -0.5, 0.5)"),
        ("Huber", "np.clip(self.d, -0.3, 0.3)", "np.clip(self.d, -0.4, 0.4)"),
        ("Huber", "np.clip(self.d, -0.3, 0.3)", "self.d"),
    ],
)
def test_a_wrong_gradient_beside_a_clip_is_accused(checked, name, right, wrong):
    assert SOURCE.count(right) == 1
    status, out = checked(SOURCE.replace(right, wrong), name, *COMMANDS[name])
    assert status == 1, out
    assert "All agree" not in out


def test_a_clip_of_the_derivative_is_none_of_the_gradients(checked):
    status, out = checked(SOURCE, "Huber", *COMMANDS["Huber"])
    assert status == 0, out
    assert "clipped" not in out


def test_a_clip_that_a_larger_batch_reaches_is_said(checked):
    source = SOURCE.replace("limit = 0.5", "limit = 7.2")
    status, out = checked(source, "Linear", "--args", "4, 3", "--input", "6,4")
    assert status == 0, out
    assert "clipped to ±7.2; up to there, it is right" in out
