"""The forms of optimizers, each right and with a wrong line, and those that PyTorch does not have."""

import pytest

ADAM = """
import numpy as np


def adam(step_size, b1=0.9, b2=0.999, eps=1e-8):
    def init(x0):
        return x0, np.zeros_like(x0), np.zeros_like(x0)

    def update(i, g, state):
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * np.square(g) + b2 * v
        mhat = m / (1 - b1 ** (i + 1))
        vhat = v / (1 - b2 ** (i + 1))
        return x - step_size * mhat / (np.sqrt(vhat) + eps), m, v

    def get_params(state):
        return state[0]

    return init, update, get_params


class Lion:
    def __init__(self, lr=1e-4):
        self.lr = lr

    def step(self, w, g):
        return w - self.lr * np.sign(g)
"""

AGAINST = ["--against", "torch.optim.Adam", "--args", "1e-2"]


def test_a_triple_of_functions_is_walked(check_file):
    status, out, err = check_file(ADAM, "adam", *AGAINST)
    assert (status, err) == (0, "")
    assert "adam(...) -> (init, update, get_params)" in out
    assert "All agree: after 300 steps" in out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("b1 ** (i + 1)", "b1 ** (i + 2)", "W has moved by"),
        ("(np.sqrt(vhat) + eps)", "np.sqrt(vhat + eps)", "after step 1 the parameters differ"),
    ],
)
def test_a_wrong_triple_is_accused(check_file, right, wrong, said):
    assert right in ADAM
    status, out, err = check_file(ADAM.replace(right, wrong), "adam", *AGAINST)
    assert (status, err) == (1, "")
    assert said in out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("return init, update, get_params", "return init, update", "adam(0.01) returned 2 values"),
        ("return state[0]", "return state", "get_params returned 3 values, expected an array of shape (3, 4)"),
        ("x, m, v = state", "x, m = state", "too many values to unpack"),
    ],
)
def test_what_was_expected_of_a_function_is_named(check_file, right, wrong, said):
    status, _, err = check_file(ADAM.replace(right, wrong), "adam", *AGAINST)
    assert status == 2
    assert "expected f(w, dw, config) that returns (w, config), or f(options) that returns (init, update" in err
    assert said in err


def test_an_optimizer_that_pytorch_does_not_have_is_named(check_file):
    status, out, err = check_file(ADAM, "Lion", "--args", "lr=1e-3")
    assert (status, out) == (2, "")
    assert "Lion.step looks like an optimizer's step" in err


HEAVY_BALL = """
import numpy as np


class OfArrays:
    def __init__(self, params, lr=0.1):
        self.params, self.lr, self.momentum = params, lr, 0.9
        self.vs = [np.zeros_like(p) for p in params]

    def step(self, grads):
        for i, g in enumerate(grads):
            self.vs[i] = 0.9 * self.vs[i] + g
            self.params[i] -= self.lr * self.vs[i]


class OfPairs:
    def __init__(self, learning_rate=0.1, momentum=0.9):
        self.learning_rate, self.momentum, self.vs = learning_rate, momentum, {}

    def apply_gradients(self, grads_and_vars):
        for i, (g, var) in enumerate(grads_and_vars):
            self.vs[i] = self.momentum * self.vs.get(i, 0) + g
            var -= self.learning_rate * self.vs[i]


class OfLayer:
    def __init__(self, learning_rate=0.1, momentum=0.9):
        self.learning_rate, self.momentum = learning_rate, momentum

    def update_params(self, layer):
        if not hasattr(layer, "mw"):
            layer.mw, layer.mb = np.zeros_like(layer.weights), np.zeros_like(layer.biases)
        layer.mw = self.momentum * layer.mw + layer.dweights
        layer.mb = self.momentum * layer.mb + layer.dbiases
        layer.weights += -self.learning_rate * layer.mw
        layer.biases += -self.learning_rate * layer.mb


class OfModel:
    def __init__(self, model, lr=0.1, momentum=0.9):
        self.layers, self.lr, self.momentum = model.layers, lr, momentum
        self.v = [(0, 0) for _ in model.layers]

    def step(self):
        for i, layer in enumerate(self.layers):
            vw, vb = self.v[i]
            self.v[i] = self.momentum * vw + layer.dLdW, self.momentum * vb + layer.dLdb
            layer.W = layer.W - self.lr * self.v[i][0]
            layer.b = layer.b - self.lr * self.v[i][1]


class SetUp:
    def __init__(self, lr=0.1, momentum=0.9):
        self.lr, self.momentum, self.vs = lr, momentum, {}

    def setup(self, target):
        self.target = target

    def update(self):
        for p in self.target.params():
            v = self.vs.setdefault(id(p), np.zeros_like(p.data))
            v *= self.momentum
            v -= self.lr * p.grad.data
            p.data += v


class ByName:
    def __init__(self, lr=0.1, momentum=0.9):
        self.lr, self.momentum, self.cache, self.steps = lr, momentum, {}, 0

    def step(self):
        self.steps += 1

    def __call__(self, param, param_grad, param_name):
        v = self.momentum * self.cache.get(param_name, 0) + self.lr * param_grad
        self.cache[param_name] = v
        return param - v


def pure(w, g, v, lr=0.1, momentum=0.9):
    v = momentum * v + g
    return w - lr * v, v


def of_course(parameters, grads, v, learning_rate=0.1, momentum=0.9):
    for key in list(parameters):
        v["d" + key] = momentum * v["d" + key] + grads["d" + key]
        parameters[key] = parameters[key] - learning_rate * v["d" + key]
    return parameters, v


def in_place(params, grads, velocities, lr, momentum=0.9):
    for p, g, v in zip(params, grads, velocities):
        v[:] = momentum * v + g
        p -= lr * v
"""


