"""The gradients of hidden layers among what backward returns are compared with those of the tape."""

import pytest

from parity_tests.tests.diagnosis.course_networks import DEEP, THREE_LAYERS

COST = THREE_LAYERS.replace("np.nansum", "np.sum")
MASKED = COST.replace(
    "    Z3 = np", "    D2 = np.random.rand(*A2.shape) < 0.5\n    A2 = A2 * D2\n    A2 = A2 / 0.5\n    Z3 = np"
)
MASKED = MASKED.replace("A2, W2, b2, Z3, A3, W3, b3)", "A2, W2, b2, Z3, A3, W3, b3, D2)")
MASKED = MASKED.replace("    dZ2 = ", "    dA2 = dA2 * D2\n    dA2 = dA2 / 0.5\n    dZ2 = ")

LAYERS = """
import math

import numpy as np


class InDictionary:
    def __init__(self, i, h, o):
        self.p = {"W1": np.random.randn(i, h), "W2": np.random.randn(h, o)}
        self.cache = {}

    def forward(self, x):
        self.x = x
        self.cache["Z1"] = x @ self.p["W1"]
        self.cache["A1"] = np.tanh(self.cache["Z1"])
        return self.cache["A1"] @ self.p["W2"]

    def backward(self, dz2):
        a1 = self.cache["A1"]
        da1 = dz2 @ self.p["W2"].T
        dz1 = da1 * (1 - a1**2)
        return {"dW2": a1.T @ dz2, "dA1": da1, "dZ1": dz1, "dW1": self.x.T @ dz1, "dx": dz1 @ self.p["W1"].T}


class InAttributes(InDictionary):
    def forward(self, x):
        self.x, self.z1 = x, x @ self.p["W1"]
        self.a1 = np.tanh(self.z1)
        self.cache = {"A1": self.a1}
        return self.a1 @ self.p["W2"]


class InALoop(InDictionary):
    def forward(self, x):
        self.x = x
        z1, a1 = np.empty((2, len(x), self.p["W1"].shape[1]))
        for i in range(len(x)):
            z1[i] = x[i] @ self.p["W1"]
            a1[i] = np.tanh(z1[i])
        self.cache["A1"] = a1
        return self.cache["A1"] @ self.p["W2"]


class ByExample(InDictionary):
    def forward(self, x):
        self.x, rows = x, []
        for example in x:
            a1 = np.tanh(example @ self.p["W1"])
            rows.append(a1)
        self.cache["A1"] = np.array(rows)
        return self.cache["A1"] @ self.p["W2"]


class NotFollowed(InDictionary):
    def forward(self, x):
        self.x = x
        self.cache["A1"] = np.array([[math.tanh(z) for z in row] for row in x @ self.p["W1"]])
        return self.cache["A1"] @ self.p["W2"]
"""

NETWORK = ["--input", "5,4", "--input", "1,4"]
LAYER = ["--args", "4, 6, 3", "--input", "5,4"]
PROPAGATION = "forward_propagation,backward_propagation"
SUMMED = "dZ3, dA2, dZ2, dA1, dZ1 of what backward returns: the tape finds the same gradients of the loss summed over"
SAME = "dA1, dZ1 of what backward returns: the tape finds the same gradients"

CASES = [
    (COST, PROPAGATION, NETWORK, SUMMED, '"dA1": dA1', '"dA1": 2 * dA1', "dA1"),
    (COST, PROPAGATION, NETWORK, SUMMED, '"dZ2": dZ2', '"dZ2": dA2', "dZ2"),
    (COST, PROPAGATION, NETWORK, SUMMED, '"dZ3": dZ3', '"dZ3": dZ3 * A3', "dZ3"),
    (COST, PROPAGATION, NETWORK, SUMMED, '"dZ1": dZ1', '"dZ1": dZ1 / m', "dZ1"),
    (MASKED, PROPAGATION, NETWORK, SUMMED, '"dA2": dA2', '"dA2": dA2 * D2 / 0.5', "dA2"),
    (LAYERS, "InDictionary", LAYER, SAME, '"dA1": da1', '"dA1": dz1', "dA1"),
    (LAYERS, "InDictionary", LAYER, SAME, '"dZ1": dz1', '"dZ1": dz1.sum(axis=0)', "dZ1"),
    (LAYERS, "InALoop", LAYER, SAME, '"dA1": da1', '"dA1": dz1', "dA1"),
    (LAYERS, "InAttributes", LAYER, SAME, '"dZ1": dz1', '"dZ1": -dz1', "dZ1"),
]


