"""The losses between two arrays of one shape: against PyTorch, against finite differences, and by their own laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, lay_out, layouts, seeds, tied

reductions = st.sampled_from(["none", "mean", "sum"])
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
regressions = st.one_of(
    st.tuples(st.sampled_from(["MSELoss", "L1Loss"]), st.just({})),
    st.tuples(st.just("SmoothL1Loss"), st.fixed_dictionaries({"beta": st.sampled_from([0.0, 0.5, 1.0, 2.5])})),
    st.tuples(st.just("HuberLoss"), st.fixed_dictionaries({"delta": st.sampled_from([0.5, 1.0, 2.5])})),
)
ALL = ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss"]
each_loss = pytest.mark.parametrize("name", ALL)


def both(name, reduction="mean", **options):
    torchs = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    criterion = getattr(nn, name)(reduction=reduction, **options)
    return criterion, getattr(torch.nn, name)(reduction=reduction, **torchs)


def probabilities(shape, dtype, seed, layout="C"):
    """Numbers within [0, 1], some of them exactly 0 or 1."""
    drawn = np.random.default_rng(seed).uniform(-0.2, 1.2, shape)
    return lay_out(np.clip(drawn, 0, 1).astype(dtype), layout)


@given(loss=regressions, reduction=reductions, shape=shapes, dtype=dtypes, layout=layouts, seed=seeds)
def test_regression_is_torchs(loss, reduction, shape, dtype, layout, seed):
    name, options = loss
    x, target = array(shape, dtype, seed=seed, layout=layout), array(shape, dtype, seed=seed + 1)
    check(*both(name, reduction, **options), x, target, seed=seed).raise_if_different()


@given(loss=regressions, reduction=reductions, shape=shapes, dtype=dtypes, seed=seeds)
def test_kinks_are_torchs(loss, reduction, shape, dtype, seed):
    """Differences of exactly 0, 0.5, 1 and 2.5, of both signs: where the branches meet."""
    name, options = loss
    x = tied(shape, dtype, seed=seed)
    apart = np.random.default_rng(seed).choice([0, 0.5, -0.5, 1, -1, 2.5, -2.5], shape)
    check(*both(name, reduction, **options), x, np.asarray(x + apart, dtype), seed=seed).raise_if_different()


def test_smooth_l1_without_a_parabola_is_l1():
    x, target = np.array([0.0, 0.0, -0.0, 1.0, -1.0, np.nan, np.inf] * 8), np.zeros(56)
    report = check(*both("SmoothL1Loss", "none", beta=0.0), x, target, grad_output=np.ones(56))
    report.raise_if_different()
    np.testing.assert_array_equal(report["grad_input"].got[:7], [0, 0, 0, 1, -1, 0, 1])


# Repeated to fill whole vector registers: PyTorch's scalar code treats some of these unlike its vector code.
SPECIAL = [np.inf, -np.inf, np.nan, 1e4, -1e4, -0.0, 0.5, 200.0, -200.0, 1e30, 1e-30]


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("target", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(name, reduction, target, dtype):
    x = np.tile(np.array(SPECIAL, dtype), 8)
    check(*both(name, reduction), x, np.full_like(x, target)).raise_if_different()


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"])
def test_special_targets_are_torchs(name):
    target = np.array([np.inf, -np.inf, np.nan] * 8)
    for x in (target, np.zeros_like(target)):
        check(*both(name, "none"), x, target).raise_if_different()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_extreme_logits_stay_exact(reduction, dtype):
    x = np.array([1e4, -1e4, 1e4, -1e4], dtype)
    target = np.array([0, 1, 1, 0], dtype)
    criterion = nn.BCEWithLogitsLoss(reduction="none")
    np.testing.assert_array_equal(criterion(x, target), np.array([1e4, 1e4, 0, 0], dtype))
    grad_output = array(x.shape, dtype)
    np.testing.assert_array_equal(criterion.backward(grad_output), grad_output * np.array([1, -1, 0, 0], dtype))
    check(*both("BCEWithLogitsLoss", reduction), x, target).raise_if_different()


@st.composite
def weighted(draw, names):
    """Draw a shape, and for some of the names a shape that broadcasts to it."""
    shape = draw(shapes)
    weights = {}
    for name in names:
        if draw(st.booleans()):
            cut = draw(st.integers(0, len(shape)))
            weights[name] = tuple(1 if draw(st.booleans()) else size for size in shape[cut:])
    return shape, weights


@given(case=weighted(["weight"]), reduction=reductions, dtype=dtypes, layout=layouts, seed=seeds)
def test_bce_is_torchs(case, reduction, dtype, layout, seed):
    shape, weights = case
    options = {name: array(sizes, dtype, seed=seed + 2) for name, sizes in weights.items()}
    p, target = probabilities(shape, dtype, seed, layout), probabilities(shape, dtype, seed + 1)
    check(*both("BCELoss", reduction, **options), p, target, seed=seed).raise_if_different()


@given(
    case=weighted(["weight", "pos_weight"]),
    reduction=reductions,
    factor=st.sampled_from([1, 10, 1000]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_bce_with_logits_is_torchs(case, reduction, factor, dtype, layout, seed):
    shape, weights = case
    options = {name: array(sizes, dtype, seed=seed + 2 + len(name)) for name, sizes in weights.items()}
    x = lay_out(factor * array(shape, dtype, seed=seed), layout)
    target = probabilities(shape, dtype, seed + 1)
    check(*both("BCEWithLogitsLoss", reduction, **options), x, target, seed=seed).raise_if_different()


def test_bce_floors_are_torchs():
    """At p = 0 and p = 1 the loss is capped at 100 and the gradient at 1e12."""
    p = np.array([0.0, 0.0, 1.0, 1.0, 1e-30, 1e-320])
    target = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.5])
    report = check(*both("BCELoss", "none"), p, target)
    report.raise_if_different()
    np.testing.assert_array_equal(report["output"].got[:4], [0, 100, 100, 0])


@given(loss=regressions, reduction=reductions, shape=shapes, seed=seeds)
def test_regression_backward_is_the_derivative(loss, reduction, shape, seed):
    name, options = loss
    criterion, _ = both(name, reduction, **options)
    check(criterion, None, array(shape, seed=seed), array(shape, seed=seed + 1), seed=seed).raise_if_different()


@given(reduction=reductions, shape=shapes, seed=seeds)
def test_bce_backward_is_the_derivative(reduction, shape, seed):
    rng = np.random.default_rng(seed)
    p, target, weight = (np.asarray(rng.uniform(0.1, 0.9, shape)) for _ in range(3))
    check(nn.BCELoss(weight, reduction=reduction), None, p, target, seed=seed).raise_if_different()
    criterion = nn.BCEWithLogitsLoss(weight, reduction=reduction, pos_weight=np.asarray(4 * weight))
    check(criterion, None, array(shape, seed=seed), target, seed=seed).raise_if_different()


@given(shape=shapes.filter(lambda shape: 0 not in shape), delta=st.sampled_from([0.5, 1.0, 3.0]), seed=seeds)
def test_huber_is_smooth_l1_scaled(shape, delta, seed):
    x, target = array(shape, seed=seed), array(shape, seed=seed + 1)
    huber, smooth = nn.HuberLoss(delta=delta), nn.SmoothL1Loss(beta=delta)
    np.testing.assert_allclose(huber(x, target), delta * smooth(x, target), rtol=1e-13)
    np.testing.assert_allclose(huber.backward(), delta * smooth.backward(), rtol=1e-13)


@given(shape=shapes, seed=seeds)
def test_bce_of_a_sigmoid_is_bce_with_logits(shape, seed):
    """Two routes to one loss, and to one gradient through the sigmoid's backward."""
    x, target = array(shape, seed=seed), np.asarray(np.random.default_rng(seed).random(shape))
    sigmoid, bce, joined = nn.Sigmoid(), nn.BCELoss(reduction="sum"), nn.BCEWithLogitsLoss(reduction="sum")
    np.testing.assert_allclose(bce(np.asarray(sigmoid(x)), target), joined(x, target), rtol=1e-12)
    np.testing.assert_allclose(sigmoid.backward(np.asarray(bce.backward())), joined.backward(), rtol=1e-11, atol=1e-13)


