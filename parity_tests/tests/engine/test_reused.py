"""A module applied several times before backward: right gradients in any allowed order, an error in any other."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.strategies import array, seeds
from scratch import optim


def cell():
    scratch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4, dtype=np.float64), nn.Tanh(), nn.Linear(4, 3, dtype=np.float64), nn.Sigmoid())


def alone(x, g):
    """Return what one application gives, from a cell that is used once."""
    one = cell()
    y = one(x)
    return y, one.backward(g), [parameter.grad for parameter in one.parameters()]


@given(choices=st.lists(st.sampled_from(["forward", "backward", "handle", "no_grad"]), max_size=14), seed=seeds)
def test_drawn_orders_of_forwards_and_backwards_give_the_gradients_of_separate_cells_or_raise(choices, seed):
    reused, waiting, sums = nn.Reused(cell()), [], None
    rng = np.random.default_rng(seed)
    for choice in choices:
        x, g = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
        if choice == "forward":
            y, handle = reused.forward_with_handle(x)
            assert np.array_equal(y, alone(x, g)[0])
            waiting.append((x, handle))
        elif choice == "no_grad":
            with scratch.no_grad():
                reused(x)
        elif not waiting:
            with pytest.raises(RuntimeError, match="no forward left"):
                reused.backward(g)
        else:
            place = -1 if choice == "backward" else rng.integers(len(waiting))
            x, handle = waiting.pop(place)
            grad_x = reused.backward(g) if choice == "backward" else reused.backward(g, forward=handle)
            _, expected, grads = alone(x, g)
            assert np.array_equal(grad_x, expected)
            sums = grads if sums is None else [one + other for one, other in zip(sums, grads, strict=True)]
            for parameter, total in zip(reused.parameters(), sums, strict=True):
                np.testing.assert_allclose(parameter.grad, total, rtol=1e-12, atol=1e-14)


def test_inside_retain_graph_an_application_has_many_backwards():
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    reused(x)
    with scratch.retain_graph():
        first = reused.backward(g)
        np.testing.assert_array_equal(reused.backward(g), first)
    np.testing.assert_array_equal(reused.backward(g), first)
    with pytest.raises(RuntimeError, match="no forward left"):
        reused.backward(g)


def test_inside_retain_graph_each_backward_undoes_another_application():
    """Last one first, and from the last again once each has had a backward; against a second backward in PyTorch."""
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3), torch.nn.Sigmoid())
    theirs.double().load_state_dict({name: torch.from_numpy(values) for name, values in reused.state_dict().items()})
    tensor = torch.from_numpy(x).requires_grad_()
    y = theirs(theirs(theirs(tensor)))
    reused(reused(reused(x)))
    for factor in (1.0, -0.5, 3.0):
        with scratch.retain_graph():
            grad_x = reused.backward(reused.backward(reused.backward(factor * g)))
        tensor.grad = None
        y.backward(torch.from_numpy(factor * g), retain_graph=True)
        np.testing.assert_allclose(grad_x, tensor.grad.numpy(), rtol=1e-12)
    for parameter, its in zip(reused.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, its.grad.numpy(), rtol=1e-11)


def test_what_is_forgotten_makes_room():
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    reused(x)
    reused._forget()
    with pytest.raises(RuntimeError, match="no forward left"):
        reused.backward(g)
    y = reused(x)
    np.testing.assert_array_equal(y, alone(x, g)[0])
    np.testing.assert_array_equal(reused.backward(g), alone(x, g)[1])


class Residual(nn.Module):
    """y = relu(x + fc2(relu(fc1(x)))), with one ReLU object for both places."""

    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width, dtype=np.float64), nn.Linear(width, width, dtype=np.float64)
        self.relu = nn.Reused(nn.ReLU())

    def forward(self, x):
        return self.relu(x + self.fc2(self.relu(self.fc1(x))))

    def backward(self, grad_output):
        grad_sum = self.relu.backward(grad_output)
        return grad_sum + self.fc1.backward(self.relu.backward(self.fc2.backward(grad_sum)))


class Twice(nn.Module):
    """A siamese pair of residual blocks: one block, reused, which itself reuses its ReLU."""

    def __init__(self):
        super().__init__()
        self.block = nn.Reused(Residual(3))

    def forward(self, x):
        return self.block(self.block(x))

    def backward(self, grad_output):
        return self.block.backward(self.block.backward(grad_output))


def test_a_whole_network_that_reuses_a_layer_can_be_reused():
    scratch.manual_seed(0)
    model, x, g = Twice(), array((4, 3)), array((4, 3), seed=1)
    y = model(x)
    grad_x = model.backward(g)
    weights = {name: torch.tensor(p.data, requires_grad=True) for name, p in model.named_parameters()}
    assert sorted(weights) == ["block.fc1.bias", "block.fc1.weight", "block.fc2.bias", "block.fc2.weight"]

    def block(z):
        inner = torch.relu(z @ weights["block.fc1.weight"].T + weights["block.fc1.bias"])
        return torch.relu(z + inner @ weights["block.fc2.weight"].T + weights["block.fc2.bias"])

    tensor = torch.tensor(x, requires_grad=True)
    expected = block(block(tensor))
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(grad_x, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad, weights[name].grad.numpy(), rtol=1e-12, atol=1e-14)


def step(module):
    for parameter in module.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optim.SGD(module.parameters(), 0.1).step()
    module.zero_grad()


@pytest.mark.parametrize("write", [step, lambda module: module.load_state_dict(module.state_dict())])
def test_a_forward_that_got_no_backward_is_reported_once_the_parameters_have_changed(write):
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    reused(x)
    reused(x)  # a target, which was to be a constant
    reused(x)
    reused.backward(g)
    write(nn.Linear(2, 2))
    reused(x)
    reused.backward(g)
    write(reused)
    with scratch.no_grad():
        reused(x)
    with pytest.raises(
        RuntimeError, match=r"^Reused\(Sequential\): 2 earlier forwards have had no backward, .*no_grad"
    ):
        reused(x)
    reused(x)
    reused.backward(g)
    with pytest.raises(RuntimeError, match="no forward left"):
        reused.backward(g)


def test_what_retain_graph_keeps_is_no_forward_without_a_backward():
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    for _ in range(3):
        reused(x)
        with scratch.retain_graph():
            reused.backward(g)
        reused(x)
        reused.backward(g)
        step(reused)
    reused(x)
    reused.backward(g)
    with pytest.raises(RuntimeError, match="no forward left"):
        reused.backward(g)


def test_a_backward_that_is_refused_leaves_its_forward_in_place():
    reused, x, other, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=2), array((2, 3), seed=1)
    reused(x)
    reused(other)
    with pytest.raises(RuntimeError, match="expected grad_output of shape"):
        reused.backward(g[:1])
    assert np.array_equal(reused.backward(g), alone(other, g)[1])
    assert np.array_equal(reused.backward(g), alone(x, g)[1])


class Heads(nn.Module):
    """Two heads; backward undoes one of them."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(3, 3, dtype=np.float64), nn.Linear(3, 3, dtype=np.float64)

    def forward(self, x):
        return self.one(x), self.other(x)

    def backward(self, grad, name):
        return getattr(self, name).backward(grad)


