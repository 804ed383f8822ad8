"""After the usual batch comes a larger one: its size may be written into backward."""

import pytest

SOURCE = """
import numpy as np

BATCH = 5


class MSE:
    def forward(self, p, t):
        self.d = p - t
        return (self.d**2).sum() / len(p)

    def backward(self):
        return 2 * self.d / len(self.d)


class Linear:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, g):
        self.dW = self.x.T @ g
        self.db = g.mean(axis=0) * len(g)
        return g @ self.W.T


class Image:
    def __init__(self):
        self.W = np.random.randn(2, 3, 4)

    def forward(self, x):
        self.x = x
        return sum(self.W[i] @ x[i] for i in range(2))

    def backward(self, g):
        self.dW = np.array([np.outer(g, self.x[i]) for i in range(2)])
        return np.array([self.W[i].T @ g for i in range(2)])


class Rows:
    def __init__(self):
        self.W = np.random.randn(7, 3)

    def forward(self, x):
        self.x, self.i = x, np.arange(len(x)) % 7
        return x * self.W[self.i]

    def backward(self, g):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.i, g * self.x)
        return g * self.W[self.i]


class OfOneSize:
    def __init__(self):
        self.scale = np.arange(1.0, 6.0)[:, None]

    def forward(self, x):
        return x * self.scale

    def backward(self, g):
        return g * self.scale


class Buffered:
    def forward(self, x):
        return 2 * x

    def backward(self, g):
        dx = np.zeros((5, 3))
        dx[...] = 2 * g
        return dx


class BatchNorm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)

    def forward(self, x):
        self.inverse = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        self.normal = (x - x.mean(axis=0)) * self.inverse
        return self.gamma * self.normal + self.beta

    def backward(self, g):
        n = len(g)
        self.dgamma, self.dbeta = (g * self.normal).sum(axis=0), g.sum(axis=0)
        d = g * self.gamma
        return self.inverse / n * (n * d - d.sum(axis=0) - self.normal * (d * self.normal).sum(axis=0))


class Embedding:
    def __init__(self, n, m):
        self.W = np.random.randn(n, m)

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, g):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.idx[:, :-1], g[:, :-1])
        np.add.at(self.dW, self.idx[:, -1], g[:, -1])
"""
WRONG = {
    "a loss's mean": (
        "MSE",
        ["--input", "5,2", "--target", "values"],
        "/ len(self.d)",
        "/ BATCH",
        "grad_input: 16 of 16",
    ),
    "a bias's gradient": ("Linear", ["--args", "3,2", "--input", "5,3"], "* len(g)", "* 5", "grad_b: 2 of 2"),
    "a normalization over the examples": (
        "BatchNorm",
        ["--args", "3", "--input", "5,3"],
        "self.inverse / n *",
        "self.inverse / 5 *",
        "grad_input: 24 of 24",
    ),
    "a normalization against PyTorch's": (
        "BatchNorm",
        ["--args", "3", "--input", "5,3", "--against", "torch.nn.BatchNorm1d"],
        "self.inverse / n *",
        "self.inverse / BATCH *",
        "grad_input: 24 of 24",
    ),
    "against PyTorch's": (
        "Linear",
        ["--args", "3,2", "--input", "5,3", "--against", "torch.nn.Linear"],
        "* len(g)",
        "* BATCH",
        "grad_bias: 2 of 2",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_fixed_batch_size_in_backward_is_found(checked, what):
    name, options, old, new, said = WRONG[what]
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "They agree on a batch of 8, too." in out
    status, out = checked(SOURCE.replace(old, new), name, *options)
    assert status == 1
    assert "a batch of 8 instead of 5" in out
    assert said in out
    assert "-> right for a batch of 5 alone: is the size of the batch a fixed number?" in out


@pytest.mark.parametrize("name", ["OfOneSize", "Buffered"])
def test_a_layer_of_one_size_is_no_mistake(checked, name):
    constant = {"OfOneSize": ["--constant", "scale"]}
    status, out = checked(SOURCE, name, "--input", "5,3", *constant.get(name, []))
    assert status == 0, out
    refusing = {"OfOneSize": "forward", "Buffered": "backward"}[name]
    assert f"note: a batch of 8 was not compared: {refusing} does not run on it (ValueError: " in out


def test_an_axis_of_channels_is_none_of_examples(checked):
    status, out = checked(SOURCE, "Image", "--input", "2,4")
    assert status == 0, out
    assert "note: a batch of 5 was not compared: forward uses no more than 2 (channels, not examples?)" in out
    status, out = checked(SOURCE.replace("np.outer(g, self.x[i])", "np.outer(g, self.x[0])"), "Image", "--input", "2,4")
    assert status == 1
    assert "grad_W: 12 of 24 elements differ" in out


def test_an_index_that_occurs_twice_in_a_larger_batch_is_no_fixed_size(checked):
    status, out = checked(SOURCE, "Rows", "--input", "5,3")
    assert status == 0, out
    assert "They agree on a batch of 8, too." in out
    wrong = SOURCE.replace("np.add.at(self.dW, self.i, g * self.x)", "self.dW[self.i] += g * self.x")
    status, out = checked(wrong, "Rows", "--input", "5,3")
    assert status == 1
    assert "grad_W: 3 of 21 elements differ" in out
    assert "-> right for the batch of 5 before: does an index occur twice in this one" in out


def test_a_batch_of_indices_becomes_larger_too(checked):
    options = ["--args", "7, 3", "--input", "2,4"]
    status, out = checked(SOURCE, "Embedding", *options)
    assert status == 0, out
    assert "They agree on a batch of 5, too." in out
    wrong = SOURCE.replace("np.add.at(self.dW, self.idx[:, -1], g[:, -1])", "self.dW[self.idx[:, -1]] += g[:, -1]")
    status, out = checked(wrong, "Embedding", *options)
    assert status == 1, out
    assert "-> right for the batch of 2 before: does an index occur twice in this one" in out
