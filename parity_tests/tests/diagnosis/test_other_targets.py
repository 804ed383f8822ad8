"""Targets of classes that were not drawn: a mistake in one class does not show where no example is of it."""

import pytest

SOURCE = """
import numpy as np


class Binary:
    def forward(self, x, y):
        self.p, self.y = 1 / (1 + np.exp(-x)), y
        return -(y * np.log(self.p) + (1 - y) * np.log(1 - self.p)).mean()

    def backward(self):
        return (self.p - self.y) / self.y.size


class Classes:
    ignored = None

    def forward(self, x, y):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.y, self.kept = e / e.sum(axis=1, keepdims=True), y, y != self.ignored
        return -np.log(self.p[np.arange(len(y)), y])[self.kept].sum() / self.kept.sum()

    def backward(self):
        d = self.p.copy()
        d[np.arange(len(d)), self.y] -= 1
        return d * self.kept[:, None] / self.kept.sum()


class Padded(Classes):
    ignored = 0
"""
BINARY = ["--target", "binary", "--input"]
CLASSES = ["--target", "classes", "--input"]


@pytest.mark.parametrize("seed", ["0", "1", "2"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Binary", [*BINARY, "1"]),
        ("Binary", [*BINARY, "5,2"]),
        ("Classes", [*CLASSES, "1,5"]),
        ("Classes", [*CLASSES, "2,9"]),
        ("Padded", [*CLASSES, "1,3"]),
        ("Padded", [*CLASSES, "2,3"]),
    ],
)
def test_a_right_loss_is_not_accused(checked, name, options, seed):
    status, out = checked(SOURCE, name, *options, "--seed", seed)
    assert status == 0, out


def test_the_classes_are_said(checked):
    _, out = checked(SOURCE, "Classes", *CLASSES, "1,3", "--against", "torch.nn.CrossEntropyLoss")
    others = {f"They agree with targets of {one}, too." for one in ("0 and 1", "0 and 2", "1 and 2")}
    assert any(one in out for one in others), out


@pytest.mark.parametrize("seed", ["0", "1", "2"])
@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("Binary", [*BINARY, "1"], "(self.p - self.y)", "(self.p - 1) * self.y"),
        ("Binary", [*BINARY, "1"], "(self.p - self.y)", "self.p * (1 - self.y)"),
        ("Classes", [*CLASSES, "2,3"], "len(d)), self.y]", "len(d)), np.maximum(self.y, 1)]"),
        ("Classes", [*CLASSES, "1,5"], "len(d)), self.y]", "len(d)), np.minimum(self.y, 3)]"),
        ("Classes", [*CLASSES, "2,4"], "* self.kept[:, None]", "* (self.y > 0)[:, None]"),
        ("Padded", [*CLASSES, "2,3"], "* self.kept[:, None]", ""),
    ],
)
def test_a_mistake_in_one_class_is_found(checked, name, options, right, wrong, seed):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options, "--seed", seed)
    assert status == 1, out
    assert "All agree." not in out