@each_loss
def test_mean_is_the_sum_over_the_number_and_backward_is_linear(name):
    x, target = probabilities((3, 5), "float64", 0), probabilities((3, 5), "float64", 1)
    mean, total = getattr(nn, name)(), getattr(nn, name)(reduction="sum")
    np.testing.assert_allclose(15 * mean(x, target), total(x, target), rtol=1e-14)
    with scratch.retain_graph():
        np.testing.assert_allclose(mean.backward(3.0), total.backward(-0.2) * -1, rtol=1e-14)
        np.testing.assert_array_equal(mean.backward(), mean.backward(1.0))


@each_loss
def test_the_loss_itself_is_no_upstream_gradient(name):
    """loss.backward() suggests criterion.backward(loss), which is refused; a number meant as a factor is not."""
    x, target = probabilities((3, 5), "float32", 0), probabilities((3, 5), "float32", 1)
    criterion, _ = both(name)
    loss = criterion(x, target)
    with pytest.raises(RuntimeError, match=rf"{name}: backward was given the loss itself .* call backward\(\) without"):
        criterion.backward(loss)
    plain = criterion.backward()
    criterion(x, target)
    np.testing.assert_allclose(criterion.backward(float(loss)), float(loss) * plain, rtol=1e-6)
    other, _ = both(name, "sum")
    factor = other(x, target)
    criterion(x, target)
    np.testing.assert_allclose(criterion.backward(factor), factor * plain, rtol=1e-6)  # d (loss factor) / d loss
    criterion, _ = both(name, "none")
    losses = criterion(x, target)
    np.testing.assert_allclose(criterion.backward(losses), 15 * losses * plain, rtol=1e-5)


