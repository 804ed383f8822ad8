"""CrossEntropyLoss and NLLLoss: all options crossed, against PyTorch, and what must hold without it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, lay_out, layouts, seeds
from scratch.kernels.cross_entropy import cross_entropy

reductions = st.sampled_from(["none", "mean", "sum"])
batches = st.one_of(st.none(), st.integers(0, 4))
extras = st.lists(st.integers(0, 3), max_size=3).map(tuple)
weights = st.sampled_from(["none", "random", "some zero", "all zero"])
smoothings = st.sampled_from([0.0, 0.1, 0.5, 0.9])
ignores = st.sampled_from([-100, -1, 0, 1, 1000])
each_loss = pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])


def both(name, weight=None, **options):
    torchs = None if weight is None else torch.tensor(weight)
    return getattr(nn, name)(weight, **options), getattr(torch.nn, name)(torchs, **options)


def class_weight(kind, classes, dtype, seed):
    if kind == "none":
        return None
    values = np.random.default_rng([seed, 5]).uniform(0.3, 3, classes).astype(dtype)
    if kind == "some zero":
        values[::2] = 0
    return values if kind != "all zero" else 0 * values


def logits(batch, classes, extra, dtype, seed, layout="C"):
    """Return an input: (N, C, ...), or (C,) where there is no batch."""
    shape = (classes,) if batch is None else (batch, classes, *extra)
    return lay_out(3 * array(shape, dtype, seed=seed), layout)


def indices(x, seed, ignore_index=None, share=0.0, layout="C"):
    """Return targets for ``x``; about a ``share`` of them are ``ignore_index``."""
    rng = np.random.default_rng([seed, 3])
    shape = () if x.ndim == 1 else (x.shape[0], *x.shape[2:])
    drawn = rng.integers(0, x.shape[0 if x.ndim == 1 else 1], shape)
    return lay_out(np.where(rng.random(shape) < share, ignore_index, drawn).astype(np.int64), layout)


def distributions(x, seed, layout="C"):
    """Return class probabilities for ``x``, a few of them exactly 0."""
    values = np.maximum(np.random.default_rng([seed, 4]).uniform(-0.3, 1, x.shape), 0) + 1e-3 * (x > 0)
    return lay_out((values / (values.sum(axis=0 if x.ndim == 1 else 1, keepdims=True) + 1e-9)).astype(x.dtype), layout)


@given(
    batch=batches,
    classes=st.integers(1, 5),
    extra=extras,
    weight=weights,
    ignore_index=ignores,
    share=st.sampled_from([0.0, 0.4, 1.0]),
    label_smoothing=smoothings,
    reduction=reductions,
    target_layout=layouts,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_class_indices_are_torchs(
    batch, classes, extra, weight, ignore_index, share, label_smoothing, reduction, target_layout, dtype, layout, seed
):
    x = logits(batch, classes, extra, dtype, seed, layout)
    target = indices(x, seed, ignore_index, share, target_layout)
    weight = class_weight(weight, classes, dtype, seed)
    options = {"ignore_index": ignore_index, "reduction": reduction}
    check(*both("NLLLoss", weight, **options), x, target, seed=seed).raise_if_different()
    options["label_smoothing"] = label_smoothing
    check(*both("CrossEntropyLoss", weight, **options), x, target, seed=seed).raise_if_different()


@given(
    batch=batches,
    classes=st.integers(1, 5),
    extra=extras,
    weight=weights,
    label_smoothing=smoothings,
    reduction=reductions,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_class_probabilities_are_torchs(batch, classes, extra, weight, label_smoothing, reduction, dtype, layout, seed):
    x = logits(batch, classes, extra, dtype, seed)
    target = distributions(x, seed, layout)
    weight = class_weight(weight, classes, dtype, seed)
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    check(*both("CrossEntropyLoss", weight, **options), x, target, seed=seed).raise_if_different()


def test_no_classes_and_nothing_but_smoothing_are_torchs():
    none = np.ones((2, 0))
    check(*both("CrossEntropyLoss", reduction="none"), none, none).raise_if_different()
    for label_smoothing in (0.0, 0.1):
        criteria = both("CrossEntropyLoss", label_smoothing=label_smoothing)
        check(*criteria, np.ones((0, 0)), np.zeros(0, np.int64)).raise_if_different()
    x, target = array((2, 3)), np.array([0, 2])
    check(*both("CrossEntropyLoss", label_smoothing=1.0), x, target).raise_if_different()


@given(
    batch=batches,
    classes=st.integers(2, 4),
    extra=extras,
    weighted=st.booleans(),
    share=st.sampled_from([0.0, 0.4]),
    label_smoothing=smoothings,
    reduction=reductions,
    seed=seeds,
)
def test_backward_is_the_derivative(batch, classes, extra, weighted, share, label_smoothing, reduction, seed):
    x = logits(batch, classes, extra, "float64", seed)
    weight = class_weight("random" if weighted else "none", classes, "float64", seed)
    target = indices(x, seed, -100, share)
    options = {"reduction": reduction}
    if (target != -100).any():
        check(nn.NLLLoss(weight, **options), None, x, target, seed=seed).raise_if_different()
        criterion = nn.CrossEntropyLoss(weight, label_smoothing=label_smoothing, **options)
        check(criterion, None, x, target, seed=seed).raise_if_different()
        check(criterion, None, x, distributions(x, seed), seed=seed).raise_if_different()


SPECIAL = [
    [np.inf, 0, 1],
    [-np.inf, 0, 1],
    [np.nan, 0, 1],
    [1e4, -1e4, 0],
    [-1e4, 1e4, 0],
    [np.inf, np.inf, 0],
    [-np.inf, -np.inf, -np.inf],
    [0.0, -0.0, 0.0],
    [1e30, 1e30, -1e30],
]


@each_loss
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("target", [0, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(name, reduction, target, dtype):
    x, target = np.array(SPECIAL, dtype), np.full(len(SPECIAL), target)
    weight = np.array([0.0, 1.0, 2.0], dtype)
    for options in ({}, {"ignore_index": 0}, {"weight": weight}):
        check(*both(name, reduction=reduction, **options), x, target).raise_if_different()


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_under_a_distribution_are_torchs(reduction, dtype):
    x, share = np.array(SPECIAL, dtype), np.array([[0, 0.25, 0.75]] * len(SPECIAL), dtype)
    weight = np.array([0.0, 1.0, 2.0], dtype)
    for options in ({}, {"label_smoothing": 0.1}, {"label_smoothing": 0.1, "weight": weight}):
        criteria = both("CrossEntropyLoss", reduction=reduction, **options)
        check(*criteria, x, share).raise_if_different()
        check(*criteria, x, np.arange(len(x)) % 3).raise_if_different()


def test_extreme_logits_stay_exact():
    criterion = nn.CrossEntropyLoss(reduction="none")
    for dtype in (np.float64, np.float32):
        x = np.array([[1e4, -1e4], [1e4, -1e4]], dtype)
        np.testing.assert_array_equal(criterion(x, np.array([0, 1])), [0, 2e4])
        np.testing.assert_array_equal(criterion.backward(np.ones(2, dtype)), [[0, 0], [1, -1]])


@each_loss
@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 3.0])])
def test_nothing_left_is_a_nan_and_no_gradient(name, weight):
    criterion, torchs = both(name, weight)
    x, target = array((4, 3)), np.full(4, -100)
    check(criterion, torchs, x, target).raise_if_different()
    assert np.isnan(criterion(x, target))
    np.testing.assert_array_equal(criterion.backward(), np.zeros((4, 3)))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_targets_that_weigh_nothing_have_no_mean(label_smoothing):
    """The other classes' weights are not 0, so smoothing leaves a loss, but there is nothing to divide it by."""
    weight = np.array([0.0, 2.0, 3.0])
    criterion, torchs = both("CrossEntropyLoss", weight, label_smoothing=label_smoothing)
    x, target = array((4, 3)), np.array([0, -100, 0, 0])
    check(criterion, torchs, x, target).raise_if_different()
    assert np.isnan(criterion(x, target))


