"""Networks with forward(x) and a loss of two arguments beside it, under any names and in either order."""

import pytest

NETWORK = """
import numpy as np


class Net:
    def __init__(self, n, h, k):
        self.W1, self.W2, self.b2 = np.random.randn(n, h) * 0.5, np.random.randn(h, k) * 0.5, np.zeros((1, k))

    def forward(self, X):
        self.A1 = np.tanh(X @ self.W1)
        z = self.A1 @ self.W2 + self.b2
        self.A2 = OUTPUT
        return self.A2

    LOSS

    def backward(self, X, y):
        m = len(y)
        dZ2 = SLOPE
        self.dW2 = self.A1.T @ dZ2
        self.db2 = dZ2.sum(axis=0, keepdims=True)
        self.dW1 = X.T @ (dZ2 @ self.W2.T * (1 - self.A1**2))

    def train_step(self, X, y, lr=0.1):
        self.forward(X)
        self.backward(X, y)
        self.W1 -= lr * self.dW1
        self.W2 -= lr * self.dW2
        self.b2 -= lr * self.db2
"""
SIGMOID, BOTH = "1 / (1 + np.exp(-z))", "(self.A2 - y) / m"
BINARY = "-np.mean({y} * np.log({p}) + (1 - {y}) * np.log(1 - {p}))"
GUARDED = "-np.mean({y} * np.log({p} + 1e-8) + (1 - {y}) * np.log(1 - {p} + 1e-8))"
CLIPPED = "-np.mean({y} * np.log(np.clip({p}, 1e-7, 1 - 1e-7)) + (1 - {y}) * np.log(1 - np.clip({p}, 1e-7, 1 - 1e-7)))"
SQUARES = "np.mean(({y} - {p}) ** 2)"
ROWS = "-np.sum({y} * np.log({p} + 1e-12)) / len({y})"
SHARES = "np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)"
NAMES = [
    ("compute_loss", "y", "y_hat"),
    ("loss", "y_true", "y_pred"),
    ("loss", "y", "output"),
    ("compute_cost", "Y", "A2"),
    ("loss", "target", "pred"),
    ("compute_loss", "labels", "A"),
    ("cost", "d", "u"),
]
KINDS = {
    "binary": (SIGMOID, BINARY, BOTH, 1, ["--input", "7,1", "--target", "binary"]),
    "guarded": (SIGMOID, GUARDED, BOTH, 1, ["--input", "7,1", "--target", "binary"]),
    "clipped": (SIGMOID, CLIPPED, BOTH, 1, ["--input", "7,1", "--target", "binary"]),
    "squares": ("z", SQUARES, "2 * (self.A2 - y) / y.size", 3, ["--input", "7,3"]),
    "one number": ("z", SQUARES, "2 * (self.A2 - y) / y.size", 1, ["--input", "7,1"]),
    "as wide as the data": ("z", SQUARES, "2 * (self.A2 - y) / y.size", 4, ["--input", "7,4"]),
    "rows": (SHARES, ROWS, BOTH, 3, ["--input", "7,3", "--target", "one-hot"]),
}
MISTAKES = [
    ("self.A1.T @ dZ2", "self.A1.T @ dZ2 / m"),
    ("(1 - self.A1**2)", "(1 - self.A1)"),
    ("dZ2.sum(axis=0, keepdims=True)", "-dZ2.sum(axis=0, keepdims=True)"),
]


def written(kind, loss):
    output, body, slope, width, inputs = KINDS[kind]
    source = NETWORK.replace("OUTPUT", output).replace("SLOPE", slope).replace("LOSS", loss(body))
    return source, ["--args", f"4, 6, {width}", "--input", "7,4", *inputs]


def method(name, y, p, turned):
    arguments = f"{p}, {y}" if turned else f"{y}, {p}"
    return lambda body: f"def {name}(self, {arguments}):\n        return {body.format(y=y, p=p)}"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("names", NAMES, ids=lambda names: "-".join(names))
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_what_forward_returns(checked, kind, names, turned):
    source, options = written(kind, method(*names, turned))
    status, out = checked(source, "Net", *options)
    assert status == 0, out
    assert f"{names[0]} of what forward returns" in out or f"with {names[2]} for what forward returns" in out
    assert all(f"\ngrad_{name} " in out for name in ("W1", "W2", "b2"))
    status, out = checked(source, "Net.train_step", *options)
    assert status == 0, out
    assert "All agree: two steps, 3 parameters." in out


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
@pytest.mark.parametrize("names", [*NAMES[:2], NAMES[-1]], ids=lambda names: "-".join(names))
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_twins_are_accused(checked, kind, names, right, wrong):
    source, options = written(kind, method(*names, turned=False))
    assert source.count(right) == 1
    source = source.replace(right, wrong)
    for name in ("Net", "Net.train_step"):
        status, out = checked(source, name, *options)
        assert status == 1
        assert "differ" in out or "not along the gradient" in out


STATIC = "@staticmethod\n    def loss(y_true, y_pred):\n        return {body}"
OF_TARGET = "def compute_loss(self, y):\n        return {body}"
PENALIZED = "def loss(self, y_pred, y):\n        return {body} + 0.1 * np.sum(self.W1**2)"
DECAY = ("self.dW1 = X.T @ (dZ2 @ self.W2.T * (1 - self.A1**2))", "X.T @ (dZ2 @ self.W2.T * (1 - self.A1**2))")


@pytest.mark.parametrize(
    ("loss", "y", "p", "read"),
    [
        (STATIC, "y_true", "y_pred", "the loss is loss of what forward returns"),
        (OF_TARGET, "y", "self.A2", "the loss is compute_loss, after forward"),
        (PENALIZED, "y", "y_pred", "the loss is loss of what forward returns"),
    ],
)
def test_other_forms_of_a_loss(checked, loss, y, p, read):
    source, options = written("guarded", lambda body: loss.replace("{body}", body.format(y=y, p=p)))
    if loss is PENALIZED:
        source = source.replace(DECAY[0], f"self.dW1 = 0.2 * self.W1 + {DECAY[1]}")
    status, out = checked(source, "Net", *options)
    assert status == 0, out
    assert read in out
    for right, wrong in MISTAKES:
        assert checked(source.replace(right, wrong), "Net", *options)[0] == 1
    if loss is PENALIZED:
        assert checked(source.replace("0.2 * self.W1", "0.1 * self.W1"), "Net", *options)[0] == 1


def test_a_held_function_takes_the_target_first_by_its_names(checked):
    source, options = written("guarded", lambda body: "held = 0")
    function = f"\n\ndef bce(y_true, y_pred):\n    return {GUARDED.format(y='y_true', p='y_pred')}\n"
    source = source.replace("np.zeros((1, k))", "np.zeros((1, k))\n        self.loss = bce") + function
    status, out = checked(source, "Net", *options)
    assert status == 0, out
    assert "the loss is self.loss of what forward returns" in out
    for right, wrong in MISTAKES:
        assert checked(source.replace(right, wrong), "Net", *options)[0] == 1


def test_a_wrong_loss_is_not_made_right_by_the_order_of_its_arguments(checked):
    source, options = written("guarded", method("cost", "d", "u", turned=False))
    for right, wrong in (("-np.mean", "-np.sum"), ("(1 - d) * np.log(1 - u", "(1 - d) * np.log(2 - u")):
        assert source.count(right) == 1
        status, out = checked(source.replace(right, wrong), "Net", *options)
        assert status == 1
        assert "assumed to be" in out
