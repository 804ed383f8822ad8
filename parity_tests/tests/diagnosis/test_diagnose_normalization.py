"""The guesses at mistakes in normalization: paths forgotten, other variances, axes and running statistics."""

import numpy as np
import pytest
import torch

import scratch.nn as nn
from parity_tests.harness.arrays import random_state
from parity_tests.harness.compare import check
from parity_tests.tests.diagnosis.test_diagnose import IMAGE, X, report, wrong

NORMS = [(nn.BatchNorm2d, (4,), (0, 2, 3)), (nn.LayerNorm, ([7, 5],), (2, 3)), (nn.GroupNorm, (2, 4), (2,))]


def mean_forgotten(self, g):
    """Return batch norm's gradient with only the path through the variance."""
    x, gamma = X, self.weight.data
    std = np.sqrt(x.var(axis=0) + self.eps)
    x_hat, g = (x - x.mean(axis=0)) / std, g * gamma
    return (g - x_hat * (g * x_hat).mean(axis=0)) / std


def variance_forgotten(self, g):
    """Return batch norm's gradient with only the path through the mean."""
    g = g * self.weight.data
    return (g - g.mean(axis=0)) / np.sqrt(X.var(axis=0) + self.eps)


def both_forgotten(self, g):
    """Return batch norm's gradient with its statistics treated as constants."""
    return g * self.weight.data / np.sqrt(X.var(axis=0) + self.eps)


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (variance_forgotten, "the path through the variance is forgotten"),
        (mean_forgotten, "the path through the mean is forgotten"),
        (both_forgotten, "the paths through the mean and the variance are forgotten"),
    ],
)
def test_a_path_through_the_statistics_is_missed(gradient, words):
    cls = wrong(nn.BatchNorm1d, backward=lambda self, g: (self.right(g), gradient(self, g))[1])
    assert words in str(report(cls, (3,), X))


@pytest.mark.parametrize(
    ("std", "words"),
    [
        (lambda x: np.sqrt(x.var(axis=0, ddof=1) + 0.1), "normalized by the unbiased variance"),
        (lambda x: np.sqrt(x.var(axis=0)) + 0.1, "eps is added to the standard deviation"),
        (lambda x: x.var(axis=0) + 0.1, "divided by the variance"),
        (lambda x: np.sqrt(x.var(axis=0)), "eps is left out"),
    ],
)
def test_another_standard_deviation_is_recognized(std, words):
    def forward(self, x):
        nn.BatchNorm1d.forward(self, x)
        return (x - x.mean(axis=0)) / std(x) * self.weight.data + self.bias.data

    assert words in str(report(wrong(nn.BatchNorm1d, forward=forward), (3,), X, eps=0.1))


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (lambda old, x: old, "not updated in training"),
        (lambda old, x: x.var(axis=0, ddof=1), "momentum is not applied"),
        (lambda old, x: 0.1 * old + 0.9 * x.var(axis=0, ddof=1), "momentum on the wrong side"),
        (lambda old, x: 0.9 * old + 0.1 * x.var(axis=0), "computed from the biased variance"),
    ],
)
def test_another_running_variance_is_recognized(update, words):
    def forward(self, x):
        old = self.running_var.copy()
        y = nn.BatchNorm1d.forward(self, x)
        self.running_var[...] = update(old, x)
        return y

    assert words in str(report(wrong(nn.BatchNorm1d, forward=forward), (3,), X))


def test_training_and_evaluation_confused():
    def forward(self, x):
        return nn.BatchNorm1d.forward(self.train(), x)

    layer = random_state(wrong(nn.BatchNorm1d, forward=forward)(3, dtype=np.float64)).eval()
    assert "what training mode in evaluation gives" in str(check(layer, torch.nn.BatchNorm1d(3), X))


def test_the_running_deviation_in_training():
    def backward(self, g):
        return self.right(g) * np.sqrt(X.var(axis=0) + self.eps) / np.sqrt(self.running_var + self.eps)

    assert "divided by the running standard deviation" in str(report(wrong(nn.BatchNorm1d, backward=backward), (3,), X))


def test_other_axes():
    def forward(self, x):
        nn.LayerNorm.forward(self, x)
        return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + self.eps) * self.weight.data + self.bias.data

    said = str(report(wrong(nn.LayerNorm, forward=forward), (3,), X))
    assert "normalized over axes (0,), not (1,)" in said


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (lambda std: std, "the division by the standard deviation is missing"),
        (lambda std: 1 / std, "divided by the variance instead of its root"),
    ],
)
@pytest.mark.parametrize(("base", "args", "axes"), NORMS)
def test_another_power_of_the_deviation(base, args, axes, factor, words):
    def backward(self, g):
        grad_input = self.right(g).reshape(view(IMAGE))
        std = np.sqrt(IMAGE.reshape(view(IMAGE)).var(axis=axes, keepdims=True) + self.eps)
        return (grad_input * factor(std)).reshape(g.shape)

    def view(x):
        return (2, 2, -1) if base is nn.GroupNorm else x.shape

    assert f"grad_input: {words}" in str(report(wrong(base, backward=backward), args, IMAGE))


def test_a_group_norm_that_looks_at_every_channel():
    def forward(self, x):
        nn.GroupNorm.forward(self, x)
        centred = x - x.mean(axis=(1, 2, 3), keepdims=True)
        x_hat = centred / np.sqrt(x.var(axis=(1, 2, 3), keepdims=True) + self.eps)
        return x_hat * self.weight.data[:, None, None] + self.bias.data[:, None, None]

    said = str(report(wrong(nn.GroupNorm, forward=forward), (2, 4), IMAGE))
    assert "normalized over axes (1, 2, 3) of the input" in said
