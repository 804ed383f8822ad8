"""A network that ends in a softmax or a sigmoid, and whose backward expects p - y: what to hand in is said."""

import pytest

SOURCE = """
import numpy as np


class Net:
    def __init__(self, n, h, m):
        self.W1, self.b1 = np.random.randn(n, h), np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, m), np.zeros(m)

    def end(self, z):
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    def forward(self, x):
        self.x = x
        self.a1 = np.tanh(x @ self.W1 + self.b1)
        z2 = self.a1 @ self.W2 + self.b2
        return self.end(z2)

    def backward(self, dout):
        m = len(self.x)
        self.dW2 = self.a1.T @ dout / m
        self.db2 = dout.sum(axis=0) / m
        dz1 = dout @ self.W2.T * (1 - self.a1**2)
        self.dW1 = self.x.T @ dz1 / m
        self.db1 = dz1.sum(axis=0) / m
"""

SOFTMAX = "e = np.exp(z - np.max(z, axis=1, keepdims=True))\n        return e / np.sum(e, axis=1, keepdims=True)"
ENDS = {
    "softmax": (SOFTMAX, "one-hot", "the cross-entropy -sum(y log p)"),
    "sigmoid": ("return 1 / (1 + np.exp(-z))", "binary", "the binary cross-entropy"),
}
SHARES = {"averaged": "m = len(self.x)", "summed": "m = 1"}
OPTIONS = ["--args", "4, 6, 3", "--input", "7,4"]


def source(end, share):
    return SOURCE.replace(SOFTMAX, ENDS[end][0]).replace(SHARES["averaged"], SHARES[share])


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("end", ENDS)
def test_what_has_to_be_handed_in_is_said(checked, end, share):
    written = source(end, share)
    status, out = checked(written, "Net", *OPTIONS)
    assert status == 1
    assert f"-> backward leaves out the {end}: its gradients are right for an upstream gradient of z2" in out
    assert f"hand in p - y, which is the gradient of {ENDS[end][2]} with respect to z2" in out
    assert ("each parameter's as a mean over the 7 examples" in out) == (share == "averaged")
    assert "first wrong line" not in out
    # What it prints to check it with its loss does check it.
    pasted = out[out.index("import numpy") :].partition("from my import Net\n")[2]
    options = [*OPTIONS, "--target", ENDS[end][1]]
    status, out = checked(written + pasted, "WithLoss", *options)
    assert status == 0, out
    assert "All agree" in out
    for right, wrong in WRONG:
        status, out = checked(written.replace(right, wrong) + pasted, "WithLoss", *options)
        assert status == 1
        assert "All agree" not in out


WRONG = [(" * (1 - self.a1**2)", ""), ("dz1.sum(axis=0)", "dz1.mean(axis=0)"), ("self.dW2 = ", "self.dW2 = -")]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("end", ENDS)
def test_a_wrong_network_is_no_matter_of_what_is_handed_in(checked, end, share, right, wrong):
    status, out = checked(source(end, share).replace(right, wrong), "Net", *OPTIONS)
    assert status == 1
    assert "hand in" not in out


def test_another_function_at_the_end_is_none_of_this(checked):
    status, out = checked(source("softmax", "summed").replace(SOFTMAX, "return np.arctan(z)"), "Net", *OPTIONS)
    assert status == 1
    assert "hand in" not in out
