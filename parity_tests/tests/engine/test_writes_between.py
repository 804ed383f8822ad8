"""An optimizer step or load_state_dict between a forward and its backward never silently gives a wrong gradient.

GAN code can do it by mistake: the generator's loss goes through the discriminator, whose optimizer steps before the
generator's backward. PyTorch notices through the version counters of its tensors.
"""

import copy
import pickle

import numpy as np
import pytest
import torch

import scratch
from parity_tests.catalogue import of_kind
from parity_tests.harness.arrays import array
from parity_tests.harness.outputs import upstream_for
from scratch import nn, optim
from scratch.nn.parameter import Parameter, writes

ENTRIES = [entry for entry in of_kind("layer") if list(entry.case("float64", 0).layer.parameters())]
WRITTEN = "was written to by an optimizer's step"


def step(module):
    """Change every parameter, and leave no gradient."""
    parameters = list(module.parameters())
    for number, parameter in enumerate(parameters):
        parameter.grad = array(parameter.shape, parameter.dtype.name, seed=number)
    if parameters:
        optim.SGD(parameters, lr=0.5).step()
    module.zero_grad()


def load(module):
    module.load_state_dict({key: value + 0.5 for key, value in module.state_dict().items()})


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
@pytest.mark.parametrize("write", [step, load])
def test_gradients_are_those_of_the_forward_or_there_is_an_error(entry, plain, write):
    with scratch.plain(plain), np.errstate(all="ignore"):
        for seed in range(4):
            case = entry.case("float64", seed, batch=3)
            found, refusal = [], None
            for writes in (False, True):
                layer = copy.deepcopy(case.layer)
                scratch.manual_seed(0)
                returned = layer(*case.inputs)
                if writes:
                    write(layer)
                try:
                    grads = layer.backward(*upstream_for(returned, np.random.default_rng(0)))
                except RuntimeError as error:
                    refusal = str(error)
                    break
                grads = grads if isinstance(grads, tuple) else (grads,)
                found.append([*grads, *[parameter.grad for parameter in layer.parameters()]])
            if refusal:
                assert len(found) == 1
                assert WRITTEN in refusal
                continue
            for one, other in zip(*found, strict=True):
                np.testing.assert_array_equal(one, other)


def small_network():
    convolved = nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*convolved, nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize("write", [step, load])
def test_a_network_raises_as_pytorchs_does(write):
    x, grad = array((3, 1, 6, 6), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    model = small_network()
    model(x)
    write(model)
    with pytest.raises(RuntimeError, match=rf"Linear: weight {WRITTEN}.* take the step after the backward"):
        model.backward(grad)
    theirs = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Linear(4, 2))
    y = theirs(torch.ones(3, 8))
    with torch.no_grad():
        theirs[1].weight -= 0.5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward(torch.from_numpy(array((3, 2), "float32", seed=1)))


@pytest.mark.parametrize("place", [0, 4, 5])
def test_a_network_names_the_layer_whose_parameter_was_written_to(place):
    model = small_network()
    model(array((3, 1, 6, 6), dtype="float32"))
    step(model[place])
    with pytest.raises(RuntimeError, match=rf"weight {WRITTEN}"):
        model.backward(array((3, 2), seed=1, dtype="float32"))


def test_what_backward_does_not_read_may_be_written_to():
    x, grad = array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    layer, other = nn.Linear(4, 2), nn.Linear(4, 2)
    layer(x)
    expected = layer.backward(grad)
    layer.zero_grad()
    layer(x)
    step(other)
    layer.bias.grad = np.ones(2, np.float32)
    optim.SGD([layer.bias], lr=0.5).step()
    np.testing.assert_array_equal(layer.backward(grad), expected)
    layer.requires_input_grad_(False)  # then the weight is not read, as in PyTorch
    layer(x)
    step(layer)
    layer.backward(grad)
    np.testing.assert_allclose(layer.weight.grad, grad.T @ x, rtol=1e-5)


def test_a_step_with_one_parameter_of_several_counts():
    cell, grad = nn.LSTMCell(3, 2), array((5, 2), dtype="float32", seed=1)
    cell(array((5, 3), dtype="float32"))
    cell.weight_hh.grad = np.ones((8, 2), np.float32)
    optim.SGD([cell.weight_hh], lr=0.5).step()
    with pytest.raises(RuntimeError, match=f"weight_hh {WRITTEN}"):
        cell.backward(grad, grad)


def test_two_models_that_take_turns_do_not_disturb_each_other():
    one, other = nn.Linear(4, 2), nn.Linear(4, 2)
    x, grad = array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    step(one)
    one(x)
    step(other)  # the step before the forward is the latest of this model's own
    np.testing.assert_allclose(one.backward(grad), grad @ one.weight.data, rtol=1e-5)


def test_a_step_after_the_backward_or_before_the_forward_is_none_between():
    layer, x, grad = nn.Linear(4, 2), array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    for _ in range(2):
        step(layer)
        layer(x)
        layer.backward(grad)


def test_after_the_refusal_a_forward_and_its_backward_work():
    layer, x, grad = nn.Linear(4, 2), array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    layer(x)
    step(layer)
    with pytest.raises(RuntimeError, match=WRITTEN):
        layer.backward(grad)
    layer(x)
    np.testing.assert_allclose(layer.backward(grad), grad @ layer.weight.data, rtol=1e-5)


def test_a_second_backward_of_a_kept_forward_counts_too():
    layer, x, grad = nn.Linear(4, 2), array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    layer(x)
    with scratch.retain_graph():
        layer.backward(grad)
    step(layer)
    with pytest.raises(RuntimeError, match=WRITTEN):
        layer.backward(grad)


def test_each_write_has_a_number_and_a_new_parameter_has_none():
    one, other = Parameter(np.zeros(2)), pickle.loads(pickle.dumps(Parameter(np.zeros(2))))
    assert one.written == other.written == 0
    before = writes.count
    for number in (1, 2):
        writes.note([one])
        assert writes.count == one.written == before + number
    assert other.written == 0
    assert pickle.loads(pickle.dumps(one)).written == 0


def test_a_parameter_replaced_between_is_not_written_to():
    layer, x, grad = nn.Linear(4, 2), array((3, 4), dtype="float32"), array((3, 2), seed=1, dtype="float32")
    layer(x)
    before = layer.weight.data
    layer.weight.data = before + 1  # another array: backward has that of its forward
    np.testing.assert_allclose(layer.backward(grad), grad @ before, rtol=1e-5)
