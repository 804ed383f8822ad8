"""The guesses at mistakes in losses."""

import numpy as np
import pytest
import torch

import scratch.nn as nn
from parity_tests.harness.arrays import array
from parity_tests.harness.compare import check
from parity_tests.tests.diagnosis.test_diagnose import X, edited, report, softmax, wrong

TARGET = np.array([0, 2, 1, 1])


@pytest.mark.parametrize(
    ("cls", "target", "edit", "options", "words"),
    [
        (nn.CrossEntropyLoss, TARGET, lambda d, g: softmax(X) * g / 4, {}, "the target is not subtracted"),
        (nn.CrossEntropyLoss, TARGET, lambda d, g: d / g, {}, "grad_output is ignored"),
        (nn.CrossEntropyLoss, TARGET, lambda d, g: d * len(d), {}, "times 4, the batch size: a missing 1/4"),
        (nn.CrossEntropyLoss, TARGET, lambda d, g: d / g * 4, {}, "grad_output is ignored, and so is the mean's 1/4"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d / g * 12, {}, "so is the mean's 1/12, the number of all"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d / 2, {}, "a factor of 2 is lost"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d * d.size, {}, "the number of all elements: a missing 1/12"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d * 3, {}, "the number of classes or channels"),
    ],
)
def test_a_loss_is_named(cls, target, edit, options, words):
    assert words in str(report(edited(cls, edit), (), X, target, **options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 0.2}, "left out are label_smoothing, grad_output, the mean's 1/N"),
        ({"ignore_index": 2, "reduction": "sum"}, "left out are ignore_index, grad_output"),
    ],
)
def test_the_prediction_minus_the_truth_alone(options, words):
    cls = edited(nn.CrossEntropyLoss, lambda d, g: softmax(X) - np.eye(3)[TARGET])
    assert f"softmax(x) - onehot(target) alone: {words}" in str(report(cls, (), X, TARGET, **options))


def test_the_prediction_minus_the_truth_without_the_classes_weights():
    weight = np.array([0.5, 2.0, 1.5])
    layer = edited(nn.CrossEntropyLoss, lambda d, g: softmax(X) - np.eye(3)[TARGET])(weight=weight)
    said = str(check(layer, torch.nn.CrossEntropyLoss(weight=torch.tensor(weight)), X, TARGET))
    assert "alone: left out are the classes' weights, grad_output, the mean's 1/N" in said


def test_label_smoothing_ignored():
    cls = wrong(nn.CrossEntropyLoss, backward=lambda self, g: nn.CrossEntropyLoss.backward(plain(self), g))

    def plain(loss):
        other = nn.CrossEntropyLoss()
        other(X, TARGET)
        return other

    assert "as if label_smoothing were 0.0" in str(report(cls, (), X, TARGET, label_smoothing=0.2))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (4, "twice what it should be: a scale of 1/sqrt(4) is missing, 4 being the number of input features; or a"),
        (5, "times the root of 5, the number of input features: a scale of 1/sqrt(5) is missing"),
    ],
)
def test_the_scale_of_the_dot_products_of_two_inputs(checked, features, words):
    source = (
        "import numpy as np\n"
        "def scores(q, k): return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])\n"
        "def scores_backward(g, q, k): return g @ k, g.swapaxes(-1, -2) @ q\n"
    )
    sides = ("--input", f"2,2,3,{features}", "--input", f"2,2,7,{features}")
    status, said = checked(source, "scores,scores_backward", *sides)
    assert status == 1
    assert f"grad_input[0], grad_input[1]: {words}" in said
    assert "a path counted twice" not in said


def test_the_diagonal_of_log_softmax():
    said = str(report(edited(nn.LogSoftmax, lambda d, g: g * (1 - softmax(X))), (1,), X))
    assert "g (1 - y): log-softmax's gradient is g - softmax(x) sum(g)" in said


MIXTURE = """
import numpy as np


class MixtureDensity:
    def forward(self, pi_logits, mu, log_sigma, y):
        self.y, self.mu, self.sigma = y.reshape(-1, 1), mu, np.exp(log_sigma)
        e = np.exp(pi_logits - pi_logits.max(axis=1, keepdims=True))
        self.pi = e / e.sum(axis=1, keepdims=True)
        density = self.pi * np.exp(-0.5 * ((self.y - mu) / self.sigma) ** 2) / self.sigma
        total = density.sum(axis=1, keepdims=True)
        self.gamma = density / total
        return -np.log(total).mean()

    def backward(self):
        n = len(self.y)
        d_pi = (self.pi - self.gamma) / n
        d_mu = self.gamma * (self.mu - self.y) / self.sigma**2 / n
        d_ls = self.gamma * (1 - ((self.y - self.mu) / self.sigma) ** 2) / n
        return d_pi, d_mu, d_ls
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("(self.pi - self.gamma)", "(self.gamma - self.pi)", "17, d_pi", "it should be the gradient of pi_logits: "),
        ("self.sigma**2", "self.sigma", "18, d_mu", "it should be the gradient of mu: "),
        ("self.gamma * (1", "(1", "19, d_ls", "it should be the gradient of log_sigma: "),
    ],
)
def test_what_is_returned_as_it_is_should_be_that_gradient(checked, right, wrong, line, said):
    assert MIXTURE.count(right) == 1
    inputs = ["--input", "5,3", "--input", "5,3", "--input", "5,3", "--input", "5"]
    assert checked(MIXTURE, "MixtureDensity", *inputs)[0] == 0
    status, out = checked(MIXTURE.replace(right, wrong), "MixtureDensity", *inputs)
    assert status == 1
    assert f"The first wrong line is line {line}: " in out
    assert said in out
