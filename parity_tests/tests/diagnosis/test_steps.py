"""A backward that takes the step itself: by a rate it is given, or through an optimizer in an attribute."""

import pytest

LAYERS = """
import copy

import numpy as np


class SGD:
    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate

    def update(self, w, g):
        return w - self.learning_rate * g


class Momentum:
    def __init__(self, lr=0.1):
        self.lr, self.v = lr, 0

    def update(self, w, g):
        self.v = 0.9 * self.v + g
        return w - self.lr * self.v


class Adam:
    def __init__(self, lr=0.01):
        self.lr, self.m, self.v, self.t = lr, 0, 0, 0

    def update(self, w, g):
        self.t += 1
        self.m, self.v = 0.9 * self.m + 0.1 * g, 0.999 * self.v + 0.001 * g * g
        return w - self.lr * self.m / (1 - 0.9**self.t) / (np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-8)


class Dense:
    def __init__(self, i, o, optimizer=SGD(), factor=1):
        self.W, self.w0, self.factor = np.ones((i, o)), np.zeros((1, o)), factor
        self.w0_opt, self.W_opt = copy.copy(optimizer), copy.copy(optimizer)

    def forward_pass(self, X):
        self.layer_input = X
        return X @ self.W + self.w0

    def backward_pass(self, accum_grad):
        W = self.W
        self.W = self.W_opt.update(self.W, self.layer_input.T @ accum_grad * self.factor)
        self.w0 = self.w0_opt.update(self.w0, accum_grad.sum(axis=0, keepdims=True))
        return accum_grad @ W.T


class DifferentRates(Dense):
    def __init__(self, i, o):
        super().__init__(i, o)
        self.W_opt.learning_rate = 0.5


class Given:
    def __init__(self, i, o, factor=1):
        self.W, self.factor = np.ones((i, o)), factor

    def forward(self, x):
        self.x = x
        return x @ self.W

    def step(self, d_L_d_out, rate):
        dx = d_L_d_out @ self.W.T
        self.W -= rate * self.factor * self.x.T @ d_L_d_out
        return dx


class LearnRate(Given):
    def backprop(self, d_L_d_out, learn_rate):
        return self.step(d_L_d_out, learn_rate)


class Alpha(Given):
    def backward(self, d_L_d_out, alpha):
        return self.step(d_L_d_out, alpha)


class LeakyReLU:
    def forward(self, x, alpha):
        self.x = x
        return np.where(x > 0, x, alpha * x)

    def backward(self, grad, alpha):
        return np.where(self.x > 0, grad, alpha * grad)
"""
MATRIX = ["--input", "5,3", "--args"]


@pytest.mark.parametrize("args", ["3, 4", "3, 4, SGD(0.25)", "3, 4, Momentum()"])
def test_a_right_step_through_an_optimizer_agrees(checked, args):
    status, out = checked(LAYERS, "Dense", *MATRIX, args)
    assert status == 0, out
    assert ", that of self.W_opt\n" in out
    assert "\ngrad_W " in out
    assert "\ngrad_w0 " in out


def test_each_parameter_has_its_own_optimizer(checked):
    status, out = checked(LAYERS, "DifferentRates", *MATRIX, "3, 4")
    assert status == 0, out
    assert "learning rate 0.5, that of self.W_opt\n" in out
    assert "learning rate 0.01, that of self.w0_opt\n" in out


@pytest.mark.parametrize("optimizer", ["SGD()", "Momentum()"])
def test_a_wrong_gradient_is_found_and_its_line_is_backwards(checked, optimizer):
    status, out = checked(LAYERS, "Dense", *MATRIX, f"3, 4, {optimizer}, 2")
    assert status == 1
    assert "grad_W: twice what it should be" in out
    assert "The first wrong line is line 45, self.W" in out


def test_a_step_that_does_not_tell_the_gradient_is_no_agreement(checked):
    status, out = checked(LAYERS, "Dense", *MATRIX, "3, 4, Adam()")
    assert status == 1
    assert "self.W (3, 4): not compared: the step with self.W_opt is not the learning rate times the gradient" in out


@pytest.mark.parametrize("name", ["LearnRate", "Alpha"])
def test_the_rate_that_backward_takes_is_known_by_its_name(checked, name):
    status, out = checked(LAYERS, name, *MATRIX, "3, 4")
    assert status == 0, out
    assert "learning rate 0.125 (given)" in out
    status, out = checked(LAYERS, name, *MATRIX, "3, 4, factor=2")
    assert status == 1
    assert "grad_W: twice what it should be" in out


def test_an_alpha_that_is_forwards_is_no_rate(checked):
    assert checked(LAYERS, "LeakyReLU", "--input", "5,3", "--input", "1", "--constant", "alpha")[0] == 0
