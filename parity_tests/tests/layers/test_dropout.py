"""Dropout against PyTorch, with PyTorch's masks from the same seed and with masks handed to it."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch import random

shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
probabilities = st.sampled_from([0.0, 0.1, 0.5, 0.75, 1.0])


def to_torch(x):
    """Return ``x`` as a tensor with its strides, which decide the order in which PyTorch draws."""
    return torch.from_numpy(x if x.flags.writeable else x.copy())


@given(shape=shapes, p=probabilities, training=st.booleans(), dtype=dtypes, layout=layouts, seed=seeds)
def test_dropout_is_torchs_from_the_same_seed(shape, p, training, dtype, layout, seed):
    x = array(shape, dtype, seed=seed, layout=layout)
    grad_output = array(shape, dtype, seed=seed + 1, layout=layout)
    layer, reference = nn.Dropout(p).train(training), torch.nn.Dropout(p).train(training)

    scratch.manual_seed(seed)
    y = layer(x)
    grad_x = layer.backward(grad_output)
    torch.manual_seed(seed)
    tensor = to_torch(x.copy() if x.ndim == 4 else x).requires_grad_()  # images: the mask of PyTorch's usual order
    expected = reference(tensor)
    expected.backward(to_torch(grad_output))

    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(grad_x, tensor.grad.numpy())
    assert (y.dtype, grad_x.dtype) == (x.dtype, x.dtype)
    assert random.rand(1).item() == torch.rand(1).item()  # both generators have moved equally far


@pytest.mark.parametrize("axes", [(1, 0), (2, 0, 1), (1, 2, 0)])
def test_the_mask_follows_the_order_in_memory_as_torchs_does(axes):
    x = array(tuple(range(4, 4 + len(axes)))).transpose(axes)
    scratch.manual_seed(0)
    torch.manual_seed(0)
    np.testing.assert_array_equal(nn.Dropout(0.5)(x), torch.nn.Dropout(0.5)(torch.from_numpy(x)).numpy())


@given(shape=shapes, p=st.sampled_from([0.1, 0.5]), dtype=dtypes, layout=layouts, seed=seeds)
def test_a_given_draw_is_used_in_both_directions(shape, p, dtype, layout, seed):
    draw = array(shape, dtype, seed=seed + 1)  # any numbers will do: they show more than zeros and ones
    layer = nn.Dropout(p)
    layer.draw = lambda x: draw
    factors = torch.from_numpy(np.asarray(draw / (1 - p)))
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, lambda tensor: tensor * factors.to(tensor.dtype), x, seed=seed).raise_if_different()


@given(p=probabilities, training=st.booleans(), seed=seeds)
def test_backward_is_the_derivative(p, training, seed):
    check(nn.Dropout(p).train(training), None, array((3, 4), seed=seed), seed=seed).raise_if_different()


def test_rates():
    scratch.manual_seed(0)
    layer = nn.Dropout(0.3)
    y = layer(np.ones((400, 500), np.float32))
    kept = y != 0
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.7)}
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.3 * 0.7 / y.size)
    assert abs(y.mean() - 1) < 0.01
    neighbours = (kept[:, 1:] & kept[:, :-1]).mean()
    assert abs(neighbours - 0.49) < 0.01  # drawn independently


@pytest.mark.parametrize("name", ["Dropout", "Dropout2d"])
@pytest.mark.parametrize(("p", "training"), [(0.0, True), (1.0, True), (0.5, False)])
def test_where_the_outcome_is_sure_nothing_is_drawn(name, p, training):
    layer, x = getattr(nn, name)(p).train(training), array((2, 3, 4, 5))
    before = random.get_state()
    y = layer(x)
    assert random.get_state() == before
    np.testing.assert_array_equal(y, 0 * x if p == 1 else x)


def test_each_forward_draws_anew():
    layer, x = nn.Dropout(0.5), np.ones((8, 8))
    assert (layer(x) != layer(x)).any()


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_special_values_are_torchs(p):
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 1e4] * 8)
    scratch.manual_seed(3)
    torch.manual_seed(3)
    layer, tensor = nn.Dropout(p), torch.from_numpy(x).requires_grad_()
    expected = torch.nn.Dropout(p)(tensor)
    expected.backward(tensor.detach())
    np.testing.assert_array_equal(layer(x), expected.detach().numpy())
    np.testing.assert_array_equal(layer.backward(x), tensor.grad.numpy())


def test_inplace_changes_nothing():
    layer, x = nn.Dropout(0.5, inplace=True), array((4, 5))
    before = x.copy()
    scratch.manual_seed(3)
    y = layer(x)
    scratch.manual_seed(3)
    np.testing.assert_array_equal(y, nn.Dropout(0.5)(x))
    np.testing.assert_array_equal(x, before)
    assert repr(layer) == repr(torch.nn.Dropout(0.5, inplace=True))


def test_bad_arguments():
    for p in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=r"Dropout: expected p (within \[0, 1\]|to be a number), got"):
            nn.Dropout(p)
    layer = nn.Dropout(0.5)
    with pytest.raises(TypeError, match="Dropout: expected input of dtype"):
        layer(np.arange(3))
    with pytest.raises(RuntimeError, match="Dropout: backward was called before forward"):
        layer.backward(np.ones(3))
    for mode in (True, False):
        layer.train(mode)(np.ones(3))
        with pytest.raises(RuntimeError, match=r"Dropout: expected grad_output of shape \(3,\)"):
            layer.backward(np.ones(2))


def test_dropout_after_a_convolution_and_a_pooling_draws_torchs_masks():
    """After a convolution our images are channels-last; the mask still follows the memory order of PyTorch's."""

    def network(engine, **options):
        return engine.Sequential(
            engine.Conv2d(2, 3, 3, padding=1, **options),
            engine.Dropout(0.3),
            engine.MaxPool2d(2),
            engine.Dropout(0.5),
            engine.Flatten(),
            engine.Linear(27, 4, **options),
        )

    x, g = array((2, 2, 6, 7)), array((2, 4), seed=1)
    scratch.manual_seed(3)
    model = network(nn, dtype=np.float64)
    y = model(x)
    grad_x = model.backward(g)
    torch.manual_seed(3)
    reference = network(torch.nn, dtype=torch.float64)
    tensor = torch.tensor(x, requires_grad=True)
    expected = reference(tensor)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(grad_x, tensor.grad.numpy(), rtol=1e-12, atol=1e-13)


