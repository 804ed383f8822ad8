"""A layer between two others of a `Sequential` gives what it gives alone."""

import copy
import threading

import numpy as np
import pytest

import scratch
from parity_tests.catalogue import of_kind
from parity_tests.harness.arrays import array
from scratch import nn
from scratch.nn.between import can_be_at_an_end, can_be_between
from scratch.nn.layer import Layer

ENTRIES = [entry for entry in of_kind("layer") if can_be_between(entry.case("float64", 0).layer)]
ENDS = [entry for entry in ENTRIES if can_be_at_an_end(entry.case("float64", 0).layer)]
CASES = 6


def network():
    scratch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 4, dtype=np.float64),
        nn.BatchNorm1d(4, dtype=np.float64),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(4, 2, dtype=np.float64),
        nn.Tanh(),
    )


def passes(model, one_by_one, seed=3):
    """Return the output, gradients and buffers; ``one_by_one``: whether forward, and backward, run layer by layer."""
    scratch.manual_seed(7)
    x = array((5, 3), seed=seed)
    y = x
    for layer in model if one_by_one[0] else [model]:
        y = layer(y)
    grad = array(y.shape, seed=seed + 1)
    model.zero_grad()
    for layer in reversed(list(model)) if one_by_one[1] else [model]:
        grad = layer.backward(grad)
    return [y, grad, *[one.grad for one in model.parameters()], *[value for _, value in model.named_buffers()]]


def test_most_layers_can_be_between():
    names = {entry.name for entry in ENTRIES}
    assert names >= {"Linear", "BatchNorm1d", "ReLU", "Dropout", "Conv2d", "MaxPool2d", "LayerNorm", "GELU", "Flatten"}


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
@pytest.mark.parametrize("before", [0, 1], ids=["first", "not first"])
@pytest.mark.parametrize("behind", [0, 1], ids=["last", "not last"])
def test_at_any_place_a_layer_is_what_it_is_alone(entry, plain, before, behind):
    for seed in range(CASES):
        case = entry.case("float64", seed)
        alone, x = copy.deepcopy(case.layer), case.inputs[0].copy()
        others = [nn.Identity() for _ in range(before + behind)]
        model = nn.Sequential(*others[:before], copy.deepcopy(case.layer), *others[before:])
        found = []
        for module in (alone, model):
            scratch.manual_seed(seed)
            with scratch.plain(plain):
                y = module(x)
                if isinstance(y, tuple):
                    break  # with its indices, it can be no layer's input
                x.fill(np.nan)  # the caller's: backward has what it needs
                grad_x = module.backward(array(y.shape, seed=seed))
            x[...] = case.inputs[0]
            grads = [parameter.grad for parameter in module.parameters()]
            found.append([y, grad_x, *grads, *[buffer for _, buffer in module.named_buffers()]])
        for one, other in zip(*found, strict=True) if len(found) == 2 else ():
            np.testing.assert_array_equal(one, other)
            if one is not None:
                assert one.dtype == other.dtype


@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
def test_a_number_without_axes_stays_an_array_between_layers(plain):
    x, grad = np.array(0.5), np.array(3.0)
    layers = nn.Tanh(), nn.Softsign(), nn.Hardswish(), nn.Tanh()
    with scratch.plain(plain):
        expected = x
        for layer in layers:
            expected = layer(expected)
        expected_grad = grad
        for layer in reversed(layers):
            expected_grad = layer.backward(expected_grad)
        model = nn.Sequential(*layers)
        y = model(x)
        grad_x = model.backward(grad)
    assert isinstance(y, np.ndarray)
    assert isinstance(grad_x, np.ndarray)
    np.testing.assert_array_equal([y, grad_x], [expected, expected_grad])


