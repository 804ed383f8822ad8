"""The guesses at mistakes in losses."""

import numpy as np
import pytest

import scratch.nn as nn
from parity_tests.harness.arrays import array
from parity_tests.tests.diagnosis.test_diagnose import X, edited, report, softmax, wrong

TARGET = np.array([0, 2, 1, 1])


@pytest.mark.parametrize(
    ("cls", "target", "edit", "options", "words"),
    [
        (nn.CrossEntropyLoss, TARGET, lambda d, g: softmax(X) * g / 4, {}, "the target is not subtracted"),
        (nn.CrossEntropyLoss, TARGET, lambda d, g: d / g, {}, "grad_output is ignored"),
        (nn.CrossEntropyLoss, TARGET, lambda d, g: d * len(d), {}, "times 4, the batch size: a missing 1/4"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d / 2, {}, "a factor of 2 is lost"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d * d.size, {}, "the number of all elements: a missing 1/12"),
        (nn.MSELoss, array((4, 3), seed=9), lambda d, g: d * 3, {}, "the number of classes or channels"),
    ],
)
def test_a_loss_is_named(cls, target, edit, options, words):
    assert words in str(report(edited(cls, edit), (), X, target, **options))


def test_label_smoothing_ignored():
    cls = wrong(nn.CrossEntropyLoss, backward=lambda self, g: nn.CrossEntropyLoss.backward(plain(self), g))

    def plain(loss):
        other = nn.CrossEntropyLoss()
        other(X, TARGET)
        return other

    assert "as if label_smoothing were 0.0" in str(report(cls, (), X, TARGET, label_smoothing=0.2))


def test_the_diagonal_of_log_softmax():
    said = str(report(edited(nn.LogSoftmax, lambda d, g: g * (1 - softmax(X))), (1,), X))
    assert "g (1 - y): log-softmax's gradient is g - softmax(x) sum(g)" in said