@each_loss
@pytest.mark.parametrize("grad_output", [None, "1.0", 1j, object()], ids=lambda one: type(one).__name__)
def test_an_upstream_gradient_that_is_no_number_is_refused(name, grad_output):
    criterion, _ = both(name)
    criterion(*(probabilities((3, 2), "float64", seed) for seed in (0, 1)))
    with pytest.raises(TypeError, match=f"{name}: expected grad_output to be a number, got "):
        criterion.backward(grad_output)


@each_loss
def test_a_forward_without_gradients_disturbs_nothing(name):
    x, target = probabilities((3, 2), "float64", 0), probabilities((3, 2), "float64", 1)
    criterion, _ = both(name)
    loss = criterion(x, target)
    with scratch.no_grad():
        criterion(target, x)
    with pytest.raises(RuntimeError, match="the loss itself"):
        criterion.backward(loss)
    expected = criterion.backward()
    criterion(x, target)
    np.testing.assert_array_equal(criterion.backward(), expected)


@each_loss
@pytest.mark.parametrize("grad_output", [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5), 1])
def test_scalar_gradients_keep_the_dtype(name, grad_output):
    x, target = probabilities((3, 2), "float32", 0), probabilities((3, 2), "float32", 1)
    criterion, _ = both(name)
    assert criterion(x, target).dtype == np.float32
    assert criterion.backward(grad_output).dtype == np.float32


@each_loss
def test_mean_of_nothing_is_nan(name):
    empty = np.zeros((0, 3), np.float32)
    for reduction in ("none", "mean", "sum"):
        check(*both(name, reduction), empty, empty).raise_if_different()


@each_loss
def test_what_torch_refuses_is_refused(name):
    x, y = np.full((2, 3), 0.5), np.full((2, 4), 0.5)
    criterion, torchs = both(name)
    message = refuses_as_torch(lambda: criterion(x, y), lambda: torchs(torch.tensor(x), torch.tensor(y)))
    assert message == f"{name}: expected target of shape (2, 3) (the input's), got (2, 4)"
    refuses_as_torch(
        lambda: both(name, "average")[0](x, x), lambda: both(name, "average")[1](torch.tensor(x), torch.tensor(x))
    )
    criterion, torchs = both(name, "none")
    criterion(x, x)
    output = torchs(torch.tensor(x, requires_grad=True), torch.tensor(x))
    refuses_as_torch(criterion.backward, output.backward)
    refuses_as_torch(lambda: criterion.backward(np.ones((3, 2))), lambda: output.backward(torch.ones(3, 2)))


@pytest.mark.parametrize(
    ("name", "options"),
    [("SmoothL1Loss", {"beta": -1.0}), ("HuberLoss", {"delta": 0.0}), ("HuberLoss", {"delta": -1.0})],
)
def test_options_torch_refuses_are_refused(name, options):
    x = torch.ones(3)
    refuses_as_torch(lambda: getattr(nn, name)(**options), lambda: getattr(torch.nn, name)(**options)(x, x))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
@pytest.mark.parametrize("side", ["input", "target"])
def test_bce_refuses_what_is_no_probability(value, side):
    pair = [np.array([0.5, value]), np.array([0.5, 0.5])]
    if side == "target":
        pair.reverse()
    message = refuses_as_torch(lambda: nn.BCELoss()(*pair), lambda: torch.nn.BCELoss()(*map(torch.tensor, pair)))
    assert message == f"BCELoss: expected all elements of {side} within [0, 1]"


