"""The losses of distributions and those with a margin: against PyTorch, against finite differences, at their edges."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.catalogue import named
from parity_tests.catalogue.likelihoods_and_margins import without_warning
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, seeds
from parity_tests.harness.torch_releases import NO_SLOPE_AT_THE_MARGIN

NAMES = [
    "KLDivLoss",
    "GaussianNLLLoss",
    "PoissonNLLLoss",
    "HingeEmbeddingLoss",
    "SoftMarginLoss",
    "MarginRankingLoss",
    "MultiMarginLoss",
    "TripletMarginLoss",
    "CosineEmbeddingLoss",
]
each_loss = pytest.mark.parametrize("name", NAMES)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def both(name, **options):
    tensors = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    return getattr(nn, name)(**options), getattr(torch.nn, name)(**tensors)


@each_loss
@given(dtype=dtypes, seed=seeds)
def test_it_is_torchs_with_every_option(name, dtype, seed):
    named(name).case(dtype, seed).check(seed).raise_if_different()


@each_loss
@given(seed=seeds)
def test_backward_is_the_derivative(name, seed):
    case = named(name).case("float64", seed)
    report = check(case.layer, None, *case.inputs, seed=seed)
    assert not report.differs, str(report)


@each_loss
def test_an_input_may_be_written_to_after_forward(name):
    case = named(name).case("float64", 3, batch=3)
    inputs = [np.array(x) for x in case.inputs]
    y = case.layer(*inputs)
    expected = case.layer.backward(np.ones(np.shape(y)) if np.ndim(y) else 1.0)
    case.layer(*inputs)
    for x in inputs:
        x[...] = 1
    found = case.layer.backward(np.ones(np.shape(y)) if np.ndim(y) else 1.0)
    as_tuples = (grads if isinstance(grads, tuple) else (grads,) for grads in (found, expected))
    for one, other in zip(*as_tuples, strict=True):
        np.testing.assert_array_equal(one, other)


@each_loss
def test_what_it_does_not_know_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}: expected reduction to be one of .*, got 'median'"):
        getattr(nn, name)(reduction="median")
    with pytest.raises(TypeError, match="size_average"):
        getattr(nn, name)(size_average=True)
    case = named(name).case("float64", 0, batch=3)
    x, *others = case.inputs
    with pytest.raises(TypeError, match=f"{name}: expected input to be a numpy.ndarray, got list"):
        case.layer(x.tolist(), *others)
    for place, other in enumerate(others):
        changed = list(others)
        changed[place] = other.tolist()
        with pytest.raises(TypeError, match=rf"{name}: expected \w+ to be a numpy.ndarray, got \w+"):
            case.layer(x, *changed)
        changed[place] = np.ones((*np.shape(other), 2, 2), other.dtype)
        with pytest.raises((RuntimeError, ValueError), match=rf"{name}: expected .* of .*shape .*, got \("):
            case.layer(x, *changed)
        if other.dtype.kind == "f":
            changed[place] = other.astype(np.float32)
            with pytest.raises(RuntimeError, match=rf"{name}: expected \w+ of dtype float64, got float32"):
                case.layer(x, *changed)


# Kullback and Leibler.


def test_batchmean_divides_by_the_rows_and_mean_by_the_numbers():
    x, target = array((3, 4)), np.abs(array((3, 4), seed=1))
    total = nn.KLDivLoss(reduction="sum")(x, target)
    np.testing.assert_allclose(nn.KLDivLoss(reduction="batchmean")(x, target), total / 3, rtol=1e-14)
    np.testing.assert_allclose(nn.KLDivLoss()(x, target), total / 12, rtol=1e-14)
    check(*both("KLDivLoss", reduction="batchmean"), np.array(0.3), np.array(0.5)).raise_if_different()


def test_a_divergence_of_nothing_and_of_zeros_is_torchs():
    x, target = np.array([-1.0, -np.inf, 0.0, np.nan, -2.0] * 8), np.array([0.0, 0.0, 1.0, 0.5, np.nan] * 8)
    loss, reference = both("KLDivLoss", reduction="none")
    check(loss, without_warning(reference), x, target).raise_if_different()
    np.testing.assert_array_equal(loss(np.array([-3.0]), np.array([0.0])), [0.0])
    logs, logs_reference = both("KLDivLoss", reduction="none", log_target=True)
    check(
        logs, without_warning(logs_reference), x, np.array([-1.0, -np.inf, 0.0, -2.0, np.nan] * 8)
    ).raise_if_different()


# Gauss.


@each_dtype
@each_reduction
def test_the_floor_of_the_variance_passes_the_gradient_as_torchs_does(reduction, dtype):
    x, target = array((4, 3), dtype), array((4, 3), dtype, seed=1)
    var = np.tile(np.array([0.0, 0.05, 2.0], dtype), (4, 1))
    loss, reference = both("GaussianNLLLoss", eps=0.1, full=True, reduction=reduction)
    check(loss, reference, x, target, var).raise_if_different()
    assert np.all(loss(x, target, var) != 0)
    assert np.all(loss.backward(np.ones((4, 3), dtype) if reduction == "none" else 1.0)[2][:, :2] != 0)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3), (2, 3, 1), (2, 1, 4), (1, 3, 4)])
@each_reduction
def test_a_variance_for_several_is_torchs(shape, reduction):
    var = np.abs(array(shape, seed=2))
    check(
        *both("GaussianNLLLoss", reduction=reduction), array((2, 3, 4)), array((2, 3, 4), seed=1), var
    ).raise_if_different()


def test_one_number_for_all_variances():
    x, target = array((2, 3), "float32"), array((2, 3), "float32", seed=1)
    one, other = nn.GaussianNLLLoss(), nn.GaussianNLLLoss()
    np.testing.assert_array_equal(one(x, target, 0.7), other(x, target, np.full((2, 3), 0.7, np.float32)))
    np.testing.assert_array_equal(one.backward()[0], other.backward()[0])


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 1, 1), (2, 3, 4, 1), (2, 4), (1, 1, 4), (2, 3, 2)])
def test_a_variance_that_does_not_fit_is_refused(shape):
    x, var = array((2, 3, 4)), np.ones(shape)
    loss, reference = both("GaussianNLLLoss")
    tensor = torch.tensor(x)
    message = refuses_as_torch(lambda: loss(x, x, var), lambda: reference(tensor, tensor, torch.tensor(var)))
    assert "GaussianNLLLoss: expected var of the input's shape (2, 3, 4)" in message
    assert message.endswith(f"got {shape}")


def test_a_negative_variance_is_refused():
    loss, reference = both("GaussianNLLLoss")
    x, var = np.ones(2), np.array([1.0, -0.5])
    tensor = torch.ones(2, dtype=torch.float64)
    message = refuses_as_torch(lambda: loss(x, x, var), lambda: reference(tensor, tensor, torch.tensor(var)))
    assert message == "GaussianNLLLoss: expected var of 0 or more, got -0.5"
    with pytest.raises(ValueError, match=r"expected var of 0 or more, got -1\.0"):
        loss(x, x, -1.0)
    for eps in (0.0, -1.0):
        with pytest.raises(ValueError, match=f"GaussianNLLLoss: expected eps of more than 0, got {eps}"):
            nn.GaussianNLLLoss(eps=eps)


# Poisson.


@each_dtype
@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_counts_at_the_edges_are_torchs(log_input, full, dtype):
    target = np.array([0.0, 1.0, 1.5, 2.0, 100.0, np.nan, np.inf] * 8, dtype)
    loss, reference = both("PoissonNLLLoss", log_input=log_input, full=full, reduction="none")
    for value in (0.0, 0.5, 3.0, np.inf, np.nan):
        check(loss, reference, np.full_like(target, value), target).raise_if_different()


# Margins.


def test_targets_that_are_neither_1_nor_minus_1_are_torchs():
    x, target = np.array([0.5, 2.0, -1.0, 0.3] * 8), np.array([0.0, 0.5, 3.0, -2.0] * 8)
    check(*both("HingeEmbeddingLoss", reduction="none"), x, target).raise_if_different()
    check(*both("SoftMarginLoss", reduction="none"), x, target).raise_if_different()
    check(*both("MarginRankingLoss", reduction="none"), x, x[::-1], target).raise_if_different()
    rows = array((4, 3)), array((4, 3), seed=1), target[:4]
    check(*both("CosineEmbeddingLoss", reduction="none"), *rows).raise_if_different()


@each_dtype
def test_exactly_at_the_margin_there_is_no_gradient(dtype):
    x, target = np.array([1.0, 1.0, np.nan] * 8, dtype), np.array([-1.0, 1.0, -1.0] * 8, dtype)
    hinge = check(*both("HingeEmbeddingLoss", reduction="none"), x, target, grad_output=np.full(24, 2, dtype))
    np.testing.assert_array_equal(hinge["grad_input"].got[:3], [0, 2, 0])
    x1 = np.array([2.0, 0.0, np.nan] * 8, dtype)
    ranking = check(*both("MarginRankingLoss", margin=1.0, reduction="none"), x1, np.ones(24, dtype), -target)
    assert not ranking["grad_input[0]"].got.any()
    if NO_SLOPE_AT_THE_MARGIN:
        hinge.raise_if_different()
        ranking.raise_if_different()


def test_a_score_far_on_the_wrong_side_costs_as_much_as_it_is():
    """PyTorch's loss is infinite there, and its gradient NaN."""
    for dtype, far in ((np.float64, 1e6), (np.float32, 1e4)):
        loss = nn.SoftMarginLoss(reduction="none")
        x, target = np.array([far, -far, far, -far], dtype), np.array([1, -1, -1, 1], dtype)
        np.testing.assert_array_equal(loss(x, target), np.array([0, 0, far, far], dtype))
        np.testing.assert_array_equal(loss.backward(np.full(4, 3, dtype)), np.array([0, 0, 3, -3], dtype))


