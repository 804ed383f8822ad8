"""Layers that build their operations in the first forward, as Weidman's "Deep Learning from Scratch" has them."""

import pytest

SOURCE = """
import numpy as np


class Operation:
    def forward(self, input_):
        self.input_ = input_
        self.output = self._output()
        return self.output

    def backward(self, output_grad):
        self.input_grad = self._input_grad(output_grad)
        return self.input_grad


class ParamOperation(Operation):
    def __init__(self, param):
        self.param = param

    def backward(self, output_grad):
        self.input_grad = self._input_grad(output_grad)
        self.param_grad = self._param_grad(output_grad)
        return self.input_grad


class WeightMultiply(ParamOperation):
    def _output(self):
        return self.input_ @ self.param

    def _input_grad(self, output_grad):
        return output_grad @ self.param.T

    def _param_grad(self, output_grad):
        return self.input_.T @ output_grad


class BiasAdd(ParamOperation):
    def _output(self):
        return self.input_ + self.param

    def _input_grad(self, output_grad):
        return output_grad

    def _param_grad(self, output_grad):
        return output_grad.sum(axis=0, keepdims=True)


class Tanh(Operation):
    def _output(self):
        return np.tanh(self.input_)

    def _input_grad(self, output_grad):
        return output_grad * (1 - self.output**2)


class Dense:
    def __init__(self, neurons):
        self.neurons, self.first = neurons, True

    def setup(self, input_):
        weights = WeightMultiply(np.random.randn(input_.shape[1], self.neurons))
        self.operations = [weights, BiasAdd(np.random.randn(1, self.neurons)), Tanh()]

    def forward(self, input_):
        if self.first:
            self.setup(input_)
            self.first = False
        self.input_ = input_
        for operation in self.operations:
            input_ = operation.forward(input_)
        self.output = input_
        return self.output

    def backward(self, output_grad):
        for operation in reversed(self.operations):
            output_grad = operation.backward(output_grad)
        return output_grad


class RunningMean:
    def forward(self, x):
        if not hasattr(self, "gamma"):
            self.gamma, self.running_mean = np.ones(x.shape[1]), np.zeros(x.shape[1])
        self.running_mean = 0.9 * self.running_mean + 0.1 * x.mean(axis=0)
        self.x_hat = x - x.mean(axis=0)
        return self.gamma * self.x_hat

    def backward(self, g):
        self.dgamma = (g * self.x_hat).sum(axis=0)
        g = g * self.gamma
        return g - g.mean(axis=0)
"""
OPTIONS = ["--args", "2", "--input", "5,3"]
WRONG = {
    "weights": ("self.input_.T @ output_grad", "self.input_.T @ output_grad * 2", "operations.0.grad_param: 6 of 6"),
    "bias": ("sum(axis=0", "mean(axis=0", "operations.1.grad_param: 2 of 2 elements differ"),
    "input": ("output_grad @ self.param.T", "-output_grad @ self.param.T", "grad_input: 15 of 15 elements differ"),
    "derivative": ("1 - self.output**2", "1 - self.output", "grad_input: 15 of 15 elements differ"),
    "no gradient": (
        "        self.param_grad = self._param_grad(output_grad)\n",
        "",
        "self.operations[0].param (3, 2): the output depends on it, but no gradient of it was found",
    ),
}


def test_what_the_operations_keep_is_no_parameter(checked):
    status, out = checked(SOURCE, "Dense", *OPTIONS)
    assert status == 0, out
    assert "self.operations[0].param (3, 2): parameter; gradient in self.operations[0].param_grad" in out
    assert "\noperations.0.grad_param  (3, 2)" in out
    assert "\noperations.1.grad_param  (1, 2)" in out
    assert "].input_" not in out
    assert "].output" not in out


@pytest.mark.parametrize("what", WRONG)
def test_wrong_twins_are_named(checked, what):
    old, new, said = WRONG[what]
    status, out = checked(SOURCE.replace(old, new), "Dense", *OPTIONS)
    assert status == 1
    assert said in out


def test_state_that_the_first_forward_creates_is_said(checked):
    status, out = checked(SOURCE, "RunningMean", "--input", "5,3")
    assert status == 0, out
    assert "self.running_mean (3,): state that forward keeps; not compared" in out
    assert "self.x_hat" not in out