@each_loss
def test_an_ignored_row_weighs_nothing(name):
    """Its numbers do not reach the loss, its gradient is 0, and the mean is that of the other rows."""
    x, target = array((4, 3)), np.array([0, -100, 2, 1])
    criterion, _ = both(name)
    loss, grad = criterion(x, target), criterion.backward()
    keep = target >= 0
    assert loss == pytest.approx(criterion(x[keep], target[keep]), rel=1e-15)
    np.testing.assert_allclose(grad[keep], criterion.backward(), rtol=1e-15)
    np.testing.assert_array_equal(grad[~keep], 0)
    x[1] = 77
    assert criterion(x, target) == loss


@given(batch=st.integers(1, 4), extra=extras, label_smoothing=smoothings, reduction=reductions, seed=seeds)
def test_gradients_of_logits_sum_to_zero(batch, extra, label_smoothing, reduction, seed):
    """Adding one number to all logits of a row changes no probability, so it does not change the loss."""
    x = logits(batch, 4, extra, "float64", seed)
    criterion = nn.CrossEntropyLoss(
        class_weight("random", 4, "float64", seed), label_smoothing=label_smoothing, reduction=reduction
    )
    for target in (indices(x, seed), distributions(x, seed)):
        output = criterion(x, target)
        grad = criterion.backward(np.asarray(array(output.shape, seed=seed + 9)))
        np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-14)