@each_reduction
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margins_edges(p, reduction):
    x, target = np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 0.5]]), np.array([2, 0])
    weight = np.array([0.5, 2.0, 1.5])
    check(*both("MultiMarginLoss", p=p, reduction=reduction, weight=weight), x, target).raise_if_different()
    check(*both("MultiMarginLoss", p=p, reduction=reduction), x[0], np.array(1)).raise_if_different()
    nan = x.copy()
    nan[0, 1] = np.nan
    check(*both("MultiMarginLoss", p=p, reduction=reduction), nan, target).raise_if_different()


def test_multi_margin_of_no_rows_is_nothing():
    """PyTorch returns uninitialized memory."""
    x, target = np.ones((0, 3)), np.ones(0, np.int64)
    assert nn.MultiMarginLoss(reduction="sum")(x, target) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(nn.MultiMarginLoss()(x, target))
    assert nn.MultiMarginLoss(reduction="none")(x, target).shape == (0,)


@pytest.mark.parametrize(
    ("shape", "target", "words"),
    [
        ((2, 3), np.array([0, 3]), "target 3 is out of bounds for 3 classes"),
        ((2, 3), np.array([0, -1]), "target -1 is out of bounds for 3 classes"),
        ((2, 3), np.array([0, 1, 2]), r"expected target of shape \(2,\)"),
        ((2, 0), np.array([0, 0]), r"expected input of shape \(C,\) or \(N, C\)"),
        ((2, 3, 4), np.array([0, 1]), r"expected input of shape \(C,\) or \(N, C\)"),
    ],
)
def test_multi_margin_refuses_what_does_not_fit(shape, target, words):
    loss, reference = both("MultiMarginLoss")
    with pytest.raises(RuntimeError, match=f"MultiMarginLoss: {words}"):
        loss(np.ones(shape), target)
    with pytest.raises((RuntimeError, IndexError)):
        reference(torch.ones(shape, dtype=torch.float64), torch.tensor(target))