@pytest.mark.parametrize(("source", "name", "options", "said", "right", "wrong", "of"), CASES, ids=range(len(CASES)))
def test_a_wrong_gradient_of_a_hidden_layer_is_named(check_file, source, name, options, said, right, wrong, of):
    assert right in source
    status, out, err = check_file(source, name, *options)
    assert (status, err) == (0, ""), out
    assert "All agree." in out
    assert said in out
    assert "the gradient of no input or parameter" not in out
    status, out, err = check_file(source.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert "All agree" not in out
    assert f"{of} of what backward returns " in out
    assert "the tape finds another gradient" in out


@pytest.mark.parametrize(
    ("source", "name", "options", "strays"),
    [
        (LAYERS, "NotFollowed", LAYER, "dA1, dZ1"),
        (LAYERS, "ByExample", LAYER, "dA1, dZ1"),  # a1 is an example's
        (DEEP, "L_model_forward,L_model_backward", NETWORK, "dA2, dA1"),  # its forward calls every layer A
    ],
)
def test_what_cannot_be_compared_is_named(check_file, source, name, options, strays):
    status, out, _ = check_file(source, name, *options)
    assert status == 0
    assert f"note: {strays} of what" in out
    assert "the gradient of no input or parameter that was found; not compared" in out


@pytest.mark.parametrize("source", [COST, THREE_LAYERS])
def test_no_line_is_blamed_that_leaves_out_the_number_of_examples(check_file, source):
    wrong = source.replace("db1 = 1. / m", "db1 = 4. / m")
    named = wrong.replace("    return {\n", "    grads = {\n") + "    return grads\n"
    for twin, said in (
        (wrong, ""),
        (named, "Cannot tell which line is wrong: grads['dZ3'] is that of the loss's sum."),
    ):
        status, out, _ = check_file(twin, PROPAGATION, *NETWORK)
        assert status == 1
        assert "parameters.grad_b1: 4 of 4 elements differ" in out
        assert said in out
        assert "The first wrong line" not in out
        assert "self._found" not in out  # a line of ours


def test_wrong_parameters_are_named_first(check_file):
    status, out, _ = check_file(COST.replace("dW2 = 1. / m", "dW2 = 2. / m"), PROPAGATION, *NETWORK)
    assert status == 1
    assert "parameters.grad_W2: 18 of 24 elements differ" in out  # beside the units that a ReLU keeps at zero
    assert "the tape finds another" not in out


SIAMESE = """
import numpy as np


class Siamese:
    def __init__(self):
        self.W1, self.W2 = np.ones((3, 2)), np.ones((4, 2))

    def forward(self, x1, x2):
        self.x1, self.x2 = x1, x2
        self.y = np.tanh(x1 @ self.W1 + x2 @ self.W2)
        return self.y

    def backward(self, dy):
        dz = dy * (1 - self.y**2)
        return {"dx1": dz @ self.W1.T, "dx2": dz @ self.W2.T, "dW1": self.x1.T @ dz, "dW2": self.x2.T @ dz}
"""


def test_an_inputs_gradient_is_none_of_a_hidden_layer_whatever_its_number(checked):
    options = ["Siamese", "--input", "5,3", "--input", "5,4"]
    status, out = checked(SIAMESE, *options)
    assert (status, "All agree." in out) == (0, True), out
    status, out = checked(SIAMESE.replace('"dx1": dz', '"dx1": 2 * dz'), *options)
    assert status == 1
    assert "grad_input[0]: 15 of 15 elements differ" in out
    assert "grad_input[1], grad_W1 and grad_W2 agree" in out
    assert "differs: the tape" not in out
