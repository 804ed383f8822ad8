"""Parameter beside torch's: what it says of itself, what may be added to its gradient, and what it refuses."""

import copy
import operator
import pickle

import numpy as np
import pytest
import torch

from parity_tests.harness.arrays import array
from parity_tests.harness.refusals import refuses_as_torch
from scratch import nn, optim
from scratch.nn import Parameter

SHAPES = [(), (3,), (2, 3), (4, 0, 2)]


def pair(shape):
    """Return a parameter and torch's with the same numbers."""
    values = array(shape)
    return Parameter(values), torch.nn.Parameter(torch.tensor(values))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_parameter_says_what_torchs_says(shape):
    ours, theirs = pair(shape)
    assert (ours.shape, ours.size()) == (shape, tuple(theirs.size()))
    assert (ours.ndim, ours.dim(), ours.numel()) == (theirs.ndim, theirs.dim(), theirs.numel())
    for dim in range(-len(shape), len(shape)):
        assert ours.size(dim) == theirs.size(dim)
    for dim in (len(shape), -len(shape) - 1):
        refuses_as_torch(lambda: ours.size(dim), lambda: theirs.size(dim))  # noqa: B023
    if shape:
        assert len(ours) == len(theirs)
    else:
        refuses_as_torch(lambda: len(ours), lambda: len(theirs))
    assert repr(ours) == f"Parameter(shape={shape}, dtype=float64)"


def test_the_truth_of_a_parameter_is_that_of_its_one_number():
    for number in (0.0, 2.0):
        for shape in ((), (1, 1)):
            ours, theirs = (new(make(shape, number)) for new, make in ((Parameter, np.full),
                                                                       (torch.nn.Parameter, torch.full)))  # fmt: skip
            assert bool(ours) == bool(theirs)
    for shape in ((3,), (0,)):
        ours, theirs = pair(shape)
        refuses_as_torch(lambda: bool(ours), lambda: bool(theirs))  # noqa: B023


def test_whether_it_requires_a_gradient_is_set_and_the_parameter_returned():
    parameter = Parameter(np.zeros(2))
    assert parameter.requires_grad_(False) is parameter
    assert not parameter.requires_grad
    assert parameter.requires_grad_() is parameter
    assert parameter.requires_grad


def test_a_program_may_set_attributes_and_copies_keep_them():
    parameter = Parameter(array((2,)))
    parameter.no_weight_decay = True
    parameter.add_grad(array((2,), seed=1))
    for copied in (copy.deepcopy(parameter), pickle.loads(pickle.dumps(parameter))):
        assert copied.no_weight_decay
        assert not np.shares_memory(copied.data, parameter.data)
        np.testing.assert_array_equal(copied.data, parameter.data)
        np.testing.assert_array_equal(copied.grad, parameter.grad)
        copied.no_weight_decay = False
    assert parameter.no_weight_decay


# What it is made of, and what it is not.


@pytest.mark.parametrize(
    "data", [[1.0], (1.0,), 0.5, None, "ab", torch.ones(2), Parameter(np.ones(2)), np.ma.array([1.0])]
)
def test_what_is_no_array_is_refused_with_what_is_expected(data):
    with pytest.raises(TypeError, match=r"^Parameter: expected data to be a (plain )?numpy\.ndarray, got "):
        Parameter(data)


def test_a_number_of_numpys_is_an_array_without_axes():
    parameter = Parameter(np.log(np.float32(2)))
    assert type(parameter.data) is np.ndarray
    assert (parameter.shape, parameter.dtype) == ((), np.float32)
    optim.SGD([parameter], 0.1)


X = np.ones((2, 2))


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p * X,
        lambda p: X * p,
        lambda p: p @ X,
        lambda p: X @ p,
        lambda p: np.exp(p),
        lambda p: np.asarray(p),
        lambda p: np.array(p, np.float32, copy=True),
        lambda p: np.sum(p),
        lambda p: np.concatenate([p, p]),
        lambda p: np.greater(X, p),
        lambda p: p == X,
        lambda p: operator.iadd(X.copy(), p),
        lambda p: np.float64(2) * p,
        lambda p: nn.init.zeros_(p).data * p,
    ],
)
def test_where_a_parameter_meets_numpy_the_message_says_what_to_use(use):
    with pytest.raises(TypeError, match=r"^Parameter: expected a numpy\.ndarray here, .*; use its \.data$"):
        use(Parameter(np.zeros((2, 2))))


# Its gradient.