def test_multi_margin_refuses_weights_and_powers():
    x, target = np.ones((2, 3)), np.array([0, 1])
    for p in (0, 3, 1.5):
        message = refuses_as_torch(lambda: nn.MultiMarginLoss(p=p), lambda: torch.nn.MultiMarginLoss(p=p))  # noqa: B023
        assert message == f"MultiMarginLoss: expected p to be 1 or 2, got {p}"
    with pytest.raises(RuntimeError, match=r"expected weight of shape \(3,\), one per class, got \(2,\)"):
        nn.MultiMarginLoss(weight=np.ones(2))(x, target)
    with pytest.raises(RuntimeError, match=r"expected weight of dtype float64, got float32"):
        nn.MultiMarginLoss(weight=np.ones(3, np.float32))(x, target)
    with pytest.raises(TypeError, match=r"expected weight to be a numpy\.ndarray, got list"):
        nn.MultiMarginLoss(weight=[1.0, 2.0, 3.0])
    with pytest.raises(RuntimeError, match=r"expected target to be class indices .* got float64"):
        nn.MultiMarginLoss()(x, np.zeros(2))
    assert list(nn.MultiMarginLoss(weight=np.ones(3)).state_dict()) == ["weight"]


@each_reduction
@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("swap", [True, False])
def test_triplets_with_ties_and_zeros_are_torchs(swap, p, reduction):
    """Differences of exactly 0, equal distances, equal largest components."""
    anchor = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 1.0]])
    positive = np.array([[0.0, 0.0, 0.0], [3.0, -1.0, 3.0], [2.0, 2.0, 1.0], [2.0, 0.0, 1.0]])
    negative = np.array([[0.0, 0.0, 0.0], [1.0, 3.0, 1.0], [1.0, 1.0, 0.5], [2.0, 0.0, 1.0]])
    options = {"p": p, "swap": swap, "eps": 0.0, "reduction": reduction, "margin": 0.75}
    check(*both("TripletMarginLoss", **options), anchor, positive, negative).raise_if_different()


