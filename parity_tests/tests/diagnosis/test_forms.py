"""Further forms: closures, lists of numbers, one tuple of inputs, a flag for the derivative; each with wrong twins."""

import pytest

FORMS = """
import numpy as np


def scaled(params, x):
    def vjp(g):
        return {"W": x.T @ g}, g @ params["W"].T

    return x @ params["W"], vjp


def init():
    return {"W": np.random.RandomState(0).randn(3, 2)}


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * (np.exp(x) - 1))


def elu_backward(g, x, alpha=1.0):
    return g * np.where(x > 0, 1, alpha * np.exp(x))


def swish(x, beta):
    return x / (1 + np.exp(-beta * x))


def dense(n_in, n_out):
    W = np.random.randn(n_in, n_out)
    cache, grads = [], {}

    def forward(x):
        cache.append(x)
        return x @ W

    def backward(dy):
        grads["W"] = cache.pop().T @ dy
        return dy @ W.T

    return forward, backward, {"W": W}, grads


class Inputs:
    def forward(self, inputs):
        x, W, b = inputs
        return (x.dot(W.T) + b,)

    def backward(self, inputs, grad_outputs):
        x, W, b = inputs
        (gy,) = grad_outputs
        return gy.dot(W), gy.T.dot(x), gy.sum(0)


def product(x, w):
    return [a * b for a, b in zip(x, w)]


def product_backward(dout, x, w):
    return [g * b for g, b in zip(dout, w)], [g * a for g, a in zip(dout, x)]


class Lists:
    def __init__(self, n, m):
        self.w = [[0.1 * i - 0.2 * j + 0.3 for j in range(m)] for i in range(n)]

    def forward(self, x):
        assert isinstance(x, list)
        self.x = x
        return [[sum(a * w[j] for a, w in zip(row, self.w)) for j in range(len(self.w[0]))] for row in x]

    def backward(self, g):
        rows = range(len(g))
        self.dw = [[sum(self.x[n][i] * g[n][j] for n in rows) for j in range(len(w))] for i, w in enumerate(self.w)]
        return [[sum(a * b for a, b in zip(row, w)) for w in self.w] for row in g]


def sigmoid(x, deriv=False):
    s = 1 / (1 + np.exp(-x))
    if deriv:
        return s * (1 - s)
    return s


def nonlin(x, derivative=False):
    if derivative:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))
"""

X = ["--input", "5,3"]
LISTS = ["--args", "3, 2", *X]
INPUTS = [*X, "--input", "2,3", "--input", "2"]
VECTORS = ["--input", "3", "--input", "3"]
IN = "grad_input"

RIGHT = [
    ("scaled", ["--args", "params=init()", *X], "scaled(x) -> (y, the pullback)", [IN, "params.grad_W"]),
    ("elu", ["--args", "alpha=0.5", *X], "elu_backward(grad_output)", [IN]),
    ("dense", LISTS, "forward(x) -> y", [IN, "grad_W"]),
    ("Inputs", INPUTS, "grad_outputs = the gradients of y", [f"{IN}[{i}]" for i in range(3)]),
    ("product,product_backward", VECTORS, "arrays are lists of numbers", [f"{IN}[0]", f"{IN}[1]"]),
    ("Lists", LISTS, "arrays are lists of numbers", [IN, "grad_w"]),
    ("sigmoid", X, "deriv=True is taken to mean the derivative, given the same argument", [IN]),
    ("nonlin", X, "derivative=True is taken to mean the derivative, given the output", [IN]),
]


@pytest.mark.parametrize(("name", "options", "read", "compared"), RIGHT, ids=[one[0] for one in RIGHT])
def test_a_right_layer_agrees(check_file, name, options, read, compared):
    status, out, err = check_file(FORMS, name, *options)
    assert (status, err) == (0, ""), out
    assert read in out
    rows = [line.split()[0] for line in out.splitlines() if line]
    assert [quantity for quantity in compared if quantity not in rows] == []


WRONG = [
    (
        "scaled",
        ["--args", "params=init()", *X],
        'return {"W": x.T @ g}',
        'return {"W": -x.T @ g}',
        "params.grad_W: 6 of 6",
    ),
    ("elu", ["--args", "alpha=0.5", *X], "alpha * np.exp(x))", "np.exp(x))", "grad_input"),
    ("dense", LISTS, "cache.pop().T @ dy", "-cache.pop().T @ dy", "grad_W: 6 of 6 elements differ"),
    ("Inputs", INPUTS, "gy.sum(0)", "gy.mean(0)", "grad_input[2]: 2 of 2 elements differ"),
    ("product,product_backward", VECTORS, "g * a for g", "2 * g * a for g", "grad_input[1]: 3 of 3 elements differ"),
    ("Lists", LISTS, "[[sum(self.x[n][i]", "[[-sum(self.x[n][i]", "grad_w: 6 of 6 elements differ"),
    ("sigmoid", X, "return s * (1 - s)", "return s * s", "grad_input: 15 of 15 elements differ"),
    ("nonlin", X, "return x * (1 - x)", "return x * (2 - x)", "grad_input: 15 of 15 elements differ"),
]


@pytest.mark.parametrize(("name", "options", "right", "wrong", "said"), WRONG, ids=[one[0] for one in WRONG])
def test_a_wrong_layer_is_accused(check_file, name, options, right, wrong, said):
    assert right in FORMS
    status, out, err = check_file(FORMS.replace(right, wrong), name, *options)
    assert (status, err) == (1, ""), out
    assert said in out
    assert "def __call__" not in out  # a line of ours


@pytest.mark.parametrize(
    ("name", "given", "signature", "option"),
    [
        ("scaled", "init()", "scaled(params, x)", "params=..."),
        ("elu", "0.5", "elu(x, alpha=1.0)", "alpha=..."),
        ("elu,elu_backward", "0.5", "elu(x, alpha=1.0)", "alpha=..."),
        ("swish", "2.0", "swish(x, beta)", "beta=..."),
        ("swish", "2.0, 3.0", "swish(x, beta)", "beta=..."),
    ],
)
def test_the_options_of_a_function_are_given_by_keyword(check_file, name, given, signature, option):
    status, out, err = check_file(FORMS, name, "--args", given, *X)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert signature in err
    assert f'give what is no input by keyword, as in --args "{option}"' in err
