"""A Sequential is changed as torch's is: the same calls leave the same layers under the same names."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array
from scratch import nn

LIBRARIES = nn, torch.nn


def layer(library, number):
    """Return a layer that is recognized by its number of inputs."""
    return library.Linear(number, 1)


indices = st.integers(-5, 5)
deeds = st.one_of(
    st.tuples(st.just("append"), st.none()),
    st.tuples(st.just("extend"), st.integers(0, 3)),
    st.tuples(st.just("+"), st.integers(0, 2)),
    st.tuples(st.just("+="), st.integers(0, 2)),
    st.tuples(st.just("set"), indices),
    st.tuples(st.just("insert"), indices),
    st.tuples(st.just("delete"), indices),
    st.tuples(st.just("delete"), st.slices(4)),
    st.tuples(st.just("set by name"), st.sampled_from(["0", "2", "fc", "head"])),
    st.tuples(st.just("delete by name"), st.sampled_from(["0", "1", "fc"])),
)


def do(model, library, deed, how, number):
    """Do one thing to a Sequential; return it, or another one, and the error's class if there is one."""
    try:
        if deed == "append":
            assert model.append(layer(library, number)) is model
        elif deed == "extend":
            assert model.extend(layer(library, number + one) for one in range(how)) is model
        elif deed == "+":
            model = model + library.Sequential(*[layer(library, number + one) for one in range(how)])
        elif deed == "+=":
            before = model
            model += library.Sequential(*[layer(library, number + one) for one in range(how)])
            assert model is before
        elif deed == "set":
            model[how] = layer(library, number)
        elif deed == "insert":
            assert model.insert(how, layer(library, number)) is model
        elif deed == "delete":
            del model[how]
        elif deed == "set by name":
            setattr(model, how, layer(library, number))
        else:
            delattr(model, how)
    except (IndexError, KeyError, AttributeError) as error:
        return model, type(error)
    return model, None


def told(model):
    """Return the layers, their names and those of the parameters."""
    return (
        [(name, one.in_features) for name, one in model.named_children()],
        [one.in_features for one in model],
        [name for name, _ in model.named_parameters()],
        list(model.state_dict()),
        len(model),
    )


@given(
    names=st.lists(st.sampled_from(["fc", "0", "1", "b"]), max_size=3, unique=True), done=st.lists(deeds, max_size=8)
)
def test_whatever_is_done_to_a_sequential_leaves_what_it_leaves_in_torch(names, done):
    ours, theirs = (
        library.Sequential(OrderedDict((name, layer(library, 1 + place)) for place, name in enumerate(names)))
        for library in LIBRARIES
    )
    for number, (deed, how) in enumerate(done):
        before = told(ours)
        ours, error = do(ours, nn, deed, how, 10 * number + 10)
        if deed == "insert" and error is KeyError:
            assert told(ours) == before  # PyTorch may have changed some names before it fails
            return
        theirs, torchs = do(theirs, torch.nn, deed, how, 10 * number + 10)
        assert error is torchs
        assert told(ours) == told(theirs)


@pytest.mark.parametrize(
    "change",
    [
        lambda m, new: m.append(new),
        lambda m, new: m.insert(1, new),
        lambda m, new: m.insert(-1, new),
        lambda m, new: m.__setitem__(1, new),
        lambda m, new: m.extend([new, new.__class__()]),
        lambda m, new: m.__delitem__(1),
        lambda m, new: m.__delitem__(slice(1, None)),
    ],
)
def test_a_changed_sequential_runs_its_layers_forward_and_backward(change):
    """The layers' order is kept from call to call; a change has to renew it."""
    ours, theirs = (
        library.Sequential(library.Linear(3, 3), library.Tanh(), library.Sigmoid()) for library in LIBRARIES
    )
    ours.double(), theirs.double()
    x, g = array((4, 3)), array((4, 3), seed=1)
    ours(x)
    ours.backward(g)
    ours.zero_grad()
    for model, library in ((ours, nn), (theirs, torch.nn)):
        change(model, library.Softplus())
    theirs.load_state_dict({name: torch.tensor(values) for name, values in ours.state_dict().items()})
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(ours(x), expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.backward(g), tensor.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours[0].weight.grad, theirs[0].weight.grad.numpy(), rtol=1e-12)


def test_what_cannot_be_added_is_refused_and_nothing_is_changed():
    for call in (
        lambda m: m.append(3),
        lambda m: m.append(None),
        lambda m: m.extend([nn.ReLU(), 3]),
        lambda m: m.__setitem__(0, np.tanh),
        lambda m: m.insert(0, nn.ReLU),
    ):
        model = nn.Sequential(nn.Linear(2, 2))
        with pytest.raises(TypeError, match=r"^Sequential: expected layer '\d' to be a Module, got \w+"):
            call(model)
        assert [type(one) for one in model] == [nn.Linear]
    for other in ([nn.ReLU()], nn.ReLU(), nn.ModuleList([nn.ReLU()])):
        ours, theirs = nn.Sequential(nn.ReLU()), torch.nn.Sequential(torch.nn.ReLU())
        refuses_as_torch(lambda: ours + other, lambda: theirs + [torch.nn.ReLU()])  # noqa: B023, RUF005
        refuses_as_torch(lambda: ours.__iadd__(other), lambda: theirs.__iadd__([torch.nn.ReLU()]))  # noqa: B023
    for index in (1.0, "0", None):
        refuses_as_torch(lambda: ours.__setitem__(index, nn.ReLU()), lambda: theirs.__setitem__(index, torch.nn.ReLU()))  # noqa: B023
    with pytest.raises(IndexError, match="Sequential: expected an index within the 1 layers, got 2"):
        nn.Sequential(nn.ReLU()).insert(2, nn.ReLU())


def test_layers_that_a_program_named_are_not_renamed_by_an_insertion():
    model = nn.Sequential(OrderedDict(body=nn.Linear(2, 2), head=nn.Linear(2, 2)))
    with pytest.raises(
        KeyError, match="Sequential: expected to insert before layers named by their numbers, got 'body'"
    ):
        model.insert(0, nn.ReLU())
    assert [name for name, _ in model.insert(2, nn.ReLU()).named_children()] == ["body", "head", "2"]


def test_a_layer_that_is_none_is_refused_where_it_would_run():
    model = nn.Sequential(OrderedDict(body=nn.Linear(2, 2), head=nn.Linear(2, 2)))
    model.head = None
    with pytest.raises(TypeError, match="Sequential: expected layer 'head' to be a Module, got NoneType"):
        model(np.zeros((1, 2), np.float32))
    model.head = nn.Identity()
    assert model(np.zeros((1, 2), np.float32)).shape == (1, 2)


def test_an_object_in_two_places_is_there_twice():
    lengths = []
    for library in LIBRARIES:
        relu = library.ReLU()
        model = library.Sequential(relu, library.Linear(2, 2), relu)
        lengths.append((len(model), len(list(model.named_children())), len(model[1:]), repr(model).count("ReLU")))
    assert lengths[0] == lengths[1] == (3, 2, 2, 2)
