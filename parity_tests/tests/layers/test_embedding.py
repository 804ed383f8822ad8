"""Embedding against PyTorch, finite differences, and the product with one-hot rows that it stands for."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.arrays import lay_out
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.tests.engine.test_random import seed_both, x86_functions
from scratch import random
from scratch.gradcheck import gradcheck
from scratch.kernels import embedding as kernels
from torch_ref import random as torch_random

shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
integers = st.sampled_from(["int64", "int32"])


def indices(shape, count, dtype="int64", seed=0, layout="C"):
    return lay_out(np.random.default_rng(seed).integers(0, count, shape).astype(dtype), layout)


@pytest.mark.filterwarnings("ignore:grad and param do not obey")  # PyTorch of its own gradient without columns
@given(
    shape=shapes,
    sizes=st.tuples(st.integers(1, 6), st.integers(0, 5)),
    padding=st.none() | st.integers(-6, 5),
    integer=integers,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_is_torchs(shape, sizes, padding, integer, dtype, layout, seed):
    padding = padding if padding is None else padding % sizes[0] - (padding < 0) * sizes[0]
    layer = random_state(nn.Embedding(*sizes, padding_idx=padding, dtype=dtype), seed)
    x = indices(shape, sizes[0], integer, seed, layout)
    check(layer, torch.nn.Embedding(*sizes, padding_idx=padding), x, seed=seed).raise_if_different()


@given(shape=shapes, padding=st.none() | st.integers(-3, 2), directional=st.booleans(), seed=seeds)
def test_backward_is_the_derivative_but_for_the_padding(shape, padding, directional, seed):
    layer = random_state(nn.Embedding(3, 2, padding_idx=padding, dtype=np.float64), seed)
    gradcheck(layer, indices(shape, 3, seed=seed), seed=seed, directional=directional)


@given(count=st.integers(1, 40), seed=seeds)
def test_is_a_product_with_one_hot_rows(count, seed):
    """Law: backward is Linear's, hot^T grad_y, however often an index occurs."""
    layer, x = random_state(nn.Embedding(4, 3, dtype=np.float64), seed), indices((count,), 4, seed=seed)
    hot, grad_y = np.eye(4)[x], array((count, 3), seed=seed + 1)
    np.testing.assert_array_equal(layer(x), hot @ layer.weight.data)
    assert layer.backward(grad_y) is None
    np.testing.assert_allclose(layer.weight.grad, hot.T @ grad_y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("most", [kernels.AT_ONCE - 1, kernels.AT_ONCE, kernels.AT_ONCE + 1, 5 * kernels.AT_ONCE])
def test_indices_that_occur_often(most):
    x = np.concatenate([np.full(most, 2), np.full(most // 2, 5), [0, 3]])[::-1].reshape(-1, 1)
    check(random_state(nn.Embedding(7, 3, dtype=np.float64)), torch.nn.Embedding(7, 3), x).raise_if_different()


@pytest.mark.parametrize("rows", [(1 << 16) + 4, (1 << 17) - 1])
def test_indices_that_agree_in_their_last_sixteen_bits_are_two(rows):
    x = np.array([1, (1 << 16) + 1, 1, (1 << 16) + 2, 2, (1 << 16) + 1, 1, 2, (1 << 16) + 2])
    check(random_state(nn.Embedding(rows, 3, dtype=np.float64)), torch.nn.Embedding(rows, 3), x).raise_if_different()


@pytest.mark.parametrize("seed", range(3))
def test_occurrences_are_added_in_their_order(seed):
    """Another order would round differently; kernels and plain functions give the same bits, in float32 too."""
    x = np.random.default_rng(seed).permutation(np.repeat(np.arange(100), kernels.AT_ONCE))
    grad_y = np.random.default_rng(seed + 10).normal(size=(x.size, 3)).astype(np.float32)
    found = []
    for is_plain in (True, False):
        layer = nn.Embedding(100, 3)
        with scratch.plain(is_plain):
            layer(x)
        layer.backward(grad_y)
        found.append(layer.weight.grad)
    np.testing.assert_array_equal(*found)


def test_gradients_of_the_padding_row_stay_zero_at_infinity():
    layer = nn.Embedding(3, 2, padding_idx=1)
    layer(np.array([1, 2]))
    layer.backward(np.array([[np.inf, np.nan], [3, 4]], np.float32))
    np.testing.assert_array_equal(layer.weight.grad, [[0, 0], [0, 0], [3, 4]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("args", "padding"), [((5, 3), None), ((5, 3), 2), ((31, 17), -1), ((0, 3), None)])
def test_begins_as_torchs(args, padding, dtype):
    for seed in (0, 1, 12345):
        seed_both(seed)
        ours = nn.Embedding(*args, padding, dtype=dtype)
        theirs = torch.nn.Embedding(*args, padding, dtype=getattr(torch, dtype)).weight.detach().numpy()
        if dtype == "float64" or x86_functions():
            np.testing.assert_array_equal(ours.weight.data, theirs)
        assert random.get_state() == torch_random.get_state()
        assert ours.weight.dtype == dtype
        assert padding is None or not ours.weight.data[padding].any()


def test_a_row_that_is_not_looked_up_has_a_gradient_of_zeros():
    layer = nn.Embedding(4, 2)
    layer(np.array([3]))
    layer.backward(np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(layer.weight.grad, [[0, 0], [0, 0], [0, 0], [1, 1]])


def test_stands_first_in_a_model():
    def model(library, **options):
        return library.Sequential(
            library.Embedding(5, 4, **options), library.Linear(4, 3, **options), library.Flatten()
        )

    layer = random_state(model(nn, dtype=np.float64))
    check(layer, model(torch.nn), indices((3, 2), 5)).raise_if_different()
    gradcheck(layer, indices((3, 2), 5))
    layer.requires_input_grad_(False)
    layer(indices((3, 2), 5))
    assert layer.backward(array((3, 6))) is None


def test_keeps_its_indices_when_the_caller_changes_them():
    layer, x = nn.Embedding(3, 2), np.array([0, 2])
    layer(x)
    x[...] = 1
    layer.backward(np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(layer.weight.grad, [[1, 1], [0, 0], [1, 1]])


@pytest.mark.parametrize(("wrong", "named"), [([0, 5], 5), ([0, -1], -1), ([[0, 7]], 7), (9, 9)])
def test_refuses_indices_out_of_range_as_torch_does(wrong, named):
    said = refuses_as_torch(
        lambda: nn.Embedding(5, 2)(np.array(wrong)), lambda: torch.nn.Embedding(5, 2)(torch.tensor(wrong))
    )
    assert said == f"Embedding: expected indices from 0 to 4, got {named}"


def test_refuses_any_index_of_an_empty_table():
    with pytest.raises(IndexError, match="expected indices from 0 to -1, got 0"):
        nn.Embedding(0, 2)(np.array([0]))
    assert nn.Embedding(0, 2)(np.empty((3, 0), np.int64)).shape == (3, 0, 2)


@pytest.mark.parametrize("sizes", [(-1, 2), (2, -1), (2.0, 3), (2, "3")])
def test_refuses_sizes_that_make_no_table(sizes):
    said = refuses_as_torch(lambda: nn.Embedding(*sizes), lambda: torch.nn.Embedding(*sizes))
    name = "num_embeddings" if sizes[1] in (2, 3) else "embedding_dim"
    assert said.startswith(f"Embedding: expected {name} ")


@pytest.mark.parametrize("padding", [3, -4])
def test_refuses_a_padding_row_that_is_not_there(padding):
    with pytest.raises(ValueError, match=f"Embedding: expected padding_idx within 3 embeddings, got {padding}"):
        nn.Embedding(3, 2, padding_idx=padding)


@pytest.mark.parametrize("options", [{"max_norm": 1.0}, {"scale_grad_by_freq": True}, {"sparse": True}])
def test_refuses_by_name_what_is_left_out(options):
    (name,) = options
    with pytest.raises(NotImplementedError, match=f"Embedding: {name} is not supported"):
        nn.Embedding(3, 2, **options)


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("padding_idx", [None, 1, -1])
@given(dtype=dtypes, seed=seeds)
def test_from_pretrained_is_torchs(freeze, padding_idx, dtype, seed):
    """It draws nothing, and the row for padding keeps its numbers."""
    table, before = array((4, 3), dtype, seed=seed), random.get_state()
    ours = nn.Embedding.from_pretrained(table, freeze, padding_idx)
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(table), freeze, padding_idx)
    assert random.get_state() == before
    assert ours.weight.data is table
    assert ours.weight.requires_grad == theirs.weight.requires_grad == (not freeze)
    x, g = np.array([[3, 1], [3, 0]]), array((2, 2, 3), dtype, seed=seed + 1)
    y, expected = ours(x), theirs(torch.tensor(x))
    np.testing.assert_array_equal(y, expected.detach().numpy())
    assert ours.backward(g) is None
    if freeze:
        assert ours.weight.grad is None
    else:
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-6)


def test_from_pretrained_takes_tables_alone():
    assert nn.Embedding.from_pretrained(np.ones((2, 3))).weight.data.dtype == np.float64
    with pytest.raises(NotImplementedError, match="Embedding: max_norm is not supported"):
        nn.Embedding.from_pretrained(np.ones((2, 3)), max_norm=1.0)
    with pytest.raises(RuntimeError, match=r"Embedding: expected embeddings with 2 axes, got \(2,\)"):
        nn.Embedding.from_pretrained(np.ones(2))
    with pytest.raises(RuntimeError, match=r"Embedding: expected _weight of shape \(2, 3\), got \(3, 2\)"):
        nn.Embedding(2, 3, _weight=np.ones((3, 2)))
    for wrong in ([[1.0]], np.ones((2, 3), int)):
        with pytest.raises(TypeError, match="Embedding: expected embeddings"):
            nn.Embedding.from_pretrained(wrong)
    with pytest.raises(ValueError, match="Embedding: expected padding_idx within 2 embeddings, got 2"):
        nn.Embedding.from_pretrained(np.ones((2, 3)), padding_idx=2)


def test_takes_torchs_arguments_in_their_order():
    ours, theirs = (inspect.signature(library.Embedding).parameters for library in (nn, torch.nn))
    for name in list(ours)[:-1]:
        assert ours[name].default == theirs[name].default
    assert list(ours)[:-1] == list(theirs)[: len(ours) - 1]


def test_says_what_it_is_as_torch_does():
    for args in ((3, 2), (3, 2, 1), (3, 2, -1)):
        assert repr(nn.Embedding(*args)) == repr(torch.nn.Embedding(*args))


def test_keeps_nothing_without_gradients():
    layer = nn.Embedding(3, 2)
    with scratch.no_grad():
        layer(np.array([1]))
    with pytest.raises(RuntimeError, match="Embedding: backward was called before forward"):
        layer.backward(np.ones((1, 2), np.float32))