@given(batch=st.integers(1, 4), extra=extras, seed=seeds)
def test_cross_entropy_is_log_softmax_then_nll(batch, extra, seed):
    x = logits(batch, 4, extra, "float64", seed)
    weight, target = class_weight("random", 4, "float64", seed), indices(x, seed, -100, 0.3)
    log_softmax, nll = nn.LogSoftmax(dim=1), nn.NLLLoss(weight, reduction="sum")
    joined = nn.CrossEntropyLoss(weight, reduction="sum")
    np.testing.assert_allclose(nll(log_softmax(x), target), joined(x, target), rtol=1e-13)
    np.testing.assert_allclose(log_softmax.backward(nll.backward()), joined.backward(), atol=1e-14)


@given(batch=batches, extra=extras, label_smoothing=smoothings, reduction=reductions, seed=seeds)
def test_indices_are_one_hot_probabilities(batch, extra, label_smoothing, reduction, seed):
    x = logits(batch, 4, extra, "float64", seed)
    target = indices(x, seed)
    onehot = np.moveaxis(np.eye(4)[target], -1, 0 if x.ndim == 1 else 1)
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing, reduction=reduction)
    loss = criterion(x, target)
    grad_output = array(np.shape(loss), seed=seed)
    grad = criterion.backward(grad_output)
    np.testing.assert_allclose(criterion(x, onehot), loss, rtol=1e-13)
    np.testing.assert_allclose(criterion.backward(grad_output), grad, atol=1e-14)


@given(weighted=st.booleans(), seed=seeds)
def test_a_sum_over_a_batch_is_the_sum_over_its_parts(weighted, seed):
    x = logits(6, 4, (), "float64", seed)
    target = indices(x, seed, -100, 0.2)
    criterion = nn.CrossEntropyLoss(class_weight("random", 4, "float64", seed) if weighted else None, reduction="sum")
    whole, grad = criterion(x, target), criterion.backward(0.7)
    parts, grads = [], []
    for rows in (slice(0, 2), slice(2, 6)):
        parts.append(criterion(x[rows], target[rows]))
        grads.append(criterion.backward(0.7))
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-13)
    np.testing.assert_array_equal(np.concatenate(grads), grad)


@each_loss
def test_bytes_are_class_indices(name):
    check(*both(name), array((4, 3)), np.array([0, 2, 1, 2], np.uint8)).raise_if_different()


def test_the_row_numbers_that_losses_share_are_not_to_be_changed():
    _, (_, _, rows, *_) = cross_entropy(array((3, 2)), np.array([0, 1, 1]), np.ones(2), -100, 0.0, "mean")
    np.testing.assert_array_equal(rows, [0, 1, 2])
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 2
