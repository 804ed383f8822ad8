"""All parameters as one vector, and back, beside torch's."""

import numpy as np
import pytest
import torch

from parity_tests.harness.arrays import array
from parity_tests.harness.refusals import refuses_as_torch
from scratch import nn, optim
from scratch.nn import Parameter
from scratch.nn.utils import parameters_to_vector, vector_to_parameters

SHAPES = (2, 3), (), (0, 4), (5,)
COUNT = 12


def pairs(dtype="float64"):
    """Return parameters of several shapes, and torch's with the same numbers."""
    values = [array(shape, dtype, seed=seed) for seed, shape in enumerate(SHAPES)]
    return [Parameter(one) for one in values], [torch.nn.Parameter(torch.tensor(one)) for one in values]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_goes_into_a_vector_and_back_as_in_torch(dtype):
    ours, theirs = pairs(dtype)
    vector, expected = parameters_to_vector(ours), torch.nn.utils.parameters_to_vector(theirs)
    assert vector.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(vector, expected.detach().numpy())
    new = array((COUNT,), dtype, seed=9)
    vector_to_parameters(new, iter(ours))
    torch.nn.utils.vector_to_parameters(torch.tensor(new), theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.data, other.detach().numpy())


def test_arrays_in_any_layout_are_read_in_c_order_and_written_so():
    ours = [Parameter(array((2, 3)).T), Parameter(array((8,))[::2])]
    vector = parameters_to_vector(ours)
    np.testing.assert_array_equal(vector, np.concatenate([one.data.reshape(-1) for one in ours]))
    vector_to_parameters(2 * vector, ours)
    np.testing.assert_array_equal(parameters_to_vector(ours), 2 * vector)


def test_numbers_are_copied_both_ways():
    ours, _ = pairs()
    arrays, vector = [one.data for one in ours], parameters_to_vector(ours)
    vector[0] += 1
    assert ours[0].data[0, 0] != vector[0]
    vector_to_parameters(vector, ours)
    assert all(one.data is kept for one, kept in zip(ours, arrays, strict=True))
    vector[0] += 1
    assert ours[0].data[0, 0] == vector[0] - 1


def test_numbers_are_converted_to_the_parameters_dtype():
    ours, _ = pairs("float32")
    vector_to_parameters(array((COUNT,)), ours)
    assert {one.dtype for one in ours} == {np.dtype(np.float32)}


def test_a_number_without_axes_that_was_assigned_is_written_to():
    parameter = Parameter(np.zeros(()))
    parameter.data = parameter.data + 1.0
    vector_to_parameters(np.array([4.0]), [parameter])
    assert float(parameter.data) == 4.0


def test_a_backward_after_the_write_is_refused():
    layer = nn.Linear(2, 2, dtype=np.float64)
    layer(array((3, 2)))
    vector_to_parameters(parameters_to_vector(layer.parameters()), layer.parameters())
    with pytest.raises(RuntimeError, match="weight was written to"):
        layer.backward(array((3, 2)))


def test_an_optimizer_goes_on_from_the_new_numbers():
    parameter = Parameter(np.zeros(2))
    optimizer = optim.SGD([parameter], 1.0)
    parameter.grad = np.ones(2)
    optimizer.step()
    vector_to_parameters(np.array([5.0, 6.0]), [parameter])
    optimizer.step()
    np.testing.assert_array_equal(parameter.data, [4.0, 5.0])


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1, 0])
def test_a_vector_of_another_length_is_refused_and_nothing_is_written(count):
    ours, theirs = pairs()
    before = parameters_to_vector(ours)
    with pytest.raises(
        RuntimeError, match=rf"vector_to_parameters: expected vec of shape \({COUNT},\), got \({count},"
    ):
        vector_to_parameters(np.zeros(count), ours)
    np.testing.assert_array_equal(parameters_to_vector(ours), before)
    if count < COUNT:
        with pytest.raises(RuntimeError):
            torch.nn.utils.vector_to_parameters(torch.zeros(count), theirs)


def test_what_is_no_vector_and_no_parameters_is_refused():
    ours, theirs = pairs()
    for wrong in ([0.0] * COUNT, 3.0, None):
        refuses_as_torch(
            lambda: vector_to_parameters(wrong, ours),  # noqa: B023
            lambda: torch.nn.utils.vector_to_parameters(wrong, theirs),  # noqa: B023
        )
    with pytest.raises(RuntimeError, match="expected vec of shape"):
        vector_to_parameters(np.zeros((1, COUNT)), ours)
    for wrong in (nn.Linear(2, 2), 3, ours[0], [np.zeros(2)]):
        for call in (lambda: parameters_to_vector(wrong), lambda: vector_to_parameters(np.zeros(2), wrong)):  # noqa: B023
            with pytest.raises(TypeError, match=r"^(parameters_to_vector|vector_to_parameters): expected "):
                call()
    with pytest.raises(RuntimeError, match="parameters_to_vector: expected at least one parameter"):
        parameters_to_vector([])


def test_a_read_only_parameter_is_refused_and_nothing_is_written():
    ours, _ = pairs()
    ours[-1].data.setflags(write=False)
    before = parameters_to_vector(ours)
    with pytest.raises(RuntimeError, match=r"vector_to_parameters: .* read-only"):
        vector_to_parameters(np.zeros(COUNT), ours)
    np.testing.assert_array_equal(parameters_to_vector(ours), before)
