"""Arrays whose names or shapes might be another's: an input called as a parameter, a state among gradients."""

import pytest

SOURCE = """
import numpy as np

Wh = np.random.randn(4, 4)
bh = np.random.randn(4, 1)


class Linear:
    def __init__(self, i, o):
        self.w, self.b = np.random.randn(i, o), np.random.randn(o)
        self.gw, self.gb, self.inputs = np.zeros((i, o)), np.zeros(o), []

    def forward(self, x):
        self.inputs.append(x)
        return x @ self.w + self.b

    def backward(self, g):
        x = self.inputs.pop()
        self.gw += x.T @ g
        self.gb += g.sum(axis=0)
        return g @ self.w.T


class Siamese:
    def __init__(self, i, o):
        self.enc = Linear(i, o)

    def forward(self, a, b):
        self.ea, self.eb = self.enc.forward(a), self.enc.forward(b)
        return (self.ea * self.eb).sum(axis=1)

    def backward(self, g):
        db = self.enc.backward(g[:, None] * self.ea)
        da = self.enc.backward(g[:, None] * self.eb)
        return da, db


def loss_fun(hprev):
    h = np.tanh(Wh @ hprev + bh)
    dz = h * (1 - h * h)
    dWh = dz @ hprev.T
    dbh = dz.sum(axis=1, keepdims=True)
    return 0.5 * np.sum(h * h), dWh, dbh, h


def with_input(hprev):
    h = np.tanh(Wh @ hprev + bh)
    dz = h * (1 - h * h)
    back = Wh.T @ dz
    dWh, dbh = dz @ hprev.T, dz.sum(axis=1, keepdims=True)
    return 0.5 * np.sum(h * h), dWh, dbh, back
"""
SIAMESE = ["Siamese", "--args", "3,4", "--input", "5,3", "--input", "5,3"]
WRONG = {
    "bias": (SIAMESE, "g.sum(axis=0)", "2 * g.sum(axis=0)", "enc.grad_b: 4 of 4 elements differ"),
    "input b": (SIAMESE, "return da, db", "return da, 2 * db", "grad_input[1]: 15 of 15 elements differ"),
    "swapped": (SIAMESE, "return da, db", "da, db = db, da\n        return da, db", "grad_input[0]: 15 of 15"),
    "recurrent weight": (
        ["loss_fun", "--input", "4,1"],
        "dz @ hprev.T",
        "dz @ h.T",
        "grad_Wh: 16 of 16 elements differ",
    ),
    "hidden bias": (["loss_fun", "--input", "4,1"], "dbh = dz", "dbh = 2 * dz", "grad_bh: 4 of 4 elements differ"),
}


def test_an_input_may_be_called_as_a_parameter(checked):
    status, out = checked(SOURCE, *SIAMESE)
    assert status == 0, out
    assert "self.enc.b (4,): parameter; gradient in self.enc.gb" in out
    assert "\ngrad_input[1]  (5, 3)" in out


FILE = """
import numpy as np

w = np.random.randn(3, 3)


class Layer:
    def __init__(self):
        self.w = np.random.randn(3, 3)

    def forward(self, x):
        self.x, self.h = x, x @ w
        return self.h @ self.w

    def backward(self, g):
        self.dw = self.h.T @ g
        self.gw = self.x.T @ (g @ self.w.T)
        return g @ self.w.T @ w.T
"""


def test_an_array_of_the_file_may_be_called_as_one_of_the_layer(checked):
    status, out = checked(FILE, "Layer", "--input", "5,3")
    assert status == 0, out
    assert "\ngrad_w " in out
    assert "\nmy.grad_w " in out
    for old, said in (("self.h.T @ g", "grad_w: 9 of 9"), ("self.x.T @ (g", "my.grad_w: 9 of 9")):
        status, out = checked(FILE.replace(old, f"2 * {old}"), "Layer", "--input", "5,3")
        assert status == 1
        assert f"\n{said} elements differ" in out


LISTED = """
import numpy as np


class Stack:
    def __init__(self):
        self.W1, self.b1, self.W2 = np.random.randn(3, 4), np.zeros(4), np.random.randn(4, 2)

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W1 + self.b1)
        return self.h @ self.W2

    def backward(self, g):
        dz = g @ self.W2.T * (1 - self.h**2)
        return dz @ self.W1.T, [self.x.T @ dz, dz.sum(axis=0), self.h.T @ g]
"""


def test_of_returned_gradients_one_may_have_a_wrong_shape(checked):
    status, out = checked(LISTED, "Stack", "--input", "5,3")
    assert status == 0, out
    status, out = checked(LISTED.replace("dz.sum(axis=0)", "dz.sum(axis=1)"), "Stack", "--input", "5,3")
    assert status == 1
    assert "grad_b1 has shape (5,), expected (4,); grad_input, grad_W1 and grad_W2 agree" in out


def test_a_state_returned_behind_the_gradients_is_none(checked):
    status, out = checked(SOURCE, "loss_fun", "--input", "4,1")
    assert status == 1
    assert "What was compared agrees, but not everything was compared." in out
    assert "hprev (4, 1): the output depends on it, but loss_fun returns no gradient of it" in out
    assert "note: h, returned beside the loss: not compared" in out
    status, out = checked(SOURCE, "loss_fun", "--input", "4,1", "--constant", "hprev")
    assert status == 0, out
    assert "\ngrad_Wh " in out
    assert "\ngrad_bh " in out


def test_a_gradient_under_another_name_is_known_by_its_numbers(checked):
    status, out = checked(SOURCE, "with_input", "--input", "4,1")
    assert status == 0, out
    assert "\ngrad_input " in out


@pytest.mark.parametrize("what", WRONG)
def test_wrong_twins_are_named(checked, what):
    options, old, new, said = WRONG[what]
    status, out = checked(SOURCE.replace(old, new, 1), *options)
    assert status == 1
    assert said in out
