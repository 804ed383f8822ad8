"""The guesses at mistakes in a layer that takes indices, which have no gradient and no dtype to compare in."""

import numpy as np
import pytest
import torch

import scratch.nn as nn
from parity_tests.harness.arrays import random_state
from parity_tests.harness.compare import check
from parity_tests.museum import embedding
from parity_tests.tests.diagnosis.test_diagnose import edited, regraded

INDICES = np.array([[2, 0, 2, 1], [4, 2, 0, 0]])


def said(cls, dtype="float64", **options):
    layer = random_state(cls(5, 3, **options, dtype=dtype))
    return str(check(layer, torch.nn.Embedding(5, 3, **options), INDICES))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("cls", "options", "words"),
    [
        (embedding.RepeatsOverwritten, {}, "an index that occurs several times counts once"),
        (embedding.RepeatsOverwritten, {"padding_idx": 0}, "an index that occurs several times counts once"),
        (embedding.RepeatsAveraged, {}, "averaged over the occurrences of an index"),
        (embedding.PaddingLearns, {"padding_idx": 0}, "row 0, the padding row, gets a gradient"),
        (regraded(nn.Embedding, "weight", lambda d, g: -d), {}, "the sign is flipped"),
        (regraded(nn.Embedding, "weight", lambda d, g: 0.7 * d), {}, "differs only at indices 0, 1, 2, 4 of axis 0"),
    ],
)
def test_mistakes_are_named(cls, options, words, dtype):
    report = said(cls, dtype, **options)
    assert dtype in report
    assert words in report


def test_a_forward_that_is_wrong_is_told_from_a_backward():
    class Doubled(nn.Embedding):
        def forward(self, x):
            return 2 * super().forward(x)

    assert "output: twice what it should be" in said(Doubled)


def test_a_gradient_of_the_indices_is_not_expected():
    report = said(edited(nn.Embedding, lambda d, g: np.zeros(INDICES.shape)))
    assert "grad_input was not expected" in report
