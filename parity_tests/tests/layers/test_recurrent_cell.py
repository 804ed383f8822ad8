"""RNNCell, GRUCell, LSTMCell: options and states against PyTorch, extremes, cells over time, refusals."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
from parity_tests.harness import flat
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, random_state, seeds
from scratch import nn

CELLS = {"RNNCell": (flat.RNNCell, torch.nn.RNNCell, 1), "GRUCell": (flat.GRUCell, torch.nn.GRUCell, 1)}
CELLS["LSTMCell"] = (flat.LSTMCell, flat.TorchLSTMCell, 2)
each_cell = pytest.mark.parametrize("name", CELLS)
PUBLIC = {"RNNCell": nn.RNNCell, "GRUCell": nn.GRUCell, "LSTMCell": nn.LSTMCell}
LAYERS = {"RNNCell": nn.RNN, "GRUCell": nn.GRU, "LSTMCell": nn.LSTM}


def small(layer, seed=0):
    """Give a layer random weights that leave its gates half open."""
    random_state(layer, seed)
    for parameter in layer.parameters():
        parameter.data *= 0.3
    return layer


def states_of(name, shape, seed):
    return [0.5 * array(shape, seed=seed + place) for place in range(CELLS[name][2])]


@each_cell
@given(n=st.integers(0, 4), bias=st.booleans(), given_states=st.booleans(), seed=seeds, dtype=dtypes)
def test_parity(name, n, bias, given_states, seed, dtype):
    ours, theirs, _ = CELLS[name]
    layer = small(ours(3, 5, bias=bias, dtype=dtype), seed)
    states = states_of(name, (n, 5), seed) if given_states else []
    inputs = [values.astype(dtype) for values in (array((n, 3), seed=seed + 7), *states)]
    check(layer, theirs(3, 5, bias=bias), *inputs, seed=seed).raise_if_different()


@each_cell
@pytest.mark.parametrize("given_states", [True, False])
def test_an_input_without_a_batch(name, given_states):
    ours, theirs, _ = CELLS[name]
    states = states_of(name, (5,), 2) if given_states else []
    check(small(ours(3, 5, dtype=np.float64)), theirs(3, 5), array((3,), seed=1), *states).raise_if_different()


@each_cell
@pytest.mark.parametrize("value", [1e4, -1e4, np.inf, -np.inf, np.nan])
def test_gates_that_are_shut_or_wide_open(name, value):
    ours, theirs, _ = CELLS[name]
    layer, x = small(ours(2, 4, dtype=np.float64)), array((3, 2), seed=1)
    x[1, 0] = value
    check(layer, theirs(2, 4), x, *states_of(name, (3, 4), 2)).raise_if_different()


def test_the_slope_of_a_relu_at_0_is_0():
    cell = nn.RNNCell(1, 2, bias=False, nonlinearity="relu", dtype=np.float64)
    cell.weight_ih.data[...] = [[1.0], [2.0]]
    cell(np.array([[0.0]]))
    grad_x, grad_h = cell.backward(np.array([[3.0, 5.0]]))
    assert not grad_x.any()
    assert not grad_h.any()


@each_cell
def test_states_that_are_left_out_are_zeros(name):
    x, cell = array((4, 3)), small(CELLS[name][0](3, 5, dtype=np.float64))
    zeros = [np.zeros((4, 5))] * CELLS[name][2]
    for one, other in zip(flat.leaves(cell(x, *zeros)), flat.leaves(cell.train()(x)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_gradient_of_an_output_that_nobody_reads_is_zero():
    cell, x, g = small(nn.LSTMCell(3, 5, dtype=np.float64)), array((4, 3)), array((4, 5), seed=1)
    found = []
    for grads in ((g,), (g, None), (g, np.zeros_like(g)), (None, g), (np.zeros_like(g), g)):
        cell(x)
        found.append(flat.leaves(cell.backward(*grads)))
    for one, other in ((0, 2), (1, 2), (3, 4)):
        for a, b in zip(found[one], found[other], strict=True):
            np.testing.assert_array_equal(a, b)


@each_cell
def test_whoever_needs_no_gradient_of_the_input_still_gets_the_states(name):
    cell, x, g = small(PUBLIC[name](3, 5, dtype=np.float64)), array((4, 3)), array((4, 5), seed=1)
    cell(x)
    _, expected = cell.backward(g)
    cell.requires_input_grad_(False)(x)
    grad_x, found = cell.backward(g)
    assert grad_x is None
    for one, other in zip(flat.leaves(found), flat.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@each_cell
@pytest.mark.parametrize("frozen", ["weight_ih", "weight_hh", "bias_ih", "bias_hh"])
def test_a_frozen_parameter_gets_no_gradient_and_the_others_keep_theirs(name, frozen):
    cell, x, g = small(PUBLIC[name](3, 5, dtype=np.float64)), array((4, 3)), array((4, 5), seed=1)
    cell(x)
    cell.backward(g)
    expected = {key: parameter.grad for key, parameter in cell.named_parameters()}
    cell.zero_grad()
    cell.get_parameter(frozen).requires_grad = False
    cell(x)
    cell.backward(g)
    for key, parameter in cell.named_parameters():
        if key == frozen:
            assert parameter.grad is None
        else:
            np.testing.assert_array_equal(parameter.grad, expected[key])


def alone(name, weights, x, states, grads):
    """Return what one application gives, from a cell of its own."""
    cell = CELLS[name][0](3, 5, dtype=np.float64)
    cell.load_state_dict(weights)
    outputs = flat.leaves(cell(x, *states))
    return outputs, cell.backward(*grads), [parameter.grad for parameter in cell.parameters()]


@each_cell
@given(choices=st.lists(st.sampled_from(["forward", "backward", "handle"]), max_size=10), seed=seeds)
def test_a_reused_cell_gives_the_gradients_of_separate_cells_in_any_order(name, choices, seed):
    reused, count = nn.Reused(small(CELLS[name][0](3, 5, dtype=np.float64))), CELLS[name][2]
    weights = {key: values.copy() for key, values in reused.state_dict().items()}
    rng, waiting, sums = np.random.default_rng(seed), [], None
    for choice in choices:
        grads = [rng.normal(size=(2, 5)) for _ in range(count)]
        if choice == "forward":
            x, states = rng.normal(size=(2, 3)), [rng.normal(size=(2, 5)) for _ in range(count)]
            outputs, handle = reused.forward_with_handle(x, *states)
            for one, other in zip(flat.leaves(outputs), alone(name, weights, x, states, grads)[0], strict=True):
                np.testing.assert_array_equal(one, other)
            waiting.append((x, states, handle))
        elif not waiting:
            with pytest.raises(RuntimeError, match="no forward left"):
                reused.backward(*grads)
        else:
            x, states, handle = waiting.pop(-1 if choice == "backward" else rng.integers(len(waiting)))
            found = reused.backward(*grads) if choice == "backward" else reused.backward(*grads, forward=handle)
            _, expected, shares = alone(name, weights, x, states, grads)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
            sums = shares if sums is None else [one + other for one, other in zip(sums, shares, strict=True)]
            for parameter, total in zip(reused.parameters(), sums, strict=True):
                np.testing.assert_allclose(parameter.grad, total, rtol=1e-12, atol=1e-14)


@each_cell
def test_a_cell_unrolled_by_hand_is_the_layer(name):
    """Backpropagation through time in a user's own loop: backwards, last step first, pass on the states' gradients."""
    layer = small(LAYERS[name](3, 5, dtype=np.float64))
    cell = nn.Reused(PUBLIC[name](3, 5, dtype=np.float64))
    cell.load_state_dict({key.removesuffix("_l0"): values for key, values in layer.state_dict().items()})
    x, grad_y = array((6, 2, 3), seed=1), array((6, 2, 5), seed=2)
    first = states_of(name, (2, 5), 3)
    y, _ = layer(x, flat.nested(tuple(state[None] for state in first)))
    grad_x, grads_first = layer.backward(grad_y)

    state, outputs = flat.nested(tuple(first)), []
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(flat.leaves(state)[0])
    grads, found = [np.zeros((2, 5)) for _ in first], []
    for grad_y_t in grad_y[::-1]:
        grad_x_t, before = cell.backward(grads[0] + grad_y_t, *grads[1:])
        grads = list(flat.leaves(before))
        found.append(grad_x_t)
    np.testing.assert_allclose(np.stack(outputs), y, rtol=1e-12)
    np.testing.assert_allclose(np.stack(found[::-1]), grad_x, rtol=1e-12, atol=1e-14)
    for one, other in zip(grads, flat.leaves(grads_first), strict=True):
        np.testing.assert_allclose(one, other[0], rtol=1e-12, atol=1e-14)
    for one, other in zip(cell.parameters(), layer.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-12, atol=1e-14)


REFUSED = {
    "three axes": ((2, 2, 3), None, "1 or 2 axes"),
    "no axis": ((), None, "1 or 2 axes"),
    "another size": ((2, 4), None, r"\(\.\.\., 3\)"),
    "states of another batch": ((2, 3), (3, 5), r"hx of shape \(2, 5\), got \(3, 5\)"),
    "states of another size": ((2, 3), (2, 4), r"hx of shape \(2, 5\), got \(2, 4\)"),
    "states with three axes": ((2, 3), (1, 2, 5), "hx with 1 or 2 axes"),
    "states without the batch": ((2, 3), (5,), "hx of shape"),
}


@each_cell
@pytest.mark.parametrize("case", REFUSED)
def test_refused_shapes(name, case):
    shape, state_shape, words = REFUSED[case]
    ours, theirs, count = CELLS[name]
    states = [] if state_shape is None else [np.zeros(state_shape, np.float32)] * count
    arrays = [np.zeros(shape, np.float32), *states]
    said = refuses_as_torch(lambda: ours(3, 5)(*arrays), lambda: theirs(3, 5)(*map(torch.tensor, arrays)))
    assert said.startswith(f"{name}: expected ")
    assert re.search(words, said)


@each_cell
def test_refused_options_and_dtypes(name):
    ours, theirs, _ = CELLS[name]
    for sizes in ((-1, 4), (3, -2), (2.5, 4)):
        refuses_as_torch(lambda: ours(*sizes), lambda: theirs(*sizes))  # noqa: B023
    with pytest.raises(TypeError, match="float32 or float64"):
        ours(3, 5, dtype=np.float16)
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(RuntimeError, match="hx of dtype float32, got float64"):
        ours(3, 5)(x, *[np.zeros((2, 5))] * CELLS[name][2])
    with pytest.raises(TypeError, match=r"hx to be a numpy\.ndarray"):
        ours(3, 5)(x, *[[0.0]] * CELLS[name][2])


def test_an_unknown_nonlinearity():
    said = refuses_as_torch(
        lambda: nn.RNNCell(3, 5, nonlinearity="gelu"),
        lambda: torch.nn.RNNCell(3, 5, nonlinearity="gelu")(torch.zeros(3)),
    )
    assert said == "RNNCell: expected nonlinearity 'tanh' or 'relu', got 'gelu'"


def test_an_lstm_cell_takes_a_pair():
    cell, x, h = nn.LSTMCell(3, 5), np.zeros((2, 3), np.float32), np.zeros((2, 5), np.float32)
    cell(x, [h, h])
    for wrong, words in ((h, "got ndarray"), ((h,), "got 1 of them"), ((h, h, h), "got 3 of them")):
        with pytest.raises(TypeError, match=f"LSTMCell: expected hx to be a pair of state and memory, {words}"):
            cell(x, wrong)


@each_cell
def test_the_words_of_repr_and_the_names_are_torchs(name):
    public, theirs = PUBLIC[name], getattr(torch.nn, name)
    options = [{}, {"bias": False}, *([{"nonlinearity": "relu"}] if name == "RNNCell" else [])]
    for option in options:
        assert repr(public(3, 5, **option)) == repr(theirs(3, 5, **option))
        assert list(public(3, 5, **option).state_dict()) == list(theirs(3, 5, **option).state_dict())


@each_cell
def test_a_state_of_no_numbers(name):
    scratch.manual_seed(0)
    ours, theirs, count = CELLS[name]
    x, states = array((2, 3), "float32"), [np.zeros((2, 0), np.float32)] * count
    check(ours(3, 0), theirs(3, 0), x, *states).raise_if_different()