def test_a_gradient_that_is_added_is_copied_and_has_to_fit():
    parameter, grad = Parameter(array((2, 3))), array((2, 3), seed=1)
    parameter.add_grad(grad)
    assert parameter.grad is not grad
    np.testing.assert_array_equal(parameter.grad, grad)
    parameter.add_grad(grad)
    np.testing.assert_array_equal(parameter.grad, 2 * grad)
    for wrong in (array((3, 2)), array((2, 3), "float32"), np.float64(1)):
        with pytest.raises(RuntimeError, match="Parameter: expected a gradient of shape"):
            parameter.add_grad(wrong)
    for wrong in (1.0, [1.0], None, torch.ones(2, 3)):
        with pytest.raises(TypeError, match=r"Parameter: expected grad to be a numpy\.ndarray, got"):
            parameter.add_grad(wrong)


def assign(parameter, grad):
    """Set the gradient as an attribute."""
    parameter.grad = grad if parameter.grad is None else parameter.grad + grad


@pytest.mark.parametrize("give", [Parameter.add_grad, Parameter.take_grad, assign])
@pytest.mark.parametrize("clear", ["optimizer", "module"])
def test_a_gradient_without_axes_is_set_to_zero_and_clipped(give, clear):
    """NumPy's arithmetic makes numbers of such arrays: (log_prob - target).mean() is none."""
    module = nn.Module()
    module.log_alpha = parameter = Parameter(np.zeros(()))
    optimizer = optim.Adam([parameter])
    for _ in range(2):
        give(parameter, np.full(4, 3.0).mean())
        assert float(parameter.grad) == 3.0
        (optimizer if clear == "optimizer" else module).zero_grad(set_to_none=False)
        assert float(parameter.grad) == 0.0
        assert type(parameter.grad) is np.ndarray
    give(parameter, np.float64(5))
    nn.utils.clip_grad_value_([parameter], 2.0)
    assert float(parameter.grad) == 2.0
    assert float(nn.utils.clip_grad_norm_([parameter], 1.0)) == 2.0
    assert float(parameter.grad) == pytest.approx(1.0)
    module.zero_grad()
    assert parameter.grad is None


@pytest.mark.parametrize("give", [Parameter.add_grad, Parameter.take_grad])
def test_the_first_gradient_is_an_array_even_without_axes(give):
    parameter = Parameter(np.zeros(()))
    give(parameter, np.float64(3))
    assert type(parameter.grad) is np.ndarray


def test_a_layers_parameter_without_axes_has_an_array_as_its_gradient():
    def scale(x, factor):
        return x * factor, (x,)

    def scale_backward(grad_y, factor, saved):
        return grad_y * factor, (grad_y * saved[0]).sum()

    class Scale(nn.layer.Layer):
        functions = scale, scale_backward
        learned = ("factor",)

        def __init__(self):
            super().__init__()
            self.factor = Parameter(np.full((), 2.0))

        def arguments(self):
            return (self.factor.data,)

    x, g = array((3,)), array((3,), seed=1)
    for model in (Scale(), nn.Sequential(Scale())):
        model(x)
        model.backward(g)
        (factor,) = model.parameters()
        assert type(factor.grad) is np.ndarray
        np.testing.assert_allclose(factor.grad, g @ x, rtol=1e-12)


def test_a_step_is_taken_with_values_that_became_a_number():
    ours, theirs = Parameter(np.full((), 3.0)), torch.nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
    optimizers = optim.SGD([ours], 0.1), torch.optim.SGD([theirs], 0.1)
    ours.data, theirs.data = 2.0 * ours.data, 2.0 * theirs.data
    ours.grad, theirs.grad = np.float64(5), torch.tensor(5.0, dtype=torch.float64)
    for optimizer in optimizers:
        optimizer.step()
    assert float(ours.data) == pytest.approx(theirs.item(), rel=1e-15)


def test_a_frozen_parameter_keeps_the_gradient_that_it_has():
    """A program of its own passes may add a gradient without asking; in PyTorch there would be none."""
    parameter = Parameter(array((3,)), requires_grad=False)
    parameter.add_grad(array((3,)))
    assert parameter.grad is None
    parameter.requires_grad_().add_grad(array((3,), seed=1))
    parameter.requires_grad_(False).add_grad(array((3,), seed=2))
    np.testing.assert_array_equal(parameter.grad, array((3,), seed=1))
    with pytest.raises(RuntimeError, match="expected a gradient of shape"):
        parameter.add_grad(array((2,)))