# Dropout2d.


@given(
    shape=st.lists(st.integers(0, 4), min_size=4, max_size=4).map(tuple),
    p=probabilities,
    training=st.booleans(),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_channels_are_dropped_as_torch_drops_them(shape, p, training, dtype, layout, seed):
    """The draws are PyTorch's from one seed, bit for bit, whatever the memory layout."""
    x = array(shape, dtype, seed=seed, layout=layout)
    grad_output = array(shape, dtype, seed=seed + 1, layout=layout)
    layer, reference = nn.Dropout2d(p).train(training), torch.nn.Dropout2d(p).train(training)
    scratch.manual_seed(seed)
    y = layer(x)
    grad_x = layer.backward(grad_output)
    torch.manual_seed(seed)
    tensor = to_torch(x).clone().requires_grad_()
    expected = reference(tensor)
    expected.backward(to_torch(grad_output))
    np.testing.assert_array_equal(y, expected.detach().numpy(), strict=True)
    np.testing.assert_array_equal(grad_x, tensor.grad.numpy(), strict=True)
    assert random.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 3, 4, 2, 2)])
def test_what_is_no_batch_of_images_is_taken_with_a_warning_as_torch_does(shape):
    x = array(shape, "float32")
    scratch.manual_seed(3)
    with pytest.warns(
        UserWarning, match=r"Dropout2d: expected input of shape \(N, C, H, W\), got .* use Dropout"
    ) as seen:
        y = nn.Dropout2d(0.5)(x)
    assert seen[0].filename == __file__
    torch.manual_seed(3)
    with pytest.warns(UserWarning, match="dropout2d"):
        expected = torch.nn.Dropout2d(0.5)(torch.tensor(x))
    np.testing.assert_array_equal(y, expected.numpy())


@pytest.mark.parametrize("shape", [(), (3,)])
def test_without_channels_nothing_is_dropped(shape):
    refuses_as_torch(lambda: nn.Dropout2d()(np.ones(shape)), lambda: torch_dropout2d(torch.ones(shape)))


def torch_dropout2d(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nn.Dropout2d()(x)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_is_refused_by_the_name_of_the_layer(p):
    with pytest.raises(ValueError, match=r"^Dropout2d: expected p (within \[0, 1\]|to be a number), got"):
        nn.Dropout2d(p)
