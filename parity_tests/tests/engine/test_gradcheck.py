"""Finite differences: right where backward is right, sharp where it is wrong, and silent about what they cannot see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, distinct, layouts, random_state, seeds
from scratch.gradcheck import DIRECTIONS, compare_direction, compare_elements, gradcheck, products


class Sine(nn.Module):
    """sin(x), with its derivative off by a relative ``error``."""

    def __init__(self, error=0.0):
        super().__init__()
        self.error = error

    def forward(self, x):
        """Return sin(x)."""
        self.save_for_backward(x=x)
        return np.sin(x)

    def backward(self, grad_output):
        """Return cos(x) grad_output, wrongly."""
        return grad_output * np.cos(self.saved("x")) * (1 + self.error)


class Shifted(nn.Module):
    """3 (x - start): small numbers from large ones, which a step changes by a rounded amount."""

    def __init__(self, start):
        super().__init__()
        self.start = start

    def forward(self, x):
        """Return 3 (x - start)."""
        return 3 * (x - self.start)

    def backward(self, grad_output):
        """Return 3 grad_output."""
        return 3 * grad_output


class Averaged(nn.Linear):
    """Linear that averages the gradient of its bias over the batch."""

    def backward(self, grad_output):
        """Return the right gradient of the input."""
        grad_input = super().backward(grad_output)
        self.bias.grad = self.bias.grad / len(grad_output)
        return grad_input


@given(shape=st.lists(st.integers(1, 3), max_size=3), layout=layouts, seed=seeds, directional=st.booleans())
def test_a_right_backward_passes(shape, layout, seed, directional):
    x = array((*shape, 3), seed=seed, layout=layout)
    layer = random_state(nn.Linear(3, 2, dtype=np.float64), seed)
    gradcheck(layer, x, seed=seed, directional=directional)
    gradcheck(Sine(), x, seed=seed, directional=directional)


@pytest.mark.parametrize("magnitude", [1e2, 1e5, 1e9])
def test_the_rounding_of_a_large_input_is_allowed_for(magnitude):
    """An input's rounding error grows with it, and so does the step."""
    start = magnitude * array((50, 20), seed=7)
    gradcheck(Shifted(start), start)


@given(seed=seeds)
def test_an_error_of_a_millionth_is_found(seed):
    with pytest.raises(AssertionError, match="differ"):
        gradcheck(Sine(error=1e-6), array((4, 3), seed=seed), seed=seed)


@given(seed=seeds)
def test_an_error_of_a_millionth_is_found_along_one_of_three_directions(seed):
    """About one random direction in 200 is nearly at right angles to the error; three at once hardly ever are."""
    x = array((4, 3), seed=seed)
    along = [compare_direction(Sine(error=1e-6), x, seed=3 * seed + direction)[0] for direction in range(3)]
    assert any(comparison.different.any() for comparison in along)


def test_the_message_says_which_gradient_and_where():
    layer = random_state(Averaged(3, 2, dtype=np.float64))
    with pytest.raises(AssertionError) as caught:
        gradcheck(layer, array((5, 3)))
    message = str(caught.value)
    assert "Averaged: backward is not the derivative of forward" in message
    assert "grad_bias: 2 of 2 elements differ, the largest at (" in message
    assert "grad_input" not in message
    assert "grad_weight" not in message


def test_a_backward_that_ignores_its_argument_is_found():
    class Ignoring(Sine):
        def backward(self, grad_output):
            return super().backward(np.ones_like(grad_output))

    with pytest.raises(AssertionError, match="grad_input"):
        gradcheck(Ignoring(), array((4, 3)))


def test_a_kink_is_left_undecided_and_the_rest_is_not():
    x = array((2, 3))
    x[1, 1] = 0.0
    (comparison,) = compare_elements(nn.ReLU(), x)
    assert np.argwhere(np.isnan(comparison.allowed)).tolist() == [[1, 1]]
    assert not comparison.different.any()
    with pytest.raises(AssertionError, match="every element is at a kink"):
        gradcheck(nn.ReLU(), np.zeros((2, 3)))


