"""RNN, GRU, LSTM: layers, directions, dropout and states against PyTorch; which outputs are read; refusals."""

import copy
import pickle
import re
import warnings

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
from scratch.kernels.sequence_products import batch_parts

LAYERS = {"RNN": (flat.RNN, torch.nn.RNN, 1), "GRU": (flat.GRU, torch.nn.GRU, 1)}
LAYERS["LSTM"] = (flat.LSTM, flat.TorchLSTM, 2)
PUBLIC = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
each_layer = pytest.mark.parametrize("name", LAYERS)


def small(layer, seed=0):
    """Give a layer random weights that leave its gates half open."""
    random_state(layer, seed)
    for parameter in layer.parameters():
        parameter.data *= 0.3
    return layer


@each_layer
@given(
    layers=st.integers(1, 3),
    steps=st.integers(1, 5),
    batch=st.sampled_from([None, 0, 1, 4]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    dropout=st.sampled_from([0.0, 0.4, 1.0]),
    training=st.booleans(),
    given_states=st.booleans(),
    seed=seeds,
    dtype=dtypes,
)
def test_parity(name, layers, steps, batch, flags, dropout, training, given_states, seed, dtype):
    ours, theirs, count = LAYERS[name]
    options = dict(zip(("bias", "batch_first", "bidirectional"), flags, strict=True), num_layers=layers)
    options["dropout"] = dropout if layers > 1 else 0.0
    layer = small(ours(3, 5, **options, dtype=dtype), seed).train(training)
    middle = () if batch is None else (batch,)
    shape = (*middle, steps, 3) if options["batch_first"] and middle else (steps, *middle, 3)
    state_shape = (layers * layer.directions, *middle, 5)
    states = [0.5 * array(state_shape, seed=seed + place) for place in range(count if given_states else 0)]
    inputs = [values.astype(dtype) for values in (array(shape, seed=seed + 7), *states)]
    check(layer, theirs(3, 5, **options), *inputs, seed=seed).raise_if_different()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_relu_network(plain, dtype):
    layer = small(flat.RNN(3, 5, 2, "relu", dtype=dtype))
    x = array((6, 4, 3), dtype, seed=1)
    with scratch.plain(plain):
        check(layer, torch.nn.RNN(3, 5, 2, "relu"), x).raise_if_different()


@each_layer
@pytest.mark.parametrize(("steps", "batch"), [(29, 19), (5, 131)])
def test_wide_enough_for_several_threads(name, steps, batch):
    """There are also more rows than one product sums; the larger batch is shared out, in unequal parts."""
    ours, theirs, _ = LAYERS[name]
    scratch.manual_seed(0)
    layer = ours(33, 65, 2, bidirectional=True)
    check(layer, theirs(33, 65, 2, bidirectional=True), array((steps, batch, 33), "float32")).raise_if_different()


@each_layer
@pytest.mark.parametrize("read", ["output", "states", "last memory"])
def test_outputs_that_nobody_reads(name, read):
    """None stands for zeros; in PyTorch the loss does not use those outputs."""
    count = LAYERS[name][2]
    layer, theirs = small(PUBLIC[name](3, 5, dtype=np.float64)), getattr(torch.nn, name)(3, 5).double()
    theirs.load_state_dict({key: torch.tensor(values) for key, values in layer.state_dict().items()})
    x, tensor = array((4, 2, 3)), torch.tensor(array((4, 2, 3)), requires_grad=True)
    layer(x)
    outputs = [flat.leaves(one) for one in theirs(tensor)]
    g, h = array((4, 2, 5), seed=1), array((1, 2, 5), seed=2)
    if read == "output":
        found = layer.backward(g)
        outputs[0][0].backward(torch.tensor(g))
    elif read == "states":
        found = layer.backward(None, flat.nested((h,) * count))
        torch.autograd.backward(list(outputs[1]), [torch.tensor(h)] * count)
    elif count == 1:
        pytest.skip("has no memory")
    else:
        found = layer.backward(None, (None, h))
        outputs[1][1].backward(torch.tensor(h))
    np.testing.assert_allclose(found[0], tensor.grad.numpy(), rtol=1e-12, atol=1e-14)
    for one, other in zip(layer.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad.numpy(), rtol=1e-12, atol=1e-13)


@each_layer
@pytest.mark.parametrize("flags", [{}, {"bidirectional": True}])
def test_whoever_needs_no_gradient_of_the_input_gets_the_others(name, flags):
    layer, x, g = small(PUBLIC[name](3, 5, 2, **flags, dtype=np.float64)), array((4, 2, 3)), None
    y, _ = layer(x)
    g = array(y.shape, seed=1)
    _, expected = layer.backward(g)
    grads = [parameter.grad for parameter in layer.parameters()]
    layer.zero_grad()
    layer.requires_input_grad_(False)(x)
    grad_x, found = layer.backward(g)
    assert grad_x is None
    for one, other in zip(flat.leaves(found), flat.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    for parameter, grad in zip(layer.parameters(), grads, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)


@each_layer
def test_frozen_parameters_get_no_gradient_and_the_others_keep_theirs(name):
    layer, x, g = (
        small(PUBLIC[name](3, 5, 2, bidirectional=True, dtype=np.float64)),
        array((4, 2, 3)),
        array((4, 2, 10)),
    )
    layer(x)
    layer.backward(g)
    expected = {key: parameter.grad for key, parameter in layer.named_parameters()}
    layer.zero_grad()
    for key in ("weight_hh_l0", "bias_ih_l1_reverse"):
        layer.get_parameter(key).requires_grad = False
    layer(x)
    layer.backward(g)
    for key, parameter in layer.named_parameters():
        if parameter.requires_grad:
            np.testing.assert_array_equal(parameter.grad, expected[key])
        else:
            assert parameter.grad is None


@each_layer
def test_a_parameter_that_is_replaced_is_the_one_that_acts_and_learns(name):
    layer, x = PUBLIC[name](3, 5, dtype=np.float64), array((4, 2, 3))
    layer.weight_hh_l0 = nn.Parameter(0.3 * array(layer.weight_hh_l0.shape))
    y, _ = layer(x)
    layer.backward(array(y.shape))
    other = PUBLIC[name](3, 5, dtype=np.float64)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other(x)[0], y)
    assert layer.weight_hh_l0.grad.any()


@each_layer
def test_which_forward_a_backward_undoes(name):
    layer, x, g = PUBLIC[name](3, 5, 2, dtype=np.float64), array((4, 2, 3)), array((4, 2, 5))
    with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
        layer.backward(g)
    layer(x)
    with scratch.no_grad():
        layer(array((7, 1, 3)))
    with scratch.retain_graph():
        first = layer.backward(g)[0]
    np.testing.assert_array_equal(layer.backward(g)[0], first)
    with pytest.raises(RuntimeError, match=f"{name}: backward was called a second time"):
        layer.backward(g)
    layer(x)
    layer(x)
    with pytest.raises(RuntimeError, match=f"{name}: 2 forwards have run"):
        layer.backward(g)
    layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
            other.backward(g)
    with pytest.raises(RuntimeError, match=f"{name}: what forward saved was dropped"):
        layer.eval().backward(g)


@each_layer
def test_a_layer_that_is_applied_twice_is_reused(name):
    reused = nn.Reused(small(PUBLIC[name](3, 3, dtype=np.float64)))
    x, g = array((4, 2, 3)), array((4, 2, 3), seed=1)
    grad_x, _ = (reused(reused(x)[0]), reused.backward(reused.backward(g)[0]))[1]
    one, other = (small(PUBLIC[name](3, 3, dtype=np.float64)) for _ in range(2))
    other(one(x)[0])
    np.testing.assert_array_equal(grad_x, one.backward(other.backward(g)[0])[0])
    for total, a, b in zip(reused.parameters(), one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(total.grad, a.grad + b.grad, rtol=1e-12, atol=1e-14)


@each_layer
def test_an_output_cannot_be_written_to_until_its_backward_has_run(name):
    layer, x = PUBLIC[name](3, 5, dtype=np.float64), array((4, 2, 3))
    y, _ = layer(x)
    with pytest.raises(ValueError, match="read-only"):
        y += 1
    layer.backward(array(y.shape))
    y += 1


@each_layer
def test_dropout_acts_between_layers_and_draws_what_torch_draws(name):
    """Each gap has one mask, for the output of both directions, in the order of time even if the batch comes first."""
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": True, "batch_first": True}
    layer, theirs = small(PUBLIC[name](3, 5, **options, dtype=np.float64)), getattr(torch.nn, name)(3, 5, **options)
    theirs.double().load_state_dict({key: torch.tensor(values) for key, values in layer.state_dict().items()})
    scratch.manual_seed(3)
    torch.manual_seed(3)
    x = array((2, 4, 3))
    for _ in range(2):  # and the next masks are other ones
        np.testing.assert_allclose(layer(x)[0], theirs(torch.tensor(x))[0].detach().numpy(), rtol=1e-12)
        layer._forget()
    assert not np.array_equal(layer(x)[0], layer(x)[0])
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0], layer(x)[0])