def test_a_part_of_an_application_that_no_backward_undid_is_dropped_with_it():
    reused, x, g = nn.Reused(Heads()), array((2, 3)), array((2, 3), seed=1)
    for name in ("one", "other", "one"):
        reused(x)
        assert np.array_equal(reused.backward(g, name), g @ getattr(reused.module, name).weight.data)


def test_the_handle_of_a_forward_without_grad_undoes_nothing():
    reused, x, g = nn.Reused(cell()), array((2, 3)), array((2, 3), seed=1)
    reused(x)
    with scratch.no_grad():
        _, handle = reused.forward_with_handle(x)
    with pytest.raises(RuntimeError, match=r"Reused\(Sequential\): .* the handle of a forward inside no_grad\(\)"):
        reused.backward(g, forward=handle)
    assert np.array_equal(reused.backward(g), alone(x, g)[1])


def test_keyword_arguments_are_handed_on():
    attention, x = nn.MultiheadAttention(4, 2), array((3, 2, 4), "float32")
    output, weights = nn.Reused(attention)(x, x, x, need_weights=False)
    assert weights is None
    assert output.shape == x.shape


def test_train_forgets_and_copies_start_without_applications():
    reused, x = nn.Reused(nn.ReLU()), np.ones(3)
    reused(x)
    for other in (copy.deepcopy(reused), pickle.loads(pickle.dumps(reused)), reused.train()):
        with pytest.raises(RuntimeError, match=r"Reused\(ReLU\): backward found no forward left"):
            other.backward(x)


