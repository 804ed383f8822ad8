"""Losses of sequences and images whose classes lie along the last axis, not along axis 1 as PyTorch has them."""

import pytest

SOURCE = """
import numpy as np


def shares(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class OverTime:
    ignored = -1

    def forward(self, scores, targets):
        n, length, classes = scores.shape
        self.shape, self.targets = scores.shape, targets.reshape(n * length)
        self.kept = self.targets != self.ignored
        self.p = shares(scores.reshape(n * length, classes))
        losses = -np.log(self.p[np.arange(n * length), self.targets])
        return losses[self.kept].sum() / self.kept.sum()

    def backward(self):
        d = self.p.copy()
        d[np.arange(len(d)), self.targets] -= 1
        return (d * self.kept[:, None] / self.kept.sum()).reshape(self.shape)


def of_words(scores, targets):
    top = scores.max(-1)
    logs = np.log(np.exp(scores - top[..., None]).sum(-1)) + top
    return (logs - np.take_along_axis(scores, targets[..., None], -1)[..., 0]).mean()


def of_words_grad(scores, targets):
    return (shares(scores) - np.eye(scores.shape[-1])[targets]) / targets.size


class OneHot:
    def forward(self, scores, t):
        self.p, self.t = shares(scores), t
        return -(t * np.log(self.p)).sum() / t[..., 0].size

    def backward(self):
        return (self.p - self.t) / self.t[..., 0].size
"""
TIME = ["--input", "3,4,5", "--target", "classes"]
SQUARE = ["--input", "3,5,5", "--target", "classes"]
PIXELS = ["--input", "2,3,4,5", "--target", "classes"]
ROWS = ["--input", "3,4,5", "--target", "one-hot"]
VALUES = ["--input", "3,4,5", "--target", "values"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("OverTime", TIME, "They agree with targets of -1, which are ignored, too."),
        ("OverTime", SQUARE, "They agree with targets of -1, which are ignored, too."),
        ("of_words,of_words_grad", TIME, "classes 0 to 4: those of the last axis of the input"),
        ("of_words,of_words_grad", PIXELS, "classes 0 to 4: those of the last axis of the input"),
        ("OneHot", ROWS, "one-hot rows along the last axis"),
        ("OneHot", VALUES, "its backward assumes that each row of the target sums to one"),
    ],
)
def test_a_right_loss_is_not_accused(checked, name, options, said):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("OverTime", TIME, "* self.kept[:, None]", ""),
        ("OverTime", SQUARE, "* self.kept[:, None]", ""),
        ("OverTime", TIME, "/ self.kept.sum()).reshape", "/ len(d)).reshape"),
        ("OverTime", TIME, "/ self.kept.sum()).reshape", "/ self.shape[0]).reshape"),
        ("of_words,of_words_grad", TIME, "/ targets.size", "/ len(targets)"),
        ("of_words,of_words_grad", PIXELS, "/ targets.size", "/ targets[0].size"),
        ("of_words,of_words_grad", TIME, "shares(scores) - np", "shares(scores.swapaxes(1, 2)).swapaxes(1, 2) - np"),
        ("OneHot", ROWS, "self.t) / self.t[..., 0].size", "self.t) / len(self.t)"),
        ("OneHot", ROWS, "(self.p - self.t)", "(self.p - self.t / 2)"),
        ("OneHot", VALUES, "self.t) / self.t[..., 0].size", "self.t) / len(self.t)"),
    ],
)
def test_a_wrong_loss_is_accused(checked, name, options, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out