def test_only_a_layer_with_parameters_that_does_what_all_do_can_be_at_an_end():
    class Doubling(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    assert {entry.name for entry in ENDS} >= {"Linear", "Conv2d", "BatchNorm1d", "LayerNorm", "PReLU"}
    assert not {entry.name for entry in ENDS} & {"ReLU", "Flatten", "Dropout", "Identity", "MaxPool2d"}
    assert not can_be_at_an_end(Doubling(3, 4))


@pytest.mark.parametrize("constant", [False, True])
def test_of_layers_alone_a_sequential_asks_their_functions_alone(constant, monkeypatch):
    model = network()[:5].requires_input_grad_(not constant)  # without Tanh, which has no parameters
    expected = passes(model, (False, False))
    for name in ("forward", "run", "backward", "undo"):
        monkeypatch.setattr(Layer, name, None)
    for one, other in zip(passes(model, (False, False)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nobody_can_write_to_what_a_layer_that_is_called_as_usual_reads():
    seen = []

    class Seeing(nn.ReLU):
        def forward(self, x):
            seen.append(x.flags.writeable)
            return super().forward(x)

    nn.Sequential(nn.MaxPool1d(2), Seeing())(array((2, 3, 4)))
    assert seen == [False]


@pytest.mark.parametrize("one_by_one", [(True, False), (False, True), (True, True)])
def test_forward_and_backward_of_the_layers_themselves_fit_the_sequentials(one_by_one):
    expected, found = (passes(network(), each) for each in ((False, False), one_by_one))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_input_that_does_not_fit_is_refused_by_its_layer():
    model = nn.Sequential(nn.Tanh(), nn.Linear(4, 2), nn.Tanh())
    with pytest.raises(RuntimeError, match=r"Linear: expected input of shape \(\.\.\., 4\)"):
        model(array((5, 3), dtype="float32"))
    with pytest.raises(RuntimeError, match="Linear: expected input of dtype float32"):
        model(array((5, 4)))


def test_two_forwards_are_noticed_by_the_layer_that_ran_twice():
    model = network()
    y = model(array((5, 3)))
    model[2](array((5, 4)))
    with pytest.raises(RuntimeError, match="ReLU: 2 forwards have run"):
        model.backward(array(y.shape, seed=1))
    model.train()
    y = model(array((5, 3)))
    model[3].backward(array((5, 4), seed=1))
    with pytest.raises(RuntimeError, match="Dropout: backward was called a second time"):
        model.backward(array(y.shape, seed=1))


def test_the_second_of_two_forwards_is_counted():
    model = network()
    for _ in range(2):
        model(array((5, 3)))
    for number, name in ((2, "ReLU"), (4, "Linear")):
        with pytest.raises(RuntimeError, match=f"{name}: 2 forwards have run"):
            model[number].backward(array((5, 4)))


def test_a_layer_whose_forward_ran_in_another_thread_refuses():
    model, errors = network(), []
    y = model(array((5, 3)))

    def backward():
        model[5]._forget()
        model[5](array(y.shape))
        with pytest.raises(RuntimeError, match="Linear: backward was called in another thread") as caught:
            model.backward(array(y.shape, seed=1))
        errors.append(caught.value)

    thread = threading.Thread(target=backward)
    thread.start()
    thread.join()
    assert len(errors) == 1


@pytest.mark.parametrize("other", [array((5, 3), dtype="float32"), array((5, 2))], ids=["dtype", "shape"])
def test_a_gradient_that_does_not_fit_is_refused_by_its_layer(other):
    model = nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Tanh(), nn.Identity())
    model(array((5, 3)))
    for number in (2, 3):
        model[number]._forget()
        model[number](other)
    with pytest.raises(RuntimeError, match="ReLU: expected grad_output of"):
        model.backward(other)


@pytest.mark.parametrize("entry", ENDS, ids=[entry.name for entry in ENDS])
def test_an_output_is_locked_until_backward_if_that_reads_it(entry):
    case = entry.case("float64", 0)
    for module in (case.layer, nn.Sequential(nn.Identity(), case.layer)):
        y = module(case.inputs[0])
        saved = case.layer.record().saved
        assert y.flags.writeable != any(np.may_share_memory(one, y) for one in saved if isinstance(one, np.ndarray))
        module.backward(array(y.shape, seed=1))
        assert y.flags.writeable


def test_a_first_layer_that_reads_constants_leaves_their_gradient_out():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).requires_input_grad_(False)
    x, grad = array((5, 3), dtype="float32"), array((5, 2), seed=1, dtype="float32")
    model(x)
    assert np.isnan(model.backward(grad)).all()
    expected = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    model[0].requires_input_grad_(False)
    model(x)
    assert model.backward(grad) is None
    model.requires_input_grad_()
    model[0].requires_input_grad_()
    found = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    model(x)
    assert np.isfinite(model.backward(grad)).all()
    for one, two, three in zip(expected, found, [one.grad for one in model.parameters()], strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_nobody_can_write_to_what_goes_from_layer_to_layer():
    model = network()
    model(array((5, 3)))
    (y,), (x,) = model[2].record().saved, model[4].record().saved
    assert not y.flags.writeable
    assert not x.flags.writeable


def test_a_frozen_parameter_gets_no_gradient():
    model = network()
    model[1].weight.requires_grad = False
    found, expected = passes(model, (False, False)), passes(network(), (True, True))
    assert model[1].weight.grad is None
    names = ["y", "x", *[name for name, _ in model.named_parameters()]]
    for name, one, other in zip(names, found, expected, strict=False):
        if name != "1.weight":
            np.testing.assert_array_equal(one, other)


def test_a_layer_that_was_told_so_returns_no_gradient():
    model = network()
    model[2].requires_input_grad_(False)
    y = model(array((5, 3)))
    with pytest.raises(TypeError, match=r"BatchNorm1d: .* a layer returns None after"):
        model.backward(array(y.shape, seed=1))


def test_with_retain_graph_a_second_backward_adds_the_same():
    model = network()
    grad = array(model(array((5, 3))).shape, seed=1)
    with scratch.retain_graph():
        first = model.backward(grad)
        once = [parameter.grad.copy() for parameter in model.parameters()]
    np.testing.assert_array_equal(model.backward(grad), first)
    for parameter, before in zip(model.parameters(), once, strict=True):
        np.testing.assert_array_equal(parameter.grad, 2 * before)


def test_without_gradients_nothing_is_kept_and_what_was_kept_stays():
    model, x = network().eval(), array((5, 3))
    grad = array((5, 2), seed=1)
    model(x)
    expected = model.backward(grad)
    model(x)
    with scratch.no_grad():
        model(2 * x)
    np.testing.assert_array_equal(model.backward(grad), expected)


def test_whoever_looks_at_a_layers_passes_sees_them():
    model, seen = network(), []
    for name in ("forward", "backward"):
        method = getattr(model[2], name)
        setattr(model[2], name, lambda value, name=name, method=method: seen.append(name) or method(value))
    passes(model, (False, False))
    assert seen == ["forward", "backward"]


def test_a_class_of_the_users_own_runs_as_it_was_written():
    class Doubling(nn.ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    x = array((5, 3))
    np.testing.assert_array_equal(nn.Sequential(nn.Tanh(), Doubling(), nn.Tanh())(x), np.tanh(2 * np.tanh(x).clip(0)))


def test_a_network_that_reads_constants_leaves_their_gradients_out():
    model = nn.Sequential(nn.Flatten(), nn.Flatten(), nn.Linear(6, 2, dtype=np.float64), nn.Tanh())
    model.requires_input_grad_(False)
    model(array((5, 3, 2)))
    assert np.isnan(model.backward(array((5, 2), seed=1))).all()
    assert np.isfinite(model[2].weight.grad).all()


def test_a_sequential_finds_its_layers_once():
    model = network()
    assert model._layers() is model._layers()
    assert model._steps() is model._steps()