@each_layer
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bias": False},
        {"num_layers": 2, "batch_first": True, "dropout": 0.5, "bidirectional": True},
    ],
)
def test_names_and_repr_are_torchs(name, options):
    ours, theirs = PUBLIC[name](3, 5, **options), getattr(torch.nn, name)(3, 5, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@each_layer
def test_to_another_dtype_and_weights_loaded(name):
    layer = PUBLIC[name](3, 5).double()
    y, _ = layer(array((4, 2, 3)))
    assert y.dtype == np.float64
    with pytest.raises(RuntimeError, match="missing key 'weight_ih_l1'"):
        PUBLIC[name](3, 5, 2).load_state_dict(layer.state_dict())


OPTIONS = {
    "no inputs": ((0, 5), {}),
    "no state": ((3, 0), {}),
    "no layer": ((3, 5, 0), {}),
    "a broken size": ((2.5, 5), {}),
    "a broken number of layers": ((3, 5, 1.5), {}),
    "dropout above 1": ((3, 5, 2), {"dropout": 1.5}),
    "dropout below 0": ((3, 5, 2), {"dropout": -0.1}),
    "dropout as a flag": ((3, 5, 2), {"dropout": True}),
    "bias as a number": ((3, 5), {"bias": 1}),
    "batch_first as a number": ((3, 5), {"batch_first": 1}),
}


@each_layer
@pytest.mark.parametrize("case", OPTIONS)
def test_refused_options(name, case):
    sizes, options = OPTIONS[case]
    said = refuses_as_torch(lambda: PUBLIC[name](*sizes, **options), lambda: getattr(torch.nn, name)(*sizes, **options))
    assert said.startswith(f"{name}: expected ")


def test_what_is_left_out_is_refused_by_name():
    with pytest.raises(NotImplementedError, match="LSTM: proj_size is not supported; expected the default, got 2"):
        nn.LSTM(3, 5, proj_size=2)
    said = refuses_as_torch(lambda: nn.RNN(3, 5, nonlinearity="gelu"), lambda: torch.nn.RNN(3, 5, nonlinearity="gelu"))
    assert "'tanh' or 'relu', got 'gelu'" in said
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.zeros(4, 2, 3), [4, 2])
    for name in LAYERS:
        with pytest.raises(
            TypeError, match=f"{name}: packed sequences are not supported; expected an array, .* of one length"
        ):
            PUBLIC[name](3, 5)(packed)


