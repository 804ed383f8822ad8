"""Inputs drawn as indices: what says that they are wanted, and of which table they are."""

import pytest

SOURCE = """
import numpy as np

rng = np.random.default_rng(3)
U, V, R = rng.normal(size=(4, 6)), rng.normal(size=(4, 4)), rng.normal(size=(6, 4))


def characters(inputs, targets, start):
    hs, ps, loss = {-1: start}, {}, 0
    for t in range(len(inputs)):
        x = [0.0] * 6
        x[inputs[t]] = 1.0
        hs[t] = np.tanh(U @ np.array(x)[:, None] + V @ hs[t - 1])
        e = np.exp(R @ hs[t])
        ps[t] = e / e.sum()
        loss -= np.log(ps[t][targets[t], 0])
    dU, dV, dR = np.zeros_like(U), np.zeros_like(V), np.zeros_like(R)
    later = np.zeros_like(start)
    for t in reversed(range(len(inputs))):
        d = ps[t].copy()
        d[targets[t]] -= 1
        dR += d @ hs[t].T
        da = (R.T @ d + later) * (1 - hs[t] ** 2)
        dU[:, inputs[t]] += da[:, 0]
        dV += da @ hs[t - 1].T
        later = V.T @ da
    return loss, dU, dV, dR


class Path:
    def __init__(self, tags):
        self.T, self.b = np.random.randn(tags, tags), np.zeros((1, tags))

    def forward(self, scores, tags):
        self.tags, self.kept = tags, [scores]
        return ((scores + self.b)[np.arange(len(tags)), tags].sum() + self.T[tags[:-1], tags[1:]].sum()) ** 2 / 2

    def backward(self, g):
        scores, tags = self.kept[0], self.tags
        rows = np.arange(len(tags))
        g = g * ((scores + self.b)[rows, tags].sum() + self.T[tags[:-1], tags[1:]].sum())
        dx, self.dT, self.db = np.zeros_like(scores), np.zeros_like(self.T), np.zeros_like(self.b)
        dx[rows, tags] = g
        np.add.at(self.db, (0, tags), g)
        np.add.at(self.dT, (tags[:-1], tags[1:]), g)
        return dx


def look_up(words, table):
    return table[words], (words, table.shape)


def look_up_backward(g, cache):
    words, shape = cache
    d = np.zeros(shape)
    np.add.at(d, words, g)
    return d


class FirstOnes:
    def forward(self, x, n):
        self.x, self.n = x, n
        return np.stack([x[i, : n[i]].sum(axis=0) for i in range(len(x))])

    def backward(self, g):
        d = np.zeros_like(self.x)
        for i in range(len(d)):
            d[i, : self.n[i]] = g[i]
        return d


class Padded:
    def __init__(self, n, width):
        self.table = np.random.randn(n, width)

    def forward(self, words):
        self.words, self.mask = words, (words != 0)[:, None]
        return self.table[words] * self.mask

    def backward(self, g):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.words, g * self.mask)
"""
CHARACTERS = ["--input", "5", "--input", "5", "--input", "4,1"]
PATH = ["--args", "4", "--input", "5,4", "--input", "5"]
LOOK_UP = ["--input", "2,3", "--input", "7,4"]
FIRST = ["--input", "3,5,2", "--input", "3"]
FORMS = [
    ("characters", CHARACTERS),
    ("Path", PATH),
    ("look_up,look_up_backward", LOOK_UP),
    ("FirstOnes", FIRST),
    ("Padded", ["--args", "6, 2", "--input", "3"]),
]


@pytest.mark.parametrize(("name", "options"), FORMS)
def test_a_right_one_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("characters", CHARACTERS, "(R.T @ d + later)", "(R.T @ d)"),
        ("characters", CHARACTERS, "dV += da @ hs[t - 1].T", "dV += da @ hs[t].T"),
        ("characters", CHARACTERS, "dU[:, inputs[t]] +=", "dU[:, inputs[t]] ="),
        ("Path", PATH, "(tags[:-1], tags[1:]), g", "(tags[1:], tags[:-1]), g"),
        ("Path", PATH, "(0, tags), g", "(0, 0 * tags), g"),
        ("look_up,look_up_backward", LOOK_UP, "np.add.at(d, words, g)", "d[words] += g"),
        ("FirstOnes", FIRST, "d[i, : self.n[i]] = g[i]", "d[i] = g[i]"),
        *(("Padded", ["--args", "6, 2", "--input", "3", "--seed", str(s)], "g * self.mask", "g") for s in range(3)),
    ],
)
def test_a_wrong_one_is_accused(checked, name, options, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out
