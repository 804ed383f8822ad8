"""Other numbers of the parameters: a single one has one sign, and beside indices nothing else is drawn."""

import numpy as np
import pytest

from parity_tests.diagnosis.clipping import clipped
from parity_tests.diagnosis.other_inputs import said_of_clips
from parity_tests.harness.budget import Budget
from parity_tests.harness.report import Quantity, Report

SOURCE = """
import numpy as np


class Absolute:
    def __init__(self):
        self.a = np.ones(1)

    def forward(self, x):
        self.x = x
        return x * np.abs(self.a)

    def backward(self, g):
        self.da = np.sign(self.a) * (g * self.x).sum()
        return g * np.abs(self.a)


class Rectified:
    def __init__(self, n):
        self.table, self.slope = np.random.randn(n, 1), np.full(1, 0.2)

    def forward(self, words):
        self.words, self.x = words, self.table[words]
        return np.where(self.x > 0, self.x, self.slope * self.x)

    def backward(self, g):
        self.dslope = (g * np.minimum(self.x, 0)).sum(keepdims=True).reshape(1)
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.words, g * np.where(self.x > 0, 1, self.slope))


class Width:
    def __init__(self, n):
        self.width = np.ones(n)

    def forward(self, x):
        self.x = x
        return x / np.sqrt(self.width)

    def backward(self, g):
        self.dwidth = -(g * self.x).sum(axis=0) / 2 / self.width**1.5
        return g / np.sqrt(self.width)
"""
ABSOLUTE = ["--input", "5,3"]
RECTIFIED = ["--args", "2", "--input", "3"]


@pytest.mark.parametrize(
    ("name", "options"),
    [("Absolute", ABSOLUTE), ("Rectified", RECTIFIED), ("Width", ["--args", "3", "--input", "5,3"])],
)
def test_a_right_layer_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "other draws of the numbers, too" in out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("Absolute", ABSOLUTE, "np.sign(self.a) * (g", "(g"),
        ("Absolute", ABSOLUTE, "np.sign(self.a) * (g", "-(g"),
        ("Absolute", ABSOLUTE, "return g * np.abs(self.a)", "return g * self.a"),
        ("Absolute", ABSOLUTE, "return g * np.abs(self.a)", "return -g * self.a"),
        ("Rectified", RECTIFIED, "np.where(self.x > 0, 1, self.slope)", "self.slope"),
        ("Rectified", RECTIFIED, "np.where(self.x > 0, 1, self.slope)", "1"),
        ("Rectified", RECTIFIED, "np.where(self.x > 0, 1, self.slope)", "np.where(self.x > 0, 1, np.abs(self.slope))"),
        ("Rectified", RECTIFIED, "np.where(self.x > 0, 1, self.slope)", "np.where(self.x > 0, 1, -np.abs(self.slope))"),
    ],
)
def test_a_wrong_layer_is_accused(checked, name, options, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out


def report(*pairs):
    found = Report("layer")
    for number, (expected, got) in enumerate(pairs):
        found.quantities.append(Quantity(f"grad_{number}", np.array(expected), np.array(got), Budget(1e-9)))
    return found


def test_a_clip_is_known_by_two_numbers_of_any_parameters():
    one, other = ([1.0, -7.0], [1.0, -5.0]), ([2.0, 6.0], [2.0, 5.0])
    assert clipped(report(one, other)) == "grad_0, grad_1 are clipped to ±5"
    assert not clipped(report(one))
    assert not clipped(report(one, ([2.0, 6.0], [2.0, 4.0])))
    assert not clipped(report(one, ([2.0, -6.0], [2.0, 5.0])))


def test_a_clip_explains_all_draws_or_none():
    cut, other = report(([1.0, -7.0, 6.0], [1.0, -5.0, 5.0])), report(([3.0, -2.0], [3.0, 2.0]))
    assert said_of_clips([cut]) == "grad_0 is clipped to ±5"
    assert said_of_clips([report(([1.0, -7.0], [1.0, -5.0])), cut]) == "grad_0 is clipped to ±5"
    assert not said_of_clips([other, cut])
    assert not said_of_clips([cut, other])
    scaled = report(([4.0, 2.0, 6.0], [2.0, 1.0, 3.0])), report(([4.0, 2.0, 6.0], [1.0, 0.5, 1.5]))
    assert said_of_clips(list(scaled)) == "grad_0 is scaled down to a largest norm"


def test_a_clip_that_other_parameters_reach_is_no_mistake(checked):
    source = """
import numpy as np


class Fourth:
    def __init__(self, n):
        self.table = np.random.randn(n, 2)

    def forward(self, words):
        self.words, self.x = words, self.table[words]
        return (self.x**4).sum()

    def backward(self):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.words, 4 * self.x**3)
        LIMIT
"""
    options = ["Fourth", "--args", "4", "--input", "5"]
    for clip, status in (
        ("np.clip(self.dtable, -40, 40, out=self.dtable)", 0),
        ("self.dtable[np.abs(self.dtable) > 40] = 3", 1),
    ):
        found, out = checked(source.replace("LIMIT", clip), *options)
        assert found == status, out
        assert ("clipped to ±" in out) == (status == 0), out
