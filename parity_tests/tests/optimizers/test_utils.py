"""clip_grad_norm_ and clip_grad_value_ against PyTorch's, and what they promise: a largest norm, a largest number."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch import nn
from scratch.nn import Parameter
from scratch.nn.utils import clip_grad_norm_, clip_grad_value_

SHAPES = [(3, 4), (5,), (), (2, 3, 1, 2)]
norm_types = st.sampled_from([2.0, 1.0, 3.0, 0.5, float("inf"), "inf", 2])


def with_gradients(shapes, dtype="float64", seed=0, layout="C", absent=()):
    ours, torchs = [], []
    for index, shape in enumerate(shapes):
        ours.append(Parameter(np.zeros(shape, dtype)))
        torchs.append(torch.nn.Parameter(torch.zeros(shape, dtype=getattr(torch, dtype))))
        if index not in absent:
            grad = array(shape, dtype, seed=seed + index, layout=layout)
            ours[-1].grad, torchs[-1].grad = np.copy(grad, order="K"), torch.tensor(np.array(grad))
    return ours, torchs


def compare(ours, torchs, **arguments):
    found, expected = clip_grad_norm_(ours, **arguments), torch.nn.utils.clip_grad_norm_(torchs, **arguments)
    assert found.dtype == expected.numpy().dtype
    bound = 1e-13 if found.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(found, expected.numpy(), rtol=bound)
    for one, other in zip(ours, torchs, strict=True):
        if other.grad is None:
            assert one.grad is None
        else:
            np.testing.assert_allclose(one.grad, other.grad.numpy(), rtol=bound)


@given(
    shapes=st.lists(st.sampled_from(SHAPES), max_size=4),
    absent=st.sets(st.integers(0, 3)),
    max_norm=st.sampled_from([0.0, 0.1, 1.0, 4.5, 1e3]),
    norm_type=norm_types,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_clipping_is_torchs(shapes, absent, max_norm, norm_type, dtype, layout, seed):
    compare(*with_gradients(shapes, dtype, seed, layout, absent), max_norm=max_norm, norm_type=norm_type)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_non_finite_gradients_are_torchs(value, norm_type):
    ours, torchs = with_gradients(SHAPES)
    ours[1].grad[2] = value
    torchs[1].grad[2] = value
    compare(ours, torchs, max_norm=1.0, norm_type=norm_type)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_gradients_are_refused_on_demand(value):
    ours, torchs = with_gradients(SHAPES)
    ours[1].grad[2] = torchs[1].grad[2] = value
    before = [parameter.grad.copy() for parameter in ours]
    refuses_as_torch(
        lambda: clip_grad_norm_(ours, 1.0, error_if_nonfinite=True),
        lambda: torch.nn.utils.clip_grad_norm_(torchs, 1.0, error_if_nonfinite=True),
    )
    for parameter, grad in zip(ours, before, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)


@given(
    norm_type=st.sampled_from([1.0, 2.0, 4.0, float("inf")]),
    factor=st.sampled_from([0.01, 0.9, 1.1, 100.0]),
    seed=seeds,
)
def test_norm_is_bounded_and_direction_kept(norm_type, factor, seed):
    ours, _ = with_gradients(SHAPES, seed=seed)
    before = np.concatenate([parameter.grad.ravel() for parameter in ours])
    norm = np.linalg.norm(before, norm_type)
    assert clip_grad_norm_(ours, factor * norm, norm_type) == pytest.approx(norm, rel=1e-13)
    after = np.concatenate([parameter.grad.ravel() for parameter in ours])
    np.testing.assert_allclose(after, min(1, factor) * before, rtol=1e-4)


def test_one_parameter_and_none():
    (parameter, *_), (torchs, *_) = with_gradients(SHAPES)
    assert clip_grad_norm_(parameter, 1.0) == pytest.approx(torch.nn.utils.clip_grad_norm_(torchs, 1.0).item())
    np.testing.assert_allclose(parameter.grad, torchs.grad.numpy(), rtol=1e-13)
    assert clip_grad_norm_([], 1.0) == 0
    with pytest.raises(TypeError):
        clip_grad_norm_([parameter], 1.0, foreach=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_norm": None}, TypeError, "expected max_norm to be a number, got None"),
        ({"max_norm": "1"}, TypeError, "expected max_norm to be a number, got '1'"),
        ({"max_norm": np.nan}, ValueError, "expected max_norm of 0 or more, got nan"),
        ({"max_norm": -1.0}, ValueError, "expected max_norm of 0 or more, got -1.0"),
        ({"max_norm": 1.0, "norm_type": np.nan}, ValueError, "expected norm_type to be a number, got nan"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(arguments, error, message):
    ours, _ = with_gradients(SHAPES)
    with pytest.raises(error, match=f"^clip_grad_norm_: {message}"):
        clip_grad_norm_(ours, **arguments)


def test_a_model_in_place_of_its_parameters_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"clip_grad_norm_: .* got the module Linear; pass model.parameters\(\)"):
        clip_grad_norm_(nn.Linear(2, 3), 1.0)


@given(
    shapes=st.lists(st.sampled_from([*SHAPES, (0, 3)]), max_size=4),
    absent=st.sets(st.integers(0, 3)),
    clip_value=st.sampled_from([0.0, 0.1, 0.75, 1e3, np.inf, 1]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_clipping_by_value_is_torchs_bit_for_bit(shapes, absent, clip_value, dtype, layout, seed):
    ours, torchs = with_gradients(shapes, dtype, seed, layout, absent)
    arrays = [parameter.grad for parameter in ours]
    assert clip_grad_value_(ours, clip_value) is None
    if any(parameter.grad is not None for parameter in torchs):  # without one, PyTorch's fails
        torch.nn.utils.clip_grad_value_(torchs, clip_value)
    for one, other, array_before in zip(ours, torchs, arrays, strict=True):
        assert one.grad is array_before  # in place
        if other.grad is not None:
            np.testing.assert_array_equal(one.grad, other.grad.numpy(), strict=True)


def test_values_that_are_not_finite_are_clipped_as_torchs():
    (ours, *_), (torchs, *_) = with_gradients([(6,)])
    ours.grad = np.array([np.nan, np.inf, -np.inf, -0.0, 0.5, -2.0])
    torchs.grad = torch.tensor(ours.grad)
    clip_grad_value_(ours, np.float32(1.5))
    torch.nn.utils.clip_grad_value_(torchs, 1.5)
    np.testing.assert_array_equal(ours.grad, torchs.grad.numpy())
    np.testing.assert_array_equal(ours.grad, [np.nan, 1.5, -1.5, 0.0, 0.5, -1.5])


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, "expected clip_value to be a number, got None"),
        ("1", TypeError, "expected clip_value to be a number, got '1'"),
        (np.nan, ValueError, "expected clip_value of 0 or more, got nan"),
        (-1.0, ValueError, "expected clip_value of 0 or more, got -1.0"),
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(value, error, message):
    ours, _ = with_gradients(SHAPES)
    with pytest.raises(error, match=f"^clip_grad_value_: {message}"):
        clip_grad_value_(ours, value)
    with pytest.raises(TypeError, match=r"^clip_grad_value_: .* got the module Linear; pass model.parameters\(\)"):
        clip_grad_value_(nn.Linear(2, 3), 1.0)
    with pytest.raises(TypeError):
        clip_grad_value_(ours, 1.0, foreach=True)