def test_a_handle_of_another_module_is_refused():
    one, other, x = nn.Reused(nn.ReLU()), nn.Reused(nn.ReLU()), np.ones(3)
    one(x)
    _, handle = other.forward_with_handle(x)
    with pytest.raises(RuntimeError, match="no forward left"):
        one.backward(x, forward=handle)
    with pytest.raises(TypeError, match="expected a Module"):
        nn.Reused(np.tanh)


def test_state_dicts_are_those_of_the_module_itself():
    inner = cell()
    model = nn.Sequential(nn.Reused(inner))
    assert list(model.state_dict()) == [f"0.{name}" for name in inner.state_dict()]


# The module's attributes and names.


class Decoder(nn.Module):
    """A cell and an output layer that are applied at each step; the output layer's weight is the embedding's."""

    def __init__(self, wrap):
        super().__init__()
        self.emb = nn.Embedding(5, 3)
        self.cell = wrap(nn.GRUCell(3, 3))
        self.out = wrap(nn.Linear(3, 5))
        self.out.weight = self.emb.weight
        self.out.bias = None
        self.block = wrap(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))


def torchs_decoder():
    model = torch.nn.Module()
    model.emb = torch.nn.Embedding(5, 3)
    model.cell, model.out = torch.nn.GRUCell(3, 3), torch.nn.Linear(3, 5)
    model.out.weight = model.emb.weight
    model.out.bias = None
    model.block = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    return model


def twice(module):
    return nn.Reused(nn.Reused(module))


@pytest.mark.parametrize("wrap", [nn.Reused, twice])
def test_all_names_are_those_without_it(wrap):
    ours, theirs = Decoder(wrap), torchs_decoder()
    for method in ("named_parameters", "named_buffers", "named_modules", "named_children", "state_dict"):
        assert list(dict(getattr(ours, method)())) == list(dict(getattr(theirs, method)())), method
    names = [name for name, _ in ours.named_modules()]
    assert len(names) == len(set(names))
    for name, parameter in ours.named_parameters():
        assert ours.get_parameter(name) is parameter
    for name, module in list(ours.named_modules())[1:]:
        assert not isinstance(module, nn.Reused)
        assert dict(module.named_parameters()) == dict(ours.get_submodule(name).named_parameters())
    assert [name for name, _ in ours.block.named_parameters(recurse=False)] == []
    assert [name for name, _ in ours.cell.named_parameters(recurse=False)] == list(nn.GRUCell(3, 3).state_dict())
    # What sets modes and forgets forwards reaches both.
    kinds = [type(module).__name__ for module in ours.modules()]
    assert kinds.count("GRUCell") == 1
    assert kinds.count("Reused") == (3 if wrap is nn.Reused else 6)