@pytest.mark.parametrize(
    ("name", "said", "right", "wrong"),
    [
        ("OfArrays", "step(grads), a list; the constructor takes arrays", "+ g", "- g"),
        ("OfPairs", "apply_gradients(pairs of a gradient and a parameter)", "var -= self", "var -= 2 * self"),
        ("OfLayer", "update_params(layer)", "biases += -self.learning_rate * layer.mb", "biases += -layer.mb"),
        ("OfModel", "step(); the constructor takes a network", "- self.lr * self.v[i][1]", "- self.lr * layer.dLdb"),
        ("SetUp", "update()", "v -= self.lr * p.grad.data", "v -= p.grad.data"),
        ("ByName", "__call__(w, grad, name), one optimizer", "return param - v", "return param - 2 * v"),
        ("pure", "pure(w, dw, v) -> (w, v)", "momentum * v + g", "momentum * v + (1 - momentum) * g"),
        ("of_course", "of_course(params, grads, v), dictionaries of W1 and dW1", '+ grads["d"', '- grads["d"'),
        ("in_place", "in_place(params, grads, velocities), lists", "p -= lr", "p -= momentum * lr"),
    ],
)
def test_each_form_is_walked_and_its_wrong_twin_accused(check_file, name, said, right, wrong):
    assert HEAVY_BALL.count(right) >= 1
    options = ["--against", "torch.optim.SGD", "--args", "lr=0.05"]
    status, out, err = check_file(HEAVY_BALL, name, *options)
    assert (status, err) == (0, ""), out
    assert said in out
    assert "All agree: after 300 steps" in out
    at = HEAVY_BALL.index(right, HEAVY_BALL.index(f" {name}("[: -1 if name[0].isupper() else None]))
    twin = HEAVY_BALL[:at] + HEAVY_BALL[at:].replace(right, wrong, 1)
    status, out, err = check_file(twin, name, *options)
    assert (status, err) == (1, "")
    assert "the parameters differ" in out


def test_gradients_that_are_clipped_are_found(check_file):
    right = "velocities):\n        v[:] = momentum * v + g"
    assert right in HEAVY_BALL
    wrong = HEAVY_BALL.replace(right, right.replace("+ g", "+ np.clip(g, -9, 9)"))
    status, out, _ = check_file(wrong, "in_place", "--against", "torch.optim.SGD", "--args", "lr=0.05")
    assert status == 1
    assert "the parameters differ" in out


@pytest.mark.parametrize(("eps", "expected"), [("1e-7", "eps=1e-07"), ("1e-3", "W has moved by")])
def test_an_eps_in_the_formula_is_recognized(check_file, eps, expected):
    source = ADAM.replace(", eps=1e-8", "").replace(" + eps)", f" + {eps})")
    status, out, _ = check_file(source, "adam", *AGAINST)
    assert status == (0 if eps == "1e-7" else 1)
    assert expected in out
