"""Adam's and AdamW's kernels work in place and give the same bits as the plain rules."""

from itertools import product

import numpy as np
import pytest

from parity_tests.harness.arrays import array
from scratch import nn, optim
from scratch.kernels.adam import adam
from scratch.kernels.adamw import adamw
from scratch.optim import adam as plain_adam
from scratch.optim import adamw as plain_adamw

RULES = {"adam": (adam, plain_adam.adam), "adamw": (adamw, plain_adamw.adamw)}
SHAPE = (7, 5)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("amsgrad", "maximize", "weight_decay"), list(product((False, True), (False, True), (0, 0.01)))
)
def test_the_kernel_writes_the_bits_that_the_plain_rule_returns(name, dtype, amsgrad, maximize, weight_decay):
    kernel, plain = RULES[name]
    options = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": weight_decay}
    options |= {"amsgrad": amsgrad, "maximize": maximize}
    w, m = array(SHAPE, dtype=dtype), array(SHAPE, seed=1, dtype=dtype)
    v, v_max = array(SHAPE, seed=2, dtype=dtype) ** 2, array(SHAPE, seed=3, dtype=dtype) ** 2
    own = [w.copy(), m.copy(), v.copy(), v_max.copy()]
    for t in range(1, 4):
        g = array(SHAPE, seed=10 + t, dtype=dtype)
        before = g.copy()
        w, m, v, new_max = plain(w, g, m, v, v_max if amsgrad else None, t, **options)
        v_max = new_max if amsgrad else v_max
        returned = kernel(own[0], g, own[1], own[2], own[3] if amsgrad else None, t, **options)
        for one, other in zip(own, (w, m, v, v_max), strict=True):
            np.testing.assert_array_equal(one, other)
        assert [one is other for one, other in zip(returned, own, strict=True)] == [True, True, True, amsgrad]
        np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize("maximize", [False, True])
def test_a_gradient_that_is_the_parameters_own_array_is_read_before_it_is_written_to(cls, maximize):
    shared, apart = nn.Parameter(array(SHAPE)), nn.Parameter(array(SHAPE))
    for parameter in (shared, apart):
        optimizer = cls([parameter], lr=0.1, weight_decay=0.3, maximize=maximize)
        for _ in range(3):
            parameter.grad = parameter.data if parameter is shared else parameter.data.copy()
            optimizer.step()
    np.testing.assert_array_equal(shared.data, apart.data)


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW])
def test_a_parameter_of_several_blocks_takes_the_same_step_as_many_of_one(cls):
    size = (1 << 17) + 3
    whole = nn.Parameter(array((size,), dtype="float32"))
    parts = [nn.Parameter(part) for part in np.array_split(whole.data.copy(), 5)]
    together, apart = cls([whole], lr=0.1, weight_decay=0.1), cls(parts, lr=0.1, weight_decay=0.1)
    for step in range(3):
        whole.grad = array((size,), seed=step, dtype="float32")
        for part, grad in zip(parts, np.array_split(whole.grad, 5), strict=True):
            part.grad = grad
        together.step()
        apart.step()
    np.testing.assert_array_equal(whole.data, np.concatenate([part.data for part in parts]))


def test_a_parameter_that_is_not_in_one_piece_takes_the_same_step():
    first = nn.Parameter(array((6, 4), dtype="float64"))
    second = nn.Parameter(np.asfortranarray(first.data))
    for parameter in (first, second):
        optimizer = optim.Adam([parameter], lr=0.1)
        for step in range(2):
            parameter.grad = array((6, 4), seed=step)
            optimizer.step()
    np.testing.assert_array_equal(first.data, second.data)
    assert second.data.flags.f_contiguous
