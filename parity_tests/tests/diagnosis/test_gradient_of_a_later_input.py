"""A loss of data, a target and weights, in this order, whose gradient is that of the weights alone."""

import pytest

SOURCE = """
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_loss(X, y, W):
    return -np.mean(np.log(softmax(X @ W)[np.arange(len(X)), y]))


def softmax_grad(X, y, W):
    A = softmax(X @ W)
    A[np.arange(len(X)), y] -= 1
    return X.T @ A / len(X)


def cost(X, y, theta):
    return ((X @ theta - y) ** 2).sum() / (2 * len(X))


def cost_gradient(X, y, theta):
    return X.T @ (X @ theta - y) / len(X)


def loss_and_gradient(X, y, W):
    error = X @ W - y
    dW = 2 * X.T @ error
    return (error**2).sum(), dW


def squared(a, b):
    return ((a - b) ** 2).sum()


def squared_grad(a, b):
    return 2 * (a - b)


def squared_column(a, y):
    return ((a[:, 0] - y) ** 2).sum()


def squared_column_grad(a, y):
    return 2 * (y - a[:, 0])


def linear(x, w):
    return x @ w


def linear_backward(dout, x, w):
    return x.T @ dout


class Linear:
    def __init__(self):
        self.W = np.random.randn(4, 3)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return self.dW
"""
RIGHT = {
    "softmax_loss,softmax_grad": (["5,4", "5", "4,3"], "softmax_grad returns no gradient of X beside that of W"),
    "cost,cost_gradient": (["5,3", "5", "3"], "returns no gradient of X and y beside that of theta: data need none"),
    "loss_and_gradient": (["5,4", "5,3", "4,3"], "returns no gradient of X and y beside that of W: data need none"),
}
SQUARE = {"cost,cost_gradient": ["3,3", "3", "3"], "loss_and_gradient": ["4,4", "4,4", "4,4"]}
WRONG = [
    ("softmax_loss,softmax_grad", "A[np.arange(len(X)), y] -= 1", "A[np.arange(len(X)), y] += 1"),
    ("softmax_loss,softmax_grad", "X.T @ A / len(X)", "X.T @ A"),
    ("cost,cost_gradient", "X.T @ (X @ theta - y) /", "X.T @ (y - X @ theta) /"),
    ("cost,cost_gradient", "(X @ theta - y) / len(X)", "(X @ theta - y) / X.size"),
    ("loss_and_gradient", "2 * X.T", "X.T"),
    ("loss_and_gradient", "X.T @ error", "X.T @ y"),
]


def _inputs(shapes):
    return [part for shape in shapes for part in ("--input", shape)]


@pytest.mark.parametrize("name", RIGHT)
def test_it_is_the_gradient_of_the_input_of_its_shape(checked, name):
    shapes, said = RIGHT[name]
    status, out = checked(SOURCE, name, *_inputs(shapes))
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize("name", SQUARE)
def test_of_several_of_its_shape_it_is_that_of_the_weights(checked, name):
    status, out = checked(SOURCE, name, *_inputs(SQUARE[name]))
    assert status == 0, out


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_a_wrong_one_is_accused(checked, name, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *_inputs(RIGHT[name][0]))
    assert status == 1
    assert "grad_input[2]: " in out


@pytest.mark.parametrize(
    ("name", "shapes", "said"),
    [
        ("squared,squared_grad", ["4,3", "4,3"], "grad_input: 12 of 12 elements differ"),
        ("squared_column,squared_column_grad", ["5,1", "5"], "grad_input has shape (5,), expected (5, 1)"),
        ("linear,linear_backward", ["5,4", "4,3"], "grad_input has shape (4, 3), expected (5, 4)"),
        ("Linear", ["5,4"], "backward returns no gradient of it (is the return missing?"),
    ],
)
def test_the_first_input_of_a_layer_or_of_a_loss_needs_its_own(checked, name, shapes, said):
    status, out = checked(SOURCE.replace("return 2 * (a - b)", "return 2 * (b - a)"), name, *_inputs(shapes))
    assert status == 1
    assert said in out
