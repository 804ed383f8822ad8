"""Losses that leave out the examples of a certain class: some targets are drawn as it."""

import pytest

SOURCE = '''
import numpy as np

IGNORE = -1


class CrossEntropy:
    def __init__(self, ignore_index=-100):
        self.skipped = ignore_index

    def kept(self, target):
        return target != self.skipped

    def forward(self, logits, target):
        self.keep = self.kept(target)
        self.t = np.where(self.keep, target, 0)
        z = logits - logits.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p = np.exp(logp)
        return -(logp[np.arange(len(z)), self.t] * self.keep).sum() / self.keep.sum()

    def backward(self):
        g = self.p.copy()
        g[np.arange(len(g)), self.t] -= 1
        return g * self.keep[:, None] / self.keep.sum()


class WithConstant(CrossEntropy):
    def kept(self, target):
        return target != IGNORE


class NonNegative(CrossEntropy):
    def __init__(self):
        pass

    def kept(self, target):
        return target >= 0


class OneHot:
    """Ignores nothing: a class of -1 means nothing to it."""

    def __init__(self, axis=-1):
        self.axis = axis

    def forward(self, logits, target):
        self.onehot = (target[:, None] == np.arange(logits.shape[1])).astype(float)
        e = np.exp(logits - logits.max(axis=self.axis, keepdims=True))
        self.p = e / e.sum(axis=self.axis, keepdims=True)
        return -(self.onehot * np.log(self.p)).sum() / len(logits)

    def backward(self):
        return (self.p - self.onehot) / len(self.p)
'''
TORCH = ["--against", "torch.nn.CrossEntropyLoss"]
IGNORED = {
    "the default": ("CrossEntropy", TORCH, -100),
    "finite differences": ("CrossEntropy", [], -100),
    "a class among the others": ("CrossEntropy", [*TORCH, "--args", "ignore_index=1"], 1),
    "a constant of the file": ("WithConstant", [], -1),
    "all that is negative": ("NonNegative", [], -1),
}
INPUT = ["--input", "6,4", "--target", "classes"]


@pytest.mark.parametrize("what", IGNORED)
def test_some_targets_are_drawn_as_the_ignored_class(checked, what):
    name, options, value = IGNORED[what]
    status, out = checked(SOURCE, name, *INPUT, *options)
    assert status == 0, out
    assert f"They agree with targets of {value}, which are ignored, too." in out
    assert "target: classes from 0 to 3" in out


@pytest.mark.parametrize("what", IGNORED)
@pytest.mark.parametrize("wrong", ["g / len(g)", "g * self.keep[:, None] / len(g)", "g / self.keep.sum()"])
def test_a_backward_that_ignores_nothing_is_wrong(checked, what, wrong):
    name, options, value = IGNORED[what]
    source = SOURCE.replace("g * self.keep[:, None] / self.keep.sum()", wrong)
    status, out = checked(source, name, *INPUT, *options)
    assert status == 1
    assert "grad_input: " in out
    if value < 0:
        assert f"every third target {value}, which is ignored" in out
        assert "-> an ignored example adds nothing to the loss: its gradient is zero" in out


def test_no_class_is_made_up_for_a_loss_that_ignores_none(checked):
    status, out = checked(SOURCE, "OneHot", *INPUT)
    assert status == 0, out
    assert "ignored" not in out


SEQUENCES = """
import numpy as np


class TimeSoftmaxWithLoss:
    def __init__(self):
        self.ignore_label = -1

    def forward(self, xs, ts):
        N, T, V = xs.shape
        mask = (ts != self.ignore_label).reshape(N * T)
        xs, ts = xs.reshape(N * T, V), ts.reshape(N * T)
        ys = np.exp(xs - xs.max(axis=1, keepdims=True))
        ys /= ys.sum(axis=1, keepdims=True)
        ls = np.log(ys[np.arange(N * T), ts])
        ls *= mask
        self.cache = (ts, ys, mask, (N, T, V))
        return -np.sum(ls) / mask.sum()

    def backward(self, dout=1):
        ts, ys, mask, (N, T, V) = self.cache
        dx = ys.copy()
        dx[np.arange(N * T), ts] -= 1
        dx *= dout / mask.sum()
        dx *= mask[:, np.newaxis]
        return dx.reshape((N, T, V))
"""


@pytest.mark.parametrize("shape", ["2,5,3", "2,3,3"])
def test_the_classes_may_be_the_last_axis(checked, shape):
    status, out = checked(SEQUENCES, "TimeSoftmaxWithLoss", "--input", shape, "--target", "classes")
    assert status == 0, out
    assert "They agree with targets of -1, which are ignored, too." in out
    assert "ts: classes from 0 to 2" in out
    for right, wrong in (("dx *= mask[:, np.newaxis]", "pass"), ("dout / mask.sum()", "dout / len(mask)")):
        assert right in SEQUENCES
        twin = SEQUENCES.replace(right, wrong)
        status, out = checked(twin, "TimeSoftmaxWithLoss", "--input", shape, "--target", "classes")
        assert status == 1
        assert "every third target -1, which is ignored" in out


WEIGHTS = """
import numpy as np

PAD = -1


def loss_and_grad(W, X, y):
    kept = y != PAD
    z = X @ W
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -(np.log(p[rows, y]) * kept).sum() / kept.sum()
    p[rows, y] -= 1
    return loss, X.T @ (p * kept[:, None]) / kept.sum()
"""
OF_EXAMPLE = "g * self.keep[:, None] / self.keep.sum()"
OF_WEIGHTS = "(p * kept[:, None]) / kept.sum()"
FURTHER_INPUT = [
    (SOURCE, "CrossEntropy", ["6,4", "6"], -100, [(OF_EXAMPLE, "g / len(g)"), (OF_EXAMPLE, "g / self.keep.sum()")]),
    (SOURCE, "WithConstant", ["6,4", "6"], -1, [(OF_EXAMPLE, "g * self.keep[:, None] / len(g)")]),
    (
        SEQUENCES,
        "TimeSoftmaxWithLoss",
        ["2,5,3", "2,5"],
        -1,
        [("dx *= mask[:, np.newaxis]", "pass"), ("dout / mask.sum()", "dout / len(mask)")],
    ),
    (
        WEIGHTS,
        "loss_and_grad",
        ["4,3", "6,4", "6"],
        -1,
        [(OF_WEIGHTS, "p / kept.sum()"), (OF_WEIGHTS, "(p * kept[:, None]) / len(y)")],
    ),
]


@pytest.mark.parametrize(("source", "name", "shapes", "value", "twins"), FURTHER_INPUT)
def test_a_target_that_is_a_further_input_is_drawn_as_the_ignored_class_too(
    checked, source, name, shapes, value, twins
):
    inputs = [part for shape in shapes for part in ("--input", shape)]
    status, out = checked(source, name, *inputs)
    assert status == 0, out
    assert f"They agree with targets of {value}, which are ignored, too." in out
    for right, wrong in twins:
        assert source.count(right) == 1
        status, out = checked(source.replace(right, wrong), name, *inputs)
        assert status == 1
        assert f"every third target {value}, which is ignored" in out
        assert "All agree." not in out