def test_neither_the_layer_nor_the_inputs_are_changed():
    layer, x = random_state(nn.Linear(3, 2, dtype=np.float64)), array((4, 3))
    before = {name: values.copy() for name, values in layer.state_dict().items()}
    x.flags.writeable = False
    compare_elements(layer, x)
    compare_direction(layer, x)
    assert all(np.array_equal(before[name], values) for name, values in layer.state_dict().items())
    assert layer.weight.grad is None
    with pytest.raises(RuntimeError, match="before forward"):
        layer.backward(np.ones((4, 2)))


def test_a_loss_gets_no_gradient_for_its_target():
    logits, target = array((4, 3)), np.array([0, 2, 1, 1])
    names = [comparison.name for comparison in compare_elements(nn.CrossEntropyLoss(), logits, target)]
    assert names == ["grad_input"]
    gradcheck(nn.CrossEntropyLoss(), logits, target)
    gradcheck(nn.MSELoss(), logits, array((4, 3), seed=1), directional=True)


def test_dropout_drops_the_same_units_in_every_pass():
    gradcheck(nn.Dropout(0.5), array((4, 5)), seed=3)


def test_batch_norm_in_training_has_its_paths_through_the_statistics():
    layer = random_state(nn.BatchNorm1d(3, dtype=np.float64))
    gradcheck(layer, array((6, 3)))
    gradcheck(layer.eval(), array((6, 3)))


def test_float32_is_refused():
    with pytest.raises(TypeError, match="weight of dtype float64, got float32"):
        gradcheck(nn.Linear(3, 2), array((4, 3)))
    with pytest.raises(TypeError, match="input of dtype float64, got float32"):
        gradcheck(nn.ReLU(), array((4, 3), "float32"))


class TwoHeads(nn.Module):
    """Two layers on one input: their gradients add."""

    def __init__(self, lost=False):
        super().__init__()
        self.one, self.two = nn.Linear(3, 2, dtype=np.float64), nn.Linear(3, 4, dtype=np.float64)
        self.lost = lost

    def forward(self, x):
        """Return both heads' outputs."""
        return self.one(x), self.two(x)

    def backward(self, grad_one, grad_two):
        """Return the sum of both heads' gradients, or lose one."""
        return self.one.backward(grad_one) + (0 if self.lost else self.two.backward(grad_two))


@pytest.mark.parametrize("directional", [False, True])
def test_every_output_has_an_upstream_gradient_of_its_own(directional):
    gradcheck(random_state(TwoHeads()), array((4, 3)), directional=directional)
    assert check(random_state(TwoHeads()), None, array((4, 3))).ok
    with pytest.raises(AssertionError, match="grad_input"):
        gradcheck(random_state(TwoHeads(lost=True)), array((4, 3)), directional=directional)


def test_indices_among_the_outputs_are_passed_over():
    gradcheck(nn.MaxPool2d(2, return_indices=True), distinct((1, 2, 4, 4)))


def test_an_empty_batch_has_nothing_to_differ_in():
    gradcheck(nn.ReLU(), np.zeros((0, 3)))


def test_beyond_the_work_allowed_arrays_are_compared_along_directions():
    x = np.random.default_rng(0).normal(size=(5, 3))
    layer = nn.Linear(3, 2, dtype=np.float64)
    total = 15 + 6 + 2
    found = {one.name: one for one in compare_elements(layer, x, work=6 * total)}
    assert {name: one.numeric.shape for name, one in found.items()} == {
        "grad_input": (DIRECTIONS,),
        "grad_weight": (2, 3),
        "grad_bias": (2,),
    }
    assert not any(one.different.any() for one in found.values())
    one_wrong = np.zeros((5, 3))
    one_wrong[2, 1] = 1e-3
    along = found["grad_input"]
    assert along._replace(analytic=along.analytic + products(one_wrong)).different.all()