def test_a_triplet_exactly_at_its_margin_has_no_gradient():
    inputs = np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[2.0, 0.0]])
    loss, reference = both("TripletMarginLoss", eps=0.0)
    if NO_SLOPE_AT_THE_MARGIN:
        check(loss, reference, *inputs).raise_if_different()
    assert not any(grad.any() for grad in loss.backward()) if loss(*inputs) == 0 else False


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 3), (0, 3)])
def test_triplets_of_any_shape_are_torchs(shape):
    inputs = [array(shape, seed=seed) for seed in range(3)]
    check(*both("TripletMarginLoss", swap=True), *inputs).raise_if_different()


def test_triplets_refuse_what_is_no_distance():
    for option in ("margin", "p"):
        for value in (0.0, -1.0, np.nan):
            with pytest.raises(ValueError, match=f"TripletMarginLoss: expected {option} of more than 0, got {value}"):
                nn.TripletMarginLoss(**{option: value})
    with pytest.raises(RuntimeError, match=r"expected anchor of shape \(D,\) or \(N, D\), got \(\)"):
        nn.TripletMarginLoss()(*[np.array(1.0)] * 3)


@each_dtype
@each_reduction
def test_vectors_of_zeros_are_torchs(reduction, dtype):
    one = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [1e-4, 0.0]], dtype)
    other = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [0.0, 1.0]], dtype)
    for sign in (1.0, -1.0):
        target = np.full(4, sign, dtype)
        check(*both("CosineEmbeddingLoss", reduction=reduction, margin=-0.5), one, other, target).raise_if_different()


def test_a_cosine_exactly_at_the_margin_has_no_gradient():
    inputs = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 3.0]]), np.array([-1.0, -1.0])
    report = check(*both("CosineEmbeddingLoss", reduction="none"), *inputs)
    if NO_SLOPE_AT_THE_MARGIN:
        report.raise_if_different()
    assert not report["grad_input[0]"].got.any()


def test_cosines_of_one_pair_and_of_wrong_shapes():
    one, other = array((3,)), array((3,), seed=1)
    check(*both("CosineEmbeddingLoss"), one, other, np.array(-1.0)).raise_if_different()
    for shape, target in (((), ()), ((2, 3), ()), ((2, 3), (3,)), ((2, 3, 4), (2, 3))):
        with pytest.raises(RuntimeError, match=r"CosineEmbeddingLoss: expected inputs of shape \(N, D\)"):
            nn.CosineEmbeddingLoss()(np.ones(shape), np.ones(shape), np.ones(target))


@given(name=st.sampled_from(["MarginRankingLoss", "CosineEmbeddingLoss"]), seed=seeds)
def test_the_target_of_a_pair_has_no_gradient(name, seed):
    case = named(name).case("float64", seed, batch=2)
    y = case.layer(*case.inputs)
    grads = case.layer.backward(np.ones(np.shape(y)) if np.ndim(y) else 1.0)
    assert [np.shape(grad) for grad in grads] == [np.shape(x) for x in case.inputs[:2]]