# What the refusal advises. Two sequences end before the others; what is after their ends is as random as the rest.

LENGTHS = np.array([6, 3, 6, 2])


def packed_run(name, x, grads, **options):
    """Return a layer, and PyTorch's numbers for packed sequences: output, h_n, and the gradients of x and weights."""
    layer = small(PUBLIC[name](3, 5, **options, dtype=np.float64))
    reference = getattr(torch.nn, name)(3, 5, **options).double()
    reference.load_state_dict({key: torch.tensor(value) for key, value in layer.state_dict().items()})
    leaf = torch.tensor(x, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(leaf, LENGTHS, enforce_sorted=False)
    output, states = reference(packed)
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    h_n = states[0] if name == "LSTM" else states
    loss = (output * torch.tensor(grads[0])).sum() + (h_n * torch.tensor(grads[1])).sum()
    loss.backward()
    weights = {key: parameter.grad.numpy() for key, parameter in reference.named_parameters()}
    return layer, output.detach().numpy(), h_n.detach().numpy(), leaf.grad.numpy(), weights


def random_grads(layers_and_directions, directions):
    inside = np.arange(6)[:, None] < LENGTHS
    return array((6, 4, 5 * directions), seed=1) * inside[..., None], array((layers_and_directions, 4, 5), seed=2)


def states_of(name, run):
    return run[1][0] if name == "LSTM" else run[1]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@each_layer
def test_padding_is_harmless_in_one_direction_if_h_n_is_read_from_the_output(name):
    x, (grad_output, grad_h_n) = array((6, 4, 3)), random_grads(2, 1)
    grad_h_n[0] = 0  # only the last layer's state is in the output
    layer, output, h_n, grad_x, weights = packed_run(name, x, (grad_output, grad_h_n), num_layers=2)
    run = layer(x)
    inside, ends = np.arange(6)[:, None] < LENGTHS, (LENGTHS - 1, np.arange(4))
    close(run[0][inside], output[inside])
    close(run[0][ends], h_n[-1])
    assert (np.abs(states_of(name, run) - h_n)[:, LENGTHS < 6].max(axis=-1) > 1e-3).all()
    grad_output[ends] += grad_h_n[-1]
    close(layer.backward(grad_output, None)[0], grad_x)
    for key, parameter in layer.named_parameters():
        close(parameter.grad, weights[key])


@each_layer
def test_sequences_of_one_length_together_are_as_packed_ones_in_both_directions(name):
    x, grads = array((6, 4, 3)), random_grads(4, 2)
    layer, output, h_n, grad_x, weights = packed_run(name, x, grads, num_layers=2, bidirectional=True)
    for length in np.unique(LENGTHS):
        place = (slice(length), length == LENGTHS)
        run = layer(np.ascontiguousarray(x[place]))
        close(run[0], output[place])
        close(states_of(name, run), h_n[:, place[1]])
        grad_states = grads[1][:, place[1]]
        found, _ = layer.backward(grads[0][place], (grad_states, None) if name == "LSTM" else grad_states)
        close(found, grad_x[place])
    for key, parameter in layer.named_parameters():
        close(parameter.grad, weights[key])


@each_layer
def test_in_both_directions_padding_is_read_first(name):
    layer, output, *_ = packed_run(name, array((6, 4, 3)), random_grads(2, 2), bidirectional=True)
    y, _ = layer(array((6, 4, 3)))
    apart = np.abs(y - output)[np.arange(6)[:, None] < LENGTHS]
    close(apart[:, :5], 0)
    assert (apart[:, 5:].max(axis=-1) > 1e-3).sum() >= 4


SHAPES = {
    "four axes": ((1, 4, 2, 3), None, "2 or 3 axes"),
    "one axis": ((3,), None, "2 or 3 axes"),
    "another size": ((4, 2, 7), None, r"\(\.\.\., 3\), got"),
    "no step": ((0, 2, 3), None, "1 step or more"),
    "states of another batch": ((4, 2, 3), (1, 3, 5), r"hx of shape \(1, 2, 5\), got \(1, 3, 5\)"),
    "states of another size": ((4, 2, 3), (1, 2, 4), "hx of shape"),
    "states of more layers": ((4, 2, 3), (2, 2, 5), "hx of shape"),
    "states without a batch": ((4, 2, 3), (1, 5), "hx of shape"),
    "states with a batch": ((4, 3), (1, 1, 5), r"hx of shape \(1, 5\)"),
}


@each_layer
@pytest.mark.parametrize("case", SHAPES)
def test_refused_shapes(name, case):
    shape, state_shape, words = SHAPES[case]
    ours, theirs, count = LAYERS[name]
    states = [] if state_shape is None else [np.zeros(state_shape, np.float32)] * count
    arrays = [np.zeros(shape, np.float32), *states]
    said = refuses_as_torch(lambda: ours(3, 5)(*arrays), lambda: theirs(3, 5)(*map(torch.tensor, arrays)))
    assert said.startswith(f"{name}: expected ")
    assert re.search(words, said)


@each_layer
def test_refused_arrays(name):
    ours, _, count = LAYERS[name]
    layer, x = ours(3, 5), np.zeros((4, 2, 3), np.float32)
    with pytest.raises(RuntimeError, match="hx of dtype float32, got float64"):
        layer(x, *[np.zeros((1, 2, 5))] * count)
    layer(x)
    g, h = np.zeros((4, 2, 5), np.float32), np.zeros((1, 2, 5), np.float32)
    for wrong in ((g[:3],), (g, *[h[:, :1]] * count), (g, *[h.astype(np.float64)] * count)):
        with pytest.raises(RuntimeError, match=f"{name}: expected grad_output of"):
            layer.backward(*wrong)


def test_an_lstm_takes_pairs():
    layer, x, h = nn.LSTM(3, 5), np.zeros((4, 2, 3), np.float32), np.zeros((1, 2, 5), np.float32)
    layer(x, [h, h])
    with pytest.raises(TypeError, match="LSTM: expected hx to be a pair of state and memory, got ndarray"):
        layer(x, h)
    with pytest.raises(TypeError, match="the states' gradients to be a pair"):
        layer.backward(np.zeros((4, 2, 5), np.float32), h)


@each_layer
def test_dropout_with_a_single_layer_warns_as_torch_does(name):
    for make in (PUBLIC[name], getattr(torch.nn, name)):
        with pytest.warns(UserWarning, match="dropout"):
            make(3, 5, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PUBLIC[name](3, 5, 2, dropout=0.5)


@pytest.mark.parametrize(
    ("batch", "size", "parts"),
    [
        (32, 127, [32]),  # a step is too short for two threads
        (32, 128, [16, 16]),
        (2, 2048, [1, 1]),
        (1, 5000, [1]),
        (31, 200, [15, 16]),
        (96, 64, [32, 32, 32]),
        (127, 64, [42, 42, 43]),
        (1000, 64, [250, 250, 250, 250]),  # each part has sums of its own, as large as the weights
    ],
)
def test_a_batch_is_shared_out_by_its_shape(batch, size, parts):
    found = batch_parts(np.empty((batch, size), np.float32))
    assert [len(range(batch)[part]) for part in found] == parts