@pytest.mark.parametrize(
    ("name", "option"), [("BCELoss", "weight"), ("BCEWithLogitsLoss", "weight"), ("BCEWithLogitsLoss", "pos_weight")]
)
@pytest.mark.parametrize("shape", [(4,), (3, 1), (5, 2, 3)])
def test_weights_that_do_not_broadcast_are_refused(name, option, shape):
    x = np.full((2, 3), 0.5)
    criterion, torchs = both(name, "none", **{option: np.ones(shape)})
    message = refuses_as_torch(lambda: criterion(x, x), lambda: torchs(torch.tensor(x), torch.tensor(x)))
    assert message.startswith(f"{name}: expected {option} of a shape that broadcasts")


@each_loss
def test_other_dtypes_are_refused_with_the_way_out(name):
    """We are stricter than PyTorch, which promotes some of these."""
    criterion, _ = both(name)
    x = np.full((2, 3), 0.5)
    with pytest.raises(RuntimeError, match=f"{name}: expected target of dtype float64, got float32"):
        criterion(x, x.astype(np.float32))
    with pytest.raises(RuntimeError, match=f"{name}: expected target of dtype float32, got int64"):
        criterion(x.astype(np.float32), np.ones((2, 3), np.int64))
    with pytest.raises(TypeError, match=f"{name}: expected input of dtype float32 or float64, got int64"):
        criterion(np.ones((2, 3), np.int64), x)
    with pytest.raises(TypeError, match=f"{name}: expected input to be a numpy.ndarray, got list"):
        criterion([0.5], [0.5])
    with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
        both(name)[0].backward()
    with pytest.raises(TypeError):
        getattr(nn, name)(size_average=True)
    criterion(x, x)
    with pytest.raises(RuntimeError, match=rf"{name}: expected grad_output to be a scalar, got shape \(2, 3\)"):
        criterion.backward(x)
    if name.startswith("BCE"):
        with pytest.raises(RuntimeError, match=f"{name}: expected weight of dtype float32, got float64"):
            both(name, weight=np.ones(3))[0](x.astype(np.float32), x.astype(np.float32))
        with pytest.raises(TypeError, match=f"{name}: expected weight to be a numpy.ndarray, got list"):
            getattr(nn, name)(weight=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("name", ["MSELoss", "CrossEntropyLoss", "NLLLoss"])
def test_the_gradient_of_a_constant_is_left_out(name):
    class WithLoss(nn.Module):
        def __init__(self):
            super().__init__()
            self.criterion = getattr(nn, name)()

        def forward(self, x, target):
            return self.criterion(x, target)

        def backward(self):
            return self.criterion.backward()

    model, x = WithLoss(), array((4, 3), dtype="float32")
    target = array((4, 3), seed=1, dtype="float32") if name == "MSELoss" else np.array([0, 2, 1, 1])
    model(x, target)
    assert np.isfinite(model.backward()).all()
    model.requires_input_grad_(False)
    model(x, target)
    nothing = model.backward()
    assert np.isnan(nothing).all()
    assert (nothing.shape, nothing.dtype) == (x.shape, x.dtype)
    model.criterion.requires_input_grad_(False)
    model(x, target)
    assert model.backward() is None


@pytest.mark.parametrize(
    ("criterion", "wrong"), [("CosineEmbeddingLoss", "input2"), ("MarginRankingLoss", "target"), ("MSELoss", "target")]
)
def test_a_refused_dtype_has_its_arguments_name(criterion, wrong):
    x, narrow = array((4, 3)), array((4, 3), dtype="float32")
    inputs = {"CosineEmbeddingLoss": (x, narrow, x[:, 0]), "MarginRankingLoss": (x, x, narrow), "MSELoss": (x, narrow)}
    with pytest.raises(RuntimeError, match=f"{criterion}: expected {wrong} of dtype float64"):
        getattr(nn, criterion)()(*inputs[criterion])


def test_both_inputs_gradients_are_returned_even_if_nobody_reads_them():
    criterion, x, y = nn.MarginRankingLoss(), array((4,)), array((4,), seed=1)
    criterion.requires_input_grad_(False)
    criterion(x, y, np.ones(4))
    assert isinstance(criterion.backward(), tuple)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_is_a_number_and_losses_one_by_one_an_array(dtype):
    x, y = array((3,), dtype=np.dtype(dtype).name), array((3,), dtype=np.dtype(dtype).name, seed=1)
    for reduction in ("mean", "sum"):
        assert type(nn.MSELoss(reduction=reduction)(x, y)) is dtype
    assert type(nn.MSELoss(reduction="none")(x, y)) is np.ndarray
    assert type(nn.MSELoss(reduction="none")(x[0:1].reshape(()), y[0:1].reshape(()))) is dtype
