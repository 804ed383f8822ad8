"""LayerNorm and GroupNorm against PyTorch, finite differences, and their laws."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.harness.torch_releases import NORMALIZATION_HAS_BIAS
from scratch.dispatch import kernels_of
from scratch.nn.groupnorm import group_norm, group_norm_backward
from scratch.nn.layernorm import layer_norm, layer_norm_backward

epsilons = st.sampled_from([1e-5, 1e-3, 0.5])


@st.composite
def layer_norms(draw):
    """Return the input's shape and LayerNorm's arguments."""
    leading = draw(st.lists(st.integers(0, 4), max_size=2))
    normalized = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    assume(np.prod(normalized) > 2)  # see test_rows_of_one_number and test_rows_of_two_numbers
    argument = normalized[0] if len(normalized) == 1 and draw(st.booleans()) else normalized
    options = {"eps": epsilons, "elementwise_affine": st.booleans(), "bias": st.booleans()}
    return (*leading, *normalized), argument, draw(st.fixed_dictionaries({}, optional=options))


@st.composite
def group_norms(draw, min_batch=0):
    """Return the input's shape and GroupNorm's arguments."""
    groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    places = draw(st.lists(st.integers(1, 4), max_size=3))
    shape = (draw(st.integers(min_batch, 4)), groups * per_group, *places)
    assume(per_group * np.prod(places) > 2)  # see test_rows_of_one_number and test_rows_of_two_numbers
    options = {"eps": epsilons, "affine": st.booleans(), **({"bias": st.booleans()} if NORMALIZATION_HAS_BIAS else {})}
    return shape, (groups, groups * per_group), draw(st.fixed_dictionaries({}, optional=options))


@given(case=layer_norms(), dtype=dtypes, layout=layouts, seed=seeds)
def test_layernorm_is_torchs(case, dtype, layout, seed):
    shape, normalized_shape, kwargs = case
    layer = random_state(nn.LayerNorm(normalized_shape, dtype=dtype, **kwargs), seed)
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, torch.nn.LayerNorm(normalized_shape, **kwargs), x, seed=seed).raise_if_different()


@given(case=group_norms(), dtype=dtypes, layout=layouts, seed=seeds)
def test_groupnorm_is_torchs(case, dtype, layout, seed):
    shape, args, kwargs = case
    layer = random_state(nn.GroupNorm(*args, dtype=dtype, **kwargs), seed)
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, torch.nn.GroupNorm(*args, **kwargs), x, seed=seed).raise_if_different()


@given(case=layer_norms(), seed=seeds)
def test_layernorm_backward_is_the_derivative(case, seed):
    shape, normalized_shape, kwargs = case
    layer = random_state(nn.LayerNorm(normalized_shape, dtype=np.float64, **{**kwargs, "eps": 0.5}), seed)
    check(layer, None, array(shape, seed=seed), seed=seed).raise_if_different()


@given(case=group_norms(), seed=seeds)
def test_groupnorm_backward_is_the_derivative(case, seed):
    shape, args, kwargs = case
    layer = random_state(nn.GroupNorm(*args, dtype=np.float64, **{**kwargs, "eps": 0.5}), seed)
    check(layer, None, array(shape, seed=seed), seed=seed).raise_if_different()


def largest_factor(x, axes, eps):
    """Return the largest 1 / std of the rows that lie along ``axes``."""
    return (1 / np.sqrt(x.var(axis=axes) + eps)).max(initial=0) if x.size else 0.0


@given(case=layer_norms(), layout=layouts, seed=seeds)
def test_layernorm_input_gradient_sums_to_zero(case, layout, seed):
    shape, normalized_shape, kwargs = case
    layer = random_state(nn.LayerNorm(normalized_shape, dtype=np.float64, **kwargs), seed)
    x = array(shape, seed=seed, layout=layout)
    layer(x)
    grad_x = layer.backward(array(shape, seed=seed + 1))
    axes = tuple(range(len(shape) - len(layer.normalized_shape), len(shape)))
    scale = 1 + largest_factor(x, axes, layer.eps)
    np.testing.assert_allclose(grad_x.sum(axis=axes), 0, atol=1e-11 * scale)


@given(case=group_norms(min_batch=1), layout=layouts, seed=seeds)
def test_groupnorm_input_gradient_sums_to_zero(case, layout, seed):
    shape, args, kwargs = case
    layer = random_state(nn.GroupNorm(*args, dtype=np.float64, **kwargs), seed)
    x = array(shape, seed=seed, layout=layout)
    layer(x)
    grad_x = layer.backward(array(shape, seed=seed + 1))
    scale = 1 + largest_factor(x.reshape(shape[0], args[0], -1), 2, layer.eps)
    np.testing.assert_allclose(grad_x.reshape(shape[0], args[0], -1).sum(axis=2), 0, atol=1e-11 * scale)


@given(case=group_norms(min_batch=2), seed=seeds)
def test_groupnorm_examples_do_not_know_of_one_another(case, seed):
    shape, args, kwargs = case
    layer = random_state(nn.GroupNorm(*args, dtype=np.float64, **kwargs), seed)
    x, grad_output = array(shape, seed=seed), array(shape, seed=seed + 1)
    whole = [layer(x), layer.backward(grad_output), *(parameter.grad for parameter in layer.parameters())]
    layer.zero_grad()
    parts = [(layer(x[i : i + 1]), layer.backward(grad_output[i : i + 1])) for i in range(shape[0])]
    together = [*map(np.concatenate, zip(*parts, strict=True)), *(parameter.grad for parameter in layer.parameters())]
    for got, expected in zip(whole, together, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"affine": False}], ids=str)
def test_groupnorms_options_one_by_one(options):
    """The random cases may miss some of these when they are few."""
    if "bias" in options and not NORMALIZATION_HAS_BIAS:
        pytest.skip("this PyTorch has no such option")
    for shape in ((2, 4, 3), (1, 4, 2), (3, 4, 2, 2)):
        layer = random_state(nn.GroupNorm(2, 4, dtype=np.float64, **options))
        check(layer, torch.nn.GroupNorm(2, 4, **options), array(shape)).raise_if_different()


def test_one_value_in_each_group_of_many_positions_is_taken():
    assert nn.GroupNorm(4, 4)(np.ones((1, 4, 5), np.float32)).shape == (1, 4, 5)


def test_gradients_have_the_shapes_of_what_they_are_gradients_of():
    x, weight, bias = array((2, 4, 3)), array((4, 1), seed=1), array((4, 1), seed=2)
    groups, rows = (group_norm, group_norm_backward), (layer_norm, layer_norm_backward)
    for forward, backward in (groups, kernels_of(groups)):
        _, saved = forward(x, weight, bias, 2, 1e-5)
        grads = backward(array((2, 4, 3), seed=3), weight, saved)
        assert [grad.shape for grad in grads] == [x.shape, weight.shape, bias.shape]
    for forward, backward in (rows, kernels_of(rows)):
        _, saved = forward(x[0], weight[:3, 0], bias[:3, 0], 1e-5)
        grads = backward(array((4, 3), seed=3), weight[:3, 0], saved)
        assert [grad.shape for grad in grads] == [(4, 3), (3,), (3,)]


@pytest.mark.parametrize("build", [lambda: nn.LayerNorm(500), lambda: nn.GroupNorm(1, 500)])
def test_rows_far_from_zero_lose_nothing_to_the_means_rounding(build):
    x = (1e4 + np.random.default_rng(0).normal(size=(64, 500))).astype(np.float32)
    exact = nn.LayerNorm(500, dtype=np.float64)(x.astype(np.float64))
    np.testing.assert_allclose(build()(x), exact, rtol=0, atol=16 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "args"), [("LayerNorm", (3,)), ("GroupNorm", (1, 3))])
def test_parameters_begin_as_torchs_and_the_layer_says_what_it_is(name, args, dtype):
    layer, torchs = getattr(nn, name)(*args, dtype=dtype), getattr(torch.nn, name)(*args)
    for parameter in layer.parameters():
        parameter.data.fill(5)
    layer.reset_parameters()
    for ours, theirs in zip(layer.parameters(), torchs.parameters(), strict=True):
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours.data, theirs.detach().numpy())
    assert repr(layer).endswith("bias=True)")
    assert repr(getattr(nn, name)(*args, bias=False)).endswith("bias=False)")


def test_a_groupnorm_may_have_no_channels_as_in_torch():
    assert nn.GroupNorm(1, 0).weight.shape == tuple(torch.nn.GroupNorm(1, 0).weight.shape) == (0,)


def test_groupnorm_of_one_group_is_layernorm():
    x, grad_output = array((3, 4, 5)), array((3, 4, 5), seed=1)
    group, layer = nn.GroupNorm(1, 4, dtype=np.float64), nn.LayerNorm((4, 5), dtype=np.float64)
    np.testing.assert_allclose(group(x), layer(x), rtol=1e-14)
    np.testing.assert_allclose(group.backward(grad_output), layer.backward(grad_output), rtol=1e-12)


@pytest.mark.parametrize(("name", "args"), [("LayerNorm", (1,)), ("GroupNorm", (3, 3))])
def test_rows_of_one_number(name, args):
    """One number minus its mean is exactly zero; PyTorch, which multiplies first, is a rounding error away from it."""
    x = array((4, 3, 1))
    layer = random_state(getattr(nn, name)(*args, dtype=np.float64))
    np.testing.assert_array_equal(layer(x), np.broadcast_to(layer.bias.data.reshape(-1, 1), x.shape))
    np.testing.assert_array_equal(layer.backward(array((4, 3, 1), seed=1)), 0)
    np.testing.assert_array_equal(layer.weight.grad, 0)


@pytest.mark.parametrize(("name", "args"), [("LayerNorm", (2,)), ("GroupNorm", (3, 3))])
def test_rows_of_two_numbers(name, args):
    """Two numbers always become -1 and 1, up to eps, so grad_input is what cancellation leaves of far larger terms.

    normalized carries a rounding error of r u |x|, and is multiplied by r again.
    """
    layer = random_state(getattr(nn, name)(*args, dtype=np.float64))
    x = array((4, 3, 2))
    report = check(layer, getattr(torch.nn, name)(*args), x)
    assert report["grad_input"].max_abs < 1e-15 * (1 + largest_factor(x, 2, layer.eps)) ** 2
    assert all(quantity.ok for quantity in report.quantities if not quantity.name.startswith("grad_input"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0, 1e-310, 1e4, -1e4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(value, dtype):
    x = array((4, 6), dtype)
    x[1, 1] = value
    check(random_state(nn.LayerNorm(6, dtype=dtype)), torch.nn.LayerNorm(6), x).raise_if_different()
    check(random_state(nn.GroupNorm(2, 6, dtype=dtype)), torch.nn.GroupNorm(2, 6), x).raise_if_different()


def test_constant_rows_are_torchs():
    x = np.full((4, 6), 0.7)
    check(random_state(nn.LayerNorm(6, dtype=np.float64)), torch.nn.LayerNorm(6), x).raise_if_different()
    check(random_state(nn.GroupNorm(2, 6, dtype=np.float64)), torch.nn.GroupNorm(2, 6), x).raise_if_different()


def test_constant_rows_without_eps_are_nan_without_a_warning():
    x = np.full((4, 6), 0.5, np.float32)
    for ours, torchs in (
        (nn.LayerNorm(6, eps=0.0), torch.nn.LayerNorm(6, eps=0.0)),
        (nn.GroupNorm(2, 6, eps=0.0), torch.nn.GroupNorm(2, 6, eps=0.0)),
    ):
        np.testing.assert_array_equal(ours(x), torchs(torch.from_numpy(x)).detach().numpy())


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (2, 0)], ids=str)
def test_empty_inputs_are_torchs(shape):
    layer, reference = nn.LayerNorm(shape[-1], dtype=np.float64), torch.nn.LayerNorm(shape[-1])
    check(layer, reference, np.empty(shape)).raise_if_different()


REFUSED = [
    ("LayerNorm", (3,), (2, 4)),
    ("LayerNorm", ((2, 3),), (3,)),
    ("LayerNorm", ((),), (2, 3)),
    ("LayerNorm", (-1,), (2, 3)),
    ("LayerNorm", ("3",), (2, 3)),
    ("GroupNorm", (2, 5), (2, 5)),
    ("GroupNorm", (2, -4), (2, 4)),
    ("GroupNorm", (4, 4), (1, 4)),
    ("GroupNorm", (4, 4), (1, 4, 1, 1)),
    ("GroupNorm", (2, 4), (4,)),
    ("GroupNorm", (2, 4), (2, 6, 3)),
    ("GroupNorm", (2, 4), (2, 4, 0)),
]


@pytest.mark.parametrize(("name", "args", "shape"), REFUSED, ids=str)
def test_what_torch_refuses_is_refused(name, args, shape):
    if torch.__version__ < (2, 14) and 0 in shape:
        pytest.skip("PyTorch refuses it since 2.14")
    with pytest.raises(Exception) as theirs:  # noqa: PT011 (the kind is what we are after)
        getattr(torch.nn, name)(*args)(torch.ones(shape))
    with pytest.raises(theirs.type, match=rf"^{name}: expected"):
        getattr(nn, name)(*args)(np.ones(shape, np.float32))


@pytest.mark.parametrize(("name", "args"), [("LayerNorm", (4,)), ("GroupNorm", (2, 4))])
def test_other_refusals(name, args):
    layer = getattr(nn, name)(*args)
    with pytest.raises(RuntimeError, match=f"{name}: expected input of dtype float32, got float64"):
        layer(np.ones((2, 4)))
    with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
        layer.backward(np.ones((2, 4), np.float32))
    layer(np.ones((2, 4), np.float32))
    with pytest.raises(RuntimeError, match=rf"{name}: expected grad_output of shape \(2, 4\)"):
        layer.backward(np.ones((4, 2), np.float32))
    bare = getattr(nn, name)(*args, 1e-5, False)
    for dtype in (np.float32, np.float64):
        assert bare(np.ones((2, 4), dtype)).dtype == dtype
    with pytest.raises(ValueError, match="GroupNorm: expected num_channels to be a multiple of num_groups"):
        nn.GroupNorm(0, 4)
