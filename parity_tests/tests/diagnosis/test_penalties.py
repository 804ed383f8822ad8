"""The gradient of a penalty on the weights, added in a backward whose forward has none, is named."""

import pytest

DENSE = """
import numpy as np


class Dense:
    def __init__(self, inputs, outputs, penalty=0.01):
        self.weights = 0.1 * np.random.randn(inputs, outputs)
        self.biases = np.zeros((1, outputs))
        self.penalty = penalty

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T
"""
RIGHT = "self.inputs.T @ dvalues"
SHAPE = ["Dense", "--args", "3,2", "--input", "5,3"]
L2, L1 = "0.02 times the weights is added: the gradient of an L2 penalty", "0.01 times the weights' signs is added"


def test_without_one_all_agree(checked):
    status, out = checked(DENSE, *SHAPE)
    assert (status, "All agree." in out) == (0, True), out


@pytest.mark.parametrize(
    ("added", "said"),
    [("2 * self.penalty * self.weights", L2), ("self.penalty * np.sign(self.weights)", L1)],
)
def test_it_is_named(checked, added, said):
    status, out = checked(DENSE.replace(RIGHT, f"{RIGHT} + {added}"), *SHAPE)
    assert (status, "All agree." in out) == (1, False)
    assert f"-> grad_weights: {said}" in out
    assert "penalty" not in out.partition("grad_biases:")[2]


@pytest.mark.parametrize("wrong", ["2 * self.inputs.T @ dvalues", "self.inputs.T @ dvalues + 0.01 * self.weights**2"])
def test_another_mistake_is_none(checked, wrong):
    status, out = checked(DENSE.replace(RIGHT, wrong), *SHAPE)
    assert status == 1
    assert "an L2 penalty" not in out
    assert "an L1 penalty" not in out


HALVED = """
import numpy as np


class Ridge:
    def __init__(self, n, alpha=0.3):
        self.w, self.alpha = np.random.randn(n), alpha

    def loss(self, x, y):
        error = x @ self.w - y
        loss = 0.5 * (error**2).sum() + 0.5 * self.alpha * (self.w**2).sum()
        return loss, {"w": x.T @ error + self.alpha * self.w}
"""


def test_one_that_is_larger_than_the_losss_is_told_by_how_much(checked):
    options = ["Ridge.loss", "--args", "3", "--input", "5,3", "--input", "5"]
    status, out = checked(HALVED, *options)
    assert (status, "All agree." in out) == (0, True), out
    status, out = checked(HALVED.replace("+ self.alpha * self.w}", "+ 2 * self.alpha * self.w}"), *options)
    assert status == 1
    assert "-> grad_w: 0.3 times the weights is added: the gradient of an L2 penalty, beyond what" in out
