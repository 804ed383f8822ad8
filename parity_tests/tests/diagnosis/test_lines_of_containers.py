"""The first wrong line of containers: a layer left out, two mixed up; and of a layer in a right container."""

import pytest

SOURCE = """
import numpy as np


class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0)
        return grad @ self.W.T


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, grad):
        return grad * (1 - self.y**2)


class Net:
    def __init__(self):
        self.layers = [Linear(4, 5), Tanh(), Linear(5, 5), Tanh(), Linear(5, 3)]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad):
        for layer in self.layers[::-1]:
            grad = layer.backward(grad)
        return grad


class Two:
    def __init__(self):
        self.one, self.act, self.two, self.other = Linear(4, 5), Tanh(), Linear(5, 3), Linear(4, 3)

    def forward(self, x):
        return self.two.forward(self.act.forward(self.one.forward(x))) * self.other.forward(x)

    def backward(self, grad):
        d_two = grad * (self.other.x @ self.other.W + self.other.b)
        d_other = grad * (self.two.x @ self.two.W + self.two.b)
        d_act = self.two.backward(d_two)
        d_one = self.act.backward(d_act)
        return self.one.backward(d_one) + self.other.backward(d_other)


class Fused:
    '''Its backward takes the gradient of z, which its forward does not return.'''

    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)

    def forward(self, x):
        self.x, self.z = x, x @ self.W
        return np.tanh(self.z)

    def backward(self, dz):
        self.dW = self.x.T @ dz
        return dz @ self.W.T


class Pair:
    def __init__(self):
        self.one, self.two = Fused(4, 5), Fused(5, 3)

    def forward(self, x):
        self.y = self.two.forward(self.one.forward(x))
        return self.y

    def backward(self, dy):
        dz = dy * (1 - self.y**2)
        dz = self.two.backward(dz) * (1 - self.two.x**2)
        return self.one.backward(dz)
"""


@pytest.mark.parametrize("name", ["Net", "Two", "Pair"])
def test_a_right_network_agrees(checked, name):
    status, out = checked(SOURCE, name, "--input", "6,4")
    assert status == 0, out


@pytest.mark.parametrize(
    ("name", "right", "wrong", "line", "layer"),
    [
        ("Net", "in self.layers[::-1]", "in self.layers[:2:-1] + self.layers[1::-1]", "layer.backward(grad)", "Tanh"),
        (
            "Net",
            "in self.layers[::-1]",
            "in self.layers[4:3:-1] + self.layers[2::-1]",
            "layer.backward(grad)",
            "Linear",
        ),
        ("Two", "self.one.backward(d_one)", "self.one.backward(d_act)", "self.one.backward(d_act)", "Linear"),
        ("Two", "d_act = self.two.backward(d_two)", "d_act = self.two.backward(d_other)", "d_other)", "Linear"),
    ],
)
def test_the_container_is_blamed_for_what_it_hands_to_the_wrong_layer(wrong_line, name, right, wrong, line, layer):
    assert SOURCE.count(right) == 1
    marked, said = wrong_line(SOURCE.replace(right, wrong), name, "--input", "6,4")
    assert line in marked
    assert f"which is not what {layer}'s forward returned: a layer in between is left out, or two are mixed up" in said


@pytest.mark.parametrize(
    ("name", "right", "wrong", "line"),
    [
        ("Net", "return grad @ self.W.T", "return 2 * grad @ self.W.T", "return 2 * grad @ self.W.T"),
        ("Net", "self.x.T @ grad, grad", "-self.x.T @ grad, grad", "self.dW, self.db ="),
        ("Net", "return grad * (1 - self.y**2)", "return grad * (1 - self.y)", "return grad * (1 - self.y)"),
        ("Pair", "self.dW = self.x.T @ dz", "self.dW = -self.x.T @ dz", "self.dW ="),
        ("Pair", "return dz @ self.W.T", "return 2 * dz @ self.W.T", "return 2 * dz @ self.W.T"),
    ],
)
def test_a_layer_is_blamed_for_its_own_mistake(wrong_line, name, right, wrong, line):
    assert SOURCE.count(right) == 1
    marked, said = wrong_line(SOURCE.replace(right, wrong), name, "--input", "6,4")
    assert line in marked
    assert "mixed up" not in said
