"""InstanceNorm2d against PyTorch, batch norm of one image, and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.harness.torch_releases import NORMALIZATION_HAS_BIAS

shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(3, 5))
options = st.fixed_dictionaries(
    {},
    optional={
        "eps": st.sampled_from([1e-5, 1e-3, 0.5]),
        "momentum": st.sampled_from([None, 0.1, 0.0, 1.0, 0.7]),
        "affine": st.booleans(),
        "track_running_stats": st.booleans(),
        **({"bias": st.booleans()} if NORMALIZATION_HAS_BIAS else {}),
    },
)


@given(shape=shapes, batch=st.booleans(), kwargs=options, training=st.booleans(), dtype=dtypes, layout=layouts,
       seed=seeds)  # fmt: skip
def test_instancenorm_is_torchs(shape, batch, kwargs, training, dtype, layout, seed):
    layer = random_state(nn.InstanceNorm2d(shape[1], dtype=dtype, **kwargs), seed).train(training)
    reference = torch.nn.InstanceNorm2d(shape[1], **kwargs).train(training)
    x = array(shape if batch else shape[1:], dtype, seed=seed, layout=layout)
    check(layer, reference, x, seed=seed).raise_if_different()


@given(shape=shapes, kwargs=options, training=st.booleans(), seed=seeds)
def test_backward_is_the_derivative(shape, kwargs, training, seed):
    layer = random_state(nn.InstanceNorm2d(shape[1], dtype=np.float64, **kwargs), seed).train(training)
    check(layer, None, array(shape, seed=seed), seed=seed).raise_if_different()


@given(kwargs=options, modes=st.lists(st.booleans(), min_size=2, max_size=6), seed=seeds)
def test_running_statistics_over_many_steps_are_torchs(kwargs, modes, seed):
    kwargs = {**kwargs, "track_running_stats": True}
    layer, reference = nn.InstanceNorm2d(3, dtype=np.float64, **kwargs), torch.nn.InstanceNorm2d(3, **kwargs).double()
    for number, training in enumerate(modes):
        x = 2 + array((2 + number % 2, 3, 4, 2), seed=seed + number)
        y = layer.train(training)(x)
        expected = reference.train(training)(torch.tensor(x))
        np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    state, expected = layer.state_dict(), reference.state_dict()
    assert list(state) == list(expected)
    for name, values in state.items():
        np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-12)


def test_one_image_is_a_batch_of_its_own():
    """InstanceNorm2d does to all images at once what BatchNorm2d does to a batch of one image."""
    x = array((3, 2, 4, 3))
    instance, batch = nn.InstanceNorm2d(2), nn.BatchNorm2d(2, affine=False, track_running_stats=False)
    y = instance(x)
    grad = array(x.shape, seed=1)
    grad_x = instance.backward(grad)
    for n in range(3):
        np.testing.assert_allclose(y[n : n + 1], batch(x[n : n + 1]), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(grad_x[n : n + 1], batch.backward(grad[n : n + 1]), rtol=1e-9, atol=1e-12)


def test_contrast_and_brightness_are_taken_out():
    x = array((2, 3, 4, 5))
    layer = nn.InstanceNorm2d(3, eps=1e-12)
    np.testing.assert_allclose(layer(7 * x - 3), layer(x), rtol=1e-9)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 3, 0, 4)])
def test_an_input_without_numbers_changes_no_statistics(training, shape):
    """PyTorch's statistics become NaN, and with them every later evaluation."""
    layer = nn.InstanceNorm2d(3, affine=True, track_running_stats=True).train(training)
    before = {name: np.array(values) for name, values in layer.state_dict().items()}
    x = np.zeros(shape, np.float32)
    assert layer(x).shape == shape
    assert layer.backward(x).shape == shape
    for name, values in layer.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    np.testing.assert_array_equal(layer.weight.grad, np.zeros(3))


@pytest.mark.parametrize(
    ("kwargs", "shape", "training"),
    [
        ({}, (2, 3), True),
        ({}, (2, 3, 4, 4, 4), True),
        ({"affine": True}, (2, 4, 4, 4), True),
        ({}, (2, 3, 1, 1), True),
        ({}, (3, 1, 1), False),
        ({"track_running_stats": True}, (2, 3, 1, 1), True),
        ({"track_running_stats": True}, (2, 4, 3, 3), False),
    ],
)
def test_what_torch_refuses_is_refused(kwargs, shape, training):
    ours, torchs = nn.InstanceNorm2d(3, **kwargs).train(training), torch.nn.InstanceNorm2d(3, **kwargs).train(training)
    said = refuses_as_torch(lambda: ours(np.zeros(shape, np.float32)), lambda: torchs(torch.zeros(shape)))
    assert said.startswith("ValueError: InstanceNorm2d: expected ") or "InstanceNorm2d: expected " in said


def test_one_pixel_will_do_where_the_statistics_are_the_running_ones():
    layer, reference = (
        nn.InstanceNorm2d(3, track_running_stats=True),
        torch.nn.InstanceNorm2d(3, track_running_stats=True),
    )
    x = array((2, 3, 1, 1), "float32")
    np.testing.assert_allclose(layer.eval()(x), reference.eval()(torch.tensor(x)).numpy(), rtol=1e-6)


def test_other_refusals():
    with pytest.raises(RuntimeError, match=r"InstanceNorm2d: expected input of shape \(N, 3, H, W\) or \(3, H, W\)"):
        nn.InstanceNorm2d(3)(np.zeros((2, 4, 5, 5)))  # which PyTorch takes with a warning
    with pytest.raises(RuntimeError, match="InstanceNorm2d: expected input of dtype float32, got float64"):
        nn.InstanceNorm2d(3, affine=True)(np.zeros((2, 3, 5, 5)))
    with pytest.raises(TypeError, match="device"):
        nn.InstanceNorm2d(3, device="cpu")
    with pytest.raises(TypeError, match="InstanceNorm2d: expected num_features to be an integer"):
        nn.InstanceNorm2d("3")
    assert repr(nn.InstanceNorm2d(3, affine=True)) == (
        "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)"
    )
