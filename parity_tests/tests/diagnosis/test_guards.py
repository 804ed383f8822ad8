"""A network whose loss cuts off probabilities: its weights are drawn so small that none is cut off."""

import pytest

NETWORK = """
import numpy as np

EPS = 1e-7


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Classes:
    def __init__(self, n, h, m):
        self.w1 = np.random.randn(n, h) * 0.1
        self.w2 = np.random.randn(h, m) * 0.1

    def forward(self, x):
        self.x = x
        self.h = np.maximum(0, x @ self.w1)
        return softmax(self.h @ self.w2)

    def loss(self, p, y):
        p = np.clip(p, EPS, 1 - EPS)
        return -np.sum(y * np.log(p)) / len(y)

    def backward(self, p, y):
        d = (p - y) / len(y)
        self.dw2 = self.h.T @ d
        dh = d @ self.w2.T * (self.h > 0)
        self.dw1 = self.x.T @ dh


def loss(w, x, y):
    p = softmax(4 * x @ w)
    return -np.sum(y * np.log(np.maximum(p, 1e-6)))


def loss_backward(w, x, y):
    return 4 * x.T @ (softmax(4 * x @ w) - y)
"""

CUTS = [
    "np.clip(p, EPS, 1 - EPS)",
    "np.clip(p, a_min=EPS, a_max=1 - EPS)",
    "p.clip(EPS, 1 - EPS)",
    "np.maximum(p, EPS)",
    "np.where(p < EPS, EPS, p)",
    "p + 0.0; p[p < EPS] = EPS",
]
OPTIONS = ["--args", "4, 6, 3", "--input", "7,4", "--target", "one-hot"]


@pytest.mark.parametrize("cut", CUTS)
def test_the_weights_are_halved_where_the_loss_cuts_a_probability_off(check_file, cut):
    status, out, _ = check_file(NETWORK.replace(CUTS[0], cut), "Classes", *OPTIONS)
    assert status == 0, out
    assert "All agree" in out
    assert "the weights were divided by 2: with larger ones, a logarithm's guard decides what the loss is" in out


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("right", "wrong", "marked"),
    [
        (" * (self.h > 0)", "", "self.dw1 = self.x.T @ dh"),
        ("(p - y) / len(y)", "(p - y)", "d = (p - y)"),
        ("self.x.T @ dh", "-self.x.T @ dh", "self.dw1 = -self.x.T @ dh"),
    ],
)
def test_a_wrong_network_is_accused(wrong_line, cut, right, wrong, marked):
    source = NETWORK.replace(CUTS[0], cut).replace(right, wrong)
    line, _ = wrong_line(source, "Classes", *OPTIONS)
    assert marked in line


def test_another_draw_on_which_a_probability_is_cut_off_accuses_nobody(check_file):
    source = NETWORK.replace("EPS = 1e-7", "EPS = 1e-5").replace("(self.h @ self.w2)", "(0.4 * self.h @ self.w2)")
    source = source.replace("d = (p - y) / len(y)", "d = 0.4 * (p - y) / len(y)")
    status, out, _ = check_file(source, "Classes", *OPTIONS)
    assert status == 0, out
    assert "divided by" not in out
    assert "They agree on 34 other draws" in out
    assert "other draws that were not compared, as rounding or a guard decides there: 1" in out
    for right, wrong in [("0.4 * (p - y)", "(p - y)"), ("d @ self.w2.T", "d @ -self.w2.T")]:
        status, out, _ = check_file(source.replace(right, wrong), "Classes", *OPTIONS)
        assert status == 1
        assert "All agree" not in out


def test_weights_among_the_inputs_are_halved(check_file):
    options = ["--input", "4,3", "--input", "7,4", "--target", "one-hot", "--input", "7,3"]
    status, out, _ = check_file(NETWORK, "loss,loss_backward", *options)
    assert status == 0, out
    for right, wrong in [("return 4 * x.T", "return x.T"), ("(softmax(4 * x @ w) - y)", "softmax(4 * x @ w)")]:
        status, out, _ = check_file(NETWORK.replace(right, wrong), "loss,loss_backward", *options)
        assert status == 1
        assert "All agree" not in out


def test_a_network_that_is_right_at_its_limits_keeps_its_weights(check_file):
    right = "d = (p - y) / len(y)"
    at_limits = "inside = (p > EPS) & (p < 1 - EPS)\n        d = p * (y * inside).sum(axis=1, keepdims=True)"
    at_limits += " / len(y) - y * inside / len(y)"
    status, out, _ = check_file(NETWORK.replace(right, at_limits), "Classes", *OPTIONS)
    assert status == 0, out
    assert "divided by" not in out


def test_a_limit_that_is_no_guard_does_not_count(check_file):
    forward = NETWORK.replace("np.maximum(0, x @ self.w1)", "np.clip(x @ self.w1, 0, 0.5)")
    status, out, _ = check_file(forward.replace(CUTS[0], "p"), "Classes", *OPTIONS)
    assert status == 1
    assert "All agree" not in out
