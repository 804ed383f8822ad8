"""What a first batch leaves in a layer must not decide what comes of the second; what is meant to stay may stay."""

import pytest

LAYERS = """
import numpy as np


class ReLU:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, g):
        return g * self.mask


class StaleReLU(ReLU):
    def forward(self, x):
        if self.mask is None:
            self.mask = x > 0
        return np.maximum(x, 0)


class Two:
    def __init__(self):
        self.layers = [ReLU(), StaleReLU()]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x - 0.1)
        return x

    def backward(self, g):
        for layer in self.layers[::-1]:
            g = layer.backward(g)
        return g


class Linear:
    at = -1

    def __init__(self, i, o):
        self.W, self.xs = np.ones((i, o)), []
        self.dW = np.zeros((i, o))
        self.grads = [self.dW]

    def forward(self, x):
        self.xs.append(x)
        return x @ self.W

    def backward(self, g):
        self.dW += self.xs[self.at].T @ g
        return g @ self.W.T


class StaleLinear(Linear):
    at = 0


class KeepsTheTranspose(Linear):
    WT = None

    def backward(self, g):
        super().backward(g)
        if self.WT is None:
            self.WT = self.W.T.copy()
        return g @ self.WT


class Norm:
    def __init__(self, n):
        self.gamma, self.beta, self.steps = np.ones(n), np.zeros(n), 0
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)

    def forward(self, x):
        self.steps += 1
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        self.running_var = 0.9 * self.running_var + 0.1 * var * len(x) / (len(x) - 1)
        self.std = np.sqrt(var + 1e-5)
        self.x_hat = (x - mean) / self.std
        return self.gamma * self.x_hat + self.beta

    def backward(self, g):
        self.dgamma, self.dbeta = (g * self.x_hat).sum(axis=0), g.sum(axis=0)
        g = g * self.gamma
        return (g - g.mean(axis=0) - self.x_hat * (g * self.x_hat).mean(axis=0)) / self.std


class NormThatForgets(Norm):
    def forward(self, x):
        first = self.steps == 0
        y = super().forward(x)
        if not first:
            self.running_mean = x.mean(axis=0)
        return y


class Recurrent:
    def __init__(self, d, n):
        self.Wx, self.Wh, self.h = np.ones((d, n)), np.ones((n, n)), np.zeros(n)

    def forward(self, x):
        self.x, self.hs = x, [self.h]
        for row in x:
            self.hs.append(np.tanh(row @ self.Wx + self.hs[-1] @ self.Wh))
        self.h = self.hs[-1]
        return np.array(self.hs[1:])

    def backward(self, g):
        self.dWx, self.dWh, dx = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.x)
        dh = 0
        for t in reversed(range(len(g))):
            dz = (g[t] + dh) * (1 - self.hs[t + 1] ** 2)
            self.dWx += np.outer(self.x[t], dz)
            self.dWh += np.outer(self.before(t), dz)
            dx[t], dh = self.Wx @ dz, self.Wh @ dz
        return dx

    def before(self, t):
        return self.hs[t]


class RecurrentFromZero(Recurrent):
    def before(self, t):
        return self.hs[t] if t else np.zeros_like(self.h)


class AddsUp:
    def __init__(self):
        self.total = 0.0

    def forward(self, x):
        self.total = self.total + x
        return self.total**2

    def backward(self, g):
        return 2 * self.total * g


class Network:
    def __init__(self, n, keeps=False):
        self.W, self.lr, self.x, self.keeps = np.ones((n, 1)), 0.1, None, keeps

    def loss(self, x, y):
        return np.mean((x @ self.W - y.reshape(-1, 1)) ** 2)

    def train_step(self, x, y):
        if self.x is None or not self.keeps:
            self.x = x
        self.W = self.W - self.lr * 2 * self.x.T @ (x @ self.W - y.reshape(-1, 1)) / len(x)
"""
SMALL = ["--input", "5,3"]
MATRIX = [*SMALL, "--args", "3, 4"]
NORM = [*SMALL, "--args", "3", "--against", "torch.nn.BatchNorm1d"]


@pytest.mark.parametrize(
    ("name", "options", "arrays"),
    [
        ("ReLU", SMALL, ["grad_input"]),
        ("ReLU", [*SMALL, "--against", "torch.nn.ReLU"], ["output", "grad_input"]),
        ("Linear", MATRIX, ["grad_input", "grad_W"]),
        ("Norm", [*SMALL, "--args", "3"], ["grad_input", "grad_gamma", "grad_beta"]),
        ("Norm", NORM, ["output", "buffer running_mean", "buffer running_var", "grad_weight"]),
        ("Recurrent", MATRIX, ["grad_input", "grad_Wx", "grad_Wh"]),
    ],
)
def test_a_right_layer_may_keep_what_it_is_meant_to_keep(checked, name, options, arrays):
    status, out = checked(LAYERS, name, *options)
    assert status == 0, out
    assert all(f"\n{array} " in out for array in arrays)
    assert ("They agree on a second batch" in out) == (name != "Recurrent")
    assert ("note: self.h is carried from batch to batch" in out) == (name == "Recurrent")


@pytest.mark.parametrize(
    ("name", "options", "array", "kept"),
    [
        ("StaleReLU", SMALL, "grad_input", "self.mask"),
        ("StaleReLU", [*SMALL, "--against", "torch.nn.ReLU"], "grad_input", "self.mask"),
        ("Two", SMALL, "grad_input", "self.layers[1].mask"),
        ("StaleLinear", MATRIX, "grad_W", "self.xs"),
        ("KeepsTheTranspose", MATRIX, "grad_input", "self.WT"),
    ],
)
def test_what_is_left_over_is_named(checked, name, options, array, kept):
    status, out = checked(LAYERS, name, *options)
    assert status == 1
    usual, _, second = out.partition("on a second batch, without a reset after the first\n")
    assert "On these numbers they agree." in usual
    assert f"\n{array}: " in second
    assert f"-> {kept} is left over from the first batch" in second


def test_running_statistics_are_compared_after_the_second_batch(checked):
    status, out = checked(LAYERS, "NormThatForgets", *NORM)
    assert status == 1
    assert "\nbuffer running_mean: 3 of 3 elements differ" in out.partition("on a second batch")[2]


def test_a_state_is_held_to_what_is_computed_with_it(checked):
    status, out = checked(LAYERS, "RecurrentFromZero", *MATRIX)
    assert status == 1
    assert "\ngrad_Wh: " in out.partition("on a second batch")[2]


def test_an_output_that_depends_on_an_earlier_batch_without_being_a_state_is_no_agreement(checked):
    status, out = checked(LAYERS, "AddsUp", *SMALL)
    assert status == 1
    assert "it depends on what that batch left in self.total" in out


def test_the_second_step_of_a_network_is_taken_on_other_numbers(checked):
    batch = ["--input", "5,3", "--input", "5"]
    assert checked(LAYERS, "Network", "--args", "3", *batch)[0] == 0
    status, out = checked(LAYERS, "Network", "--args", "3, keeps=True", *batch)
    assert status == 1
    assert "self.W: the second step, on other numbers, is not along the gradient" in out
