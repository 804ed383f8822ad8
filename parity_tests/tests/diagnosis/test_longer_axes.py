"""Longer axes than that of the batch: backward may be right for squares, or for sequences of one length, alone."""

import pytest

SOURCE = """
import numpy as np


class Pool:
    def forward(self, x):
        self.shape = n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))

    def backward(self, g):
        n, c, h, w = self.shape
        dx = np.zeros(self.shape)
        for i in range(h // 2):
            for j in range(w // 2):
                dx[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = g[:, :, i : i + 1, j : j + 1] / 4
        return dx


class RNN:
    def __init__(self, i, h):
        self.Wx, self.Wh = np.random.randn(i, h) / 2, np.random.randn(h, h) / 2

    def forward(self, x):
        self.x, self.h = x, [np.zeros((len(x), len(self.Wh)))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.Wx + self.h[-1] @ self.Wh))
        return self.h[-1]

    def backward(self, dh):
        self.dWx, self.dWh, dx = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.x)
        length = self.x.shape[1]
        for t in reversed(range(length)):
            da = dh * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[:, t].T @ da
            self.dWh += self.h[t].T @ da
            dx[:, t] = da @ self.Wx.T
            dh = da @ self.Wh.T
        return dx


class OfOneSize:
    def forward(self, x):
        return 2 * x

    def backward(self, g):
        return 2 * g.reshape(2, 3, 4)
"""
SQUARE = ["--input", "2,3,4,4"]
AGAINST = [*SQUARE, "--args", "2", "--against", "torch.nn.AvgPool2d"]
RNN = ["--args", "3, 2", "--input", "4,5,3"]


@pytest.mark.parametrize(
    ("name", "options", "sizes"),
    [
        ("Pool", SQUARE, "(2, 6, 4, 4) and (2, 3, 6, 4) and (2, 3, 4, 6)"),
        ("RNN", RNN, "(4, 8, 3)"),
    ],
)
def test_a_right_layer_agrees_on_other_sizes(checked, name, options, sizes):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert f"They agree on inputs of {sizes}, too." in out


def test_a_layer_of_one_size_is_no_mistake(checked):
    status, out = checked(SOURCE, "OfOneSize", "--input", "2,3,4")
    assert status == 0, out
    assert "They agree on inputs of" not in out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong", "shape"),
    [
        ("Pool", SQUARE, "range(w // 2)", "range(h // 2)", "(2, 3, 4, 6)"),
        ("Pool", SQUARE, "range(h // 2)", "range(w // 2)", "(2, 3, 6, 4)"),
        ("RNN", RNN, "length = self.x.shape[1]", "length = 5", "(4, 8, 3)"),
        ("RNN", RNN, "reversed(range(length))", "range(length - 1, max(-1, length - 6), -1)", "(4, 8, 3)"),
    ],
)
def test_a_size_that_is_written_into_backward_is_found(checked, name, options, right, wrong, shape):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert f"input {shape}, another size" in out
    assert "alone: is a length fixed, or taken from the wrong axis?" in out


def test_it_is_found_beside_pytorch_too(checked):
    pool = SOURCE.replace("class Pool:", "class Pool:\n    def __init__(self, kernel_size):\n        pass\n")
    status, out = checked(pool, "Pool", *AGAINST)
    assert status == 0, out
    assert "They agree on inputs of (2, 6, 4, 4) and (2, 3, 6, 4) and (2, 3, 4, 6), too." in out
    status, out = checked(pool.replace("range(w // 2)", "range(h // 2)"), "Pool", *AGAINST)
    assert status == 1, out


LOSSES = '''
import numpy as np


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


class Pixels:
    def forward(self, logits, target):
        n, c, h, w = logits.shape
        self.p, self.t, self.at = softmax(logits, 1), target, np.ogrid[:n, :h, :w]
        return -np.log(self.p[self.at[0], target, self.at[1], self.at[2]]).mean()

    def backward(self):
        d = self.p.copy()
        d[self.at[0], self.t, self.at[1], self.at[2]] -= 1
        return d / self.t.size


class Steps:
    def forward(self, logits, target):
        self.p, self.t = softmax(logits, 2), target
        return -np.log(np.take_along_axis(self.p, target[:, :, None], 2)).sum() / len(logits)

    def backward(self):
        hot = np.eye(self.p.shape[2])[self.t]
        scale = len(self.p)
        return (self.p - hot) / scale


class OneHot:
    def forward(self, logits, target):
        self.p, self.t = softmax(logits, 1), target
        self.count = len(logits) * logits.shape[2] * logits.shape[3]
        return -(target * np.log(self.p)).sum() / self.count

    def backward(self):
        return (self.p - self.t) / self.count


class Squared:
    def forward(self, x, y):
        self.x, self.y = x, y
        return ((x - y) ** 2).mean()

    def backward(self):
        return 2 * (self.x - self.y) / self.x.size


class FirstSteps:
    """Only the first three of the steps count."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return ((x - y)[:, :3] ** 2).sum()

    def backward(self):
        d = 2 * (self.x - self.y)
        d[:, 3:] = 0
        return d
'''

IMAGES = ["--input", "2,3,2,4", "--target"]
LOSSES_OF_SIZES = [
    ("Pixels", [*IMAGES, "classes"], "(2, 3, 5, 4) and (2, 3, 2, 7)", "d / self.t.size", "d / len(self.t) / 8"),
    (
        "Steps",
        ["--input", "2,5,3", "--target", "classes"],
        "(2, 8, 3)",
        "scale = len(self.p)",
        "scale = self.t.size / 5",
    ),
    (
        "OneHot",
        [*IMAGES, "one-hot"],
        "(2, 3, 5, 4) and (2, 3, 2, 7)",
        "- self.t) / self.count",
        "- self.t) / (8 * len(self.p))",
    ),
    (
        "Squared",
        [*IMAGES, "values"],
        "(2, 6, 2, 4) and (2, 3, 5, 4) and (2, 3, 2, 7)",
        "self.x.size",
        "len(self.x) / 24",
    ),
    (
        "Squared",
        [*IMAGES, "binary"],
        "(2, 6, 2, 4) and (2, 3, 5, 4) and (2, 3, 2, 7)",
        "self.x.size",
        "len(self.x) / 24",
    ),
    ("FirstSteps", ["--input", "2,5,3", "--target", "values"], "(2, 8, 3) and (2, 5, 6)", "d[:, 3:]", "d[:, 3:5]"),
]


@pytest.mark.parametrize(
    ("name", "options", "sizes", "right", "wrong"),
    LOSSES_OF_SIZES,
    ids=[f"{one[0]} {one[1][-1]}" for one in LOSSES_OF_SIZES],
)
def test_a_loss_is_compared_on_other_sizes_than_the_classes(checked, name, options, sizes, right, wrong):
    assert right in LOSSES
    status, out = checked(LOSSES, name, *options)
    assert status == 0, out
    assert f"They agree on inputs of {sizes}, too." in out
    status, out = checked(LOSSES.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "On these numbers they agree." in out
    assert "another size" in out
    assert "alone: is a length fixed, or taken from the wrong axis?" in out