@pytest.mark.parametrize("wrap", [nn.Reused, twice])
def test_a_tie_reaches_the_module(wrap):
    model = Decoder(wrap)
    inner = next(module for module in model.modules() if isinstance(module, nn.Linear) and module.out_features == 5)
    assert inner.weight is model.emb.weight is model.out.weight
    assert inner.bias is model.out.bias is None
    model.out.bias = bias = nn.Parameter(np.zeros(5, np.float32))
    assert inner.bias is bias
    assert "out.bias" in dict(model.named_parameters())
    with pytest.raises(TypeError, match="Linear: cannot assign a ndarray as parameter 'weight'"):
        model.out.weight = np.zeros((5, 3))
    del model.out.bias
    assert not hasattr(inner, "bias")
    x = array((2, 3), "float32")
    model.out.bias = None
    np.testing.assert_allclose(model.out(x), x @ model.emb.weight.data.T, rtol=1e-5)


def test_attributes_are_read_set_and_registered_in_the_module():
    cell = nn.Reused(nn.GRUCell(2, 3))
    assert (cell.input_size, cell.hidden_size) == (2, 3)
    assert cell.weight_ih is cell.module.weight_ih
    cell.tag = "decoder"
    assert cell.module.tag == "decoder"
    cell.register_buffer("steps", np.zeros(2), persistent=False)
    cell.register_parameter("scale", nn.Parameter(np.ones(1)))
    cell.add_module("head", nn.Linear(3, 1))
    cell.start = nn.Parameter(np.zeros(3))
    for name in ("steps", "scale", "head", "start"):
        assert getattr(cell.module, name) is getattr(cell, name)
    assert list(dict(cell.named_parameters())) == list(dict(cell.module.named_parameters()))
    assert list(cell.state_dict()) == [*nn.GRUCell(2, 3).state_dict(), "scale", "start", "head.weight", "head.bias"]
    with pytest.raises(AttributeError, match="weights"):
        cell.weights  # noqa: B018
    with pytest.raises(AttributeError, match="weights"):
        del cell.weights
    scratch.manual_seed(0)
    cell.reset_parameters()
    scratch.manual_seed(0)
    np.testing.assert_array_equal(cell.weight_ih.data, nn.GRUCell(2, 3).weight_ih.data)


def test_a_mode_that_is_set_as_an_attribute_is_the_modules():
    dropout, x = nn.Reused(nn.Dropout(0.5)), np.ones(100)
    dropout.training = False
    np.testing.assert_array_equal(dropout(x), x)
    assert dropout.train().module.training
    assert not dropout.eval().module.training


def test_a_sequential_is_indexed_through_it():
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    reused = nn.Reused(network)
    assert reused[0] is network[0]
    assert reused[-1] is network[1]
    assert len(reused) == 2
    assert list(reused) == list(network)
    assert list(reused[1:]) == [network[1]]
    assert not nn.Reused(nn.Sequential())
    assert nn.Reused(nn.ReLU())
    with pytest.raises(TypeError, match="'ReLU' has no len"):
        len(nn.Reused(nn.ReLU()))


def test_copies_have_their_own_module():
    model = Decoder(nn.Reused)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.out.weight is other.emb.weight
        assert other.out.module is not model.out.module
        assert list(other.state_dict()) == list(model.state_dict())


def test_a_tied_unrolled_layer_has_the_gradient_of_both_its_places():
    """A decoder that feeds its embedding's weight into each step, beside autograd."""
    scratch.manual_seed(0)
    emb, out = nn.Embedding(4, 3, dtype=np.float64), nn.Reused(nn.Linear(3, 4, bias=False, dtype=np.float64))
    out.weight = emb.weight
    places, grads = np.array([[0, 2], [2, 3]]), [array((2, 4), seed=seed) for seed in (1, 2)]
    h = emb(places)
    for step in range(2):
        out(h[:, step])
    grad_h = np.zeros_like(h)
    for step in (1, 0):
        grad_h[:, step] = out.backward(grads[step])
    emb.backward(grad_h)
    weight = torch.tensor(emb.weight.data, requires_grad=True)
    hs = weight[torch.tensor(places)]
    sum((hs[:, step] @ weight.T * torch.tensor(grads[step])).sum() for step in range(2)).backward()
    np.testing.assert_allclose(emb.weight.grad, weight.grad.numpy(), rtol=1e-12, atol=1e-14)
