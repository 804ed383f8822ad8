"""What a module registers, and in which order: whatever is assigned, registered and deleted, the names are torch's."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.catalogue import of_kind
from parity_tests.harness.refusals import refuses_as_torch
from scratch import nn

LIBRARIES = nn, torch.nn
ZEROS = {nn: lambda *shape: np.zeros(shape), torch.nn: lambda *shape: torch.zeros(shape)}


def value(library, kind, number):
    """Return a value of a kind, which is recognized by its size."""
    if kind == "parameter":
        return library.Parameter(ZEROS[library](number))
    if kind == "module":
        return library.Linear(number, 1, bias=False)
    if kind == "network":
        return library.Sequential(library.Linear(number, 1), library.BatchNorm1d(1))
    return {"array": ZEROS[library](number), "number": number, "nothing": None}[kind]


names = st.sampled_from(["a", "b", "c", "d"])
kinds = st.sampled_from(["parameter", "module", "network", "array", "number", "nothing"])
deeds = st.one_of(
    *[st.tuples(st.just("set"), names, kinds)] * 4,
    st.tuples(st.sampled_from(["parameter", "module"]), names, kinds),
    st.tuples(st.sampled_from(["buffer", "passing buffer"]), names, kinds.filter(lambda kind: kind != "parameter")),
    st.tuples(st.just("delete"), names, st.none()),
)


def do(module, library, deed, name, kind, number):
    """Do one thing to a module; return the error's class, if there is one."""
    new = value(library, kind, number) if kind else None
    try:
        if deed == "set":
            setattr(module, name, new)
        elif deed == "delete":
            delattr(module, name)
        elif deed == "parameter":
            module.register_parameter(name, new)
        elif deed == "module":
            module.add_module(name, new)
        else:
            module.register_buffer(name, new, persistent=deed == "buffer")
    except (AttributeError, KeyError, TypeError) as error:
        return type(error)
    return None


def held(module):
    """Return everything that a module tells of what it holds, with sizes."""
    return (
        [(name, tuple(one.shape)) for name, one in module.named_parameters()],
        [(name, tuple(one.shape)) for name, one in module.named_parameters(prefix="p", recurse=False)],
        [(name, tuple(one.shape)) for name, one in module.named_buffers()],
        [(name, tuple(one.shape)) for name, one in module.named_buffers(prefix="b", recurse=False)],
        [(name, type(one).__name__) for name, one in module.named_children()],
        [(name, type(one).__name__) for name, one in module.named_modules()],
        [type(one).__name__ for one in module.modules()],
        [tuple(one.shape) for one in module.parameters(recurse=False)],
        [tuple(one.shape) for one in module.buffers(recurse=False)],
        [(name, tuple(one.shape)) for name, one in module.state_dict().items()],
    )


@given(done=st.lists(deeds, max_size=14))
def test_whatever_is_assigned_registered_and_deleted_the_names_are_torchs(done):
    ours, theirs = nn.Module(), torch.nn.Module()
    for number, (deed, name, kind) in enumerate(done, 1):
        errors = [do(one, library, deed, name, kind, number) for one, library in zip((ours, theirs), LIBRARIES)]  # noqa: B905
        assert errors[0] is errors[1], (deed, name, kind)
        assert held(ours) == held(theirs), (deed, name, kind)
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert held(copied) == held(theirs)


@given(shared=st.lists(st.tuples(names, st.sampled_from(["parameter", "module", "buffer"])), max_size=6))
def test_what_has_several_names_is_yielded_where_torch_yields_it(shared):
    ours, theirs = nn.Module(), torch.nn.Module()
    for module, library in ((ours, nn), (theirs, torch.nn)):
        module.inner, values = library.Module(), {kind: value(library, kind, 2) for kind in ("parameter", "module")}
        values["buffer"] = ZEROS[library](3)
        for number, (name, kind) in enumerate(shared):
            holder = module.inner if number % 2 else module
            if kind == "buffer":
                holder.register_buffer(f"{name}_{kind}", values[kind])
            else:
                setattr(holder, f"{name}_{kind}", values[kind])
    assert held(ours) == held(theirs)


def test_an_attribute_that_was_none_comes_where_its_module_came():
    """ResNet's shortcut: its optimizer state must not go to another parameter."""
    for library in LIBRARIES:
        block = library.Module()
        block.shortcut = None
        block.conv = library.Linear(1, 1, bias=False)
        block.shortcut = library.Linear(1, 1, bias=False)
        assert [name for name, _ in block.named_parameters()] == ["conv.weight", "shortcut.weight"]


@pytest.mark.parametrize("entry", of_kind("layer", "loss"), ids=lambda entry: entry.name)
def test_a_layer_registers_what_torchs_registers_even_what_is_absent(entry):
    for seed in range(8):
        case = entry.case("float64", seed)
        if not isinstance(case.reference, torch.nn.Module):
            continue
        ours, theirs = case.layer, case.reference
        registered = [name for name, one in theirs._parameters.items() if one is not None or hasattr(ours, name)]
        assert list(ours._parameter_names) == registered
        assert list(ours._buffer_names) == list(theirs._buffers)


def test_a_parameter_that_a_layer_does_without_has_its_place_and_takes_nothing_else():
    ours, theirs = (library.LayerNorm(2, elementwise_affine=False) for library in LIBRARIES)
    for wrong in (3.0, "array", "module"):
        refuses_as_torch(
            lambda: setattr(ours, "bias", value(nn, wrong, 2) if isinstance(wrong, str) else wrong),  # noqa: B023
            lambda: setattr(theirs, "bias", value(torch.nn, wrong, 2) if isinstance(wrong, str) else wrong),  # noqa: B023
        )
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        layer.bias, layer.weight = value(library, "parameter", 2), value(library, "parameter", 2)
        assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


# Buffers.


@pytest.mark.parametrize("name", ["a.b", "", "training", "weight", "forward", "plain", 3, None])
@pytest.mark.parametrize("kind", ["buffer", "parameter", "module"])
def test_a_name_that_is_taken_or_no_name_is_refused_as_torch_refuses_it(name, kind):
    def build(library):
        module = library.Linear(2, 3)
        module.plain = None
        if kind == "buffer":
            module.register_buffer(name, ZEROS[library](2))
        elif kind == "parameter" and name != "weight":
            module.register_parameter(name, value(library, "parameter", 2))
        else:
            module.add_module(name, value(library, "module", 2))

    refuses_as_torch(lambda: build(nn), lambda: build(torch.nn))


@pytest.mark.parametrize("wrong", [0.5, 3, [1.0], "ab", nn.Linear(1, 1)], ids=repr)
def test_what_is_no_array_is_no_buffer(wrong):
    module = nn.Module()
    with pytest.raises(TypeError, match=r"Module: expected buffer 't' to be a numpy.ndarray or None, got a \w+$"):
        module.register_buffer("t", wrong)
    assert not hasattr(module, "t")
    assert list(module._buffer_names) == []
    with pytest.raises(TypeError):
        torch.nn.Module().register_buffer("t", wrong if not isinstance(wrong, nn.Module) else torch.nn.ReLU())
    module.register_buffer("t", np.zeros(2))
    if not isinstance(wrong, nn.Module):
        with pytest.raises(TypeError, match=r"Module: expected buffer 't' to be a numpy\.ndarray or None, got a"):
            module.t = wrong


def test_a_buffer_without_axes_stays_an_array():
    """NumPy's arithmetic makes numbers of such arrays."""
    module, twin = nn.Module(), torch.nn.Module()
    module.register_buffer("mean", np.float32(2.0))
    twin.register_buffer("mean", torch.tensor(2.0))
    for _ in range(2):
        assert type(module.mean) is np.ndarray
        module.mean = 0.5 * module.mean + 3
        twin.mean = 0.5 * twin.mean + 3
    assert module.mean.dtype == np.float32
    assert float(module.mean) == float(twin.mean)
    module.mean.fill(7)
    assert float(module.state_dict()["mean"]) == 7.0
    assert module.double().mean.dtype == np.float64


def test_a_buffer_that_does_not_persist_is_in_no_state_and_converted():
    ours, theirs = nn.Module(), torch.nn.Module()
    for module, library in ((ours, nn), (theirs, torch.nn)):
        module.register_buffer("mask", ZEROS[library](2, 2), persistent=False)
        module.register_buffer("scale", ZEROS[library](1))
        module.mask = ZEROS[library](3)
    assert held(ours) == held(theirs)
    assert list(ours.state_dict()) == ["scale"]
    assert ours.float().mask.dtype == np.float32
    refuses_as_torch(
        lambda: ours.load_state_dict({"scale": np.ones(1), "mask": np.ones(3)}),
        lambda: theirs.load_state_dict({"scale": torch.ones(1), "mask": torch.ones(3)}),
    )
    for module, library in ((ours, nn), (theirs, torch.nn)):
        module.register_buffer("mask", ZEROS[library](3))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["mask", "scale"]


# Assignments that PyTorch refuses.


def test_only_what_may_stand_at_a_registered_name_is_taken():
    for build in (lambda library: library.Linear(2, 3), lambda library: library.Sequential(library.Linear(2, 3))):
        ours, theirs = build(nn), build(torch.nn)
        name = "weight" if isinstance(ours, nn.Linear) else "0"
        for wrong in (3, "ab", len):
            refuses_as_torch(lambda: setattr(ours, name, wrong), lambda: setattr(theirs, name, wrong))  # noqa: B023
    with pytest.raises(TypeError, match=r"Sequential: cannot assign a int as module '0', expected a Module or None$"):
        nn.Sequential(nn.ReLU()).__setattr__("0", 3)
    with pytest.raises(TypeError, match="Linear: cannot assign a ReLU as parameter 'weight', expected a Parameter or"):
        nn.Linear(2, 2).weight = nn.ReLU()


@pytest.mark.parametrize("way", ["attribute", "call"])
@pytest.mark.parametrize("kind", ["parameter", "module", "buffer"])
def test_nothing_is_registered_before_the_constructor_of_module_has_run(kind, way):
    def early(library):
        class Early(library.Module):
            def __init__(self):
                self.number = 3
                if kind == "buffer":
                    self.register_buffer("held", ZEROS[library](2))
                elif way == "attribute":
                    self.held = value(library, kind, 1)
                else:
                    register = self.register_parameter if kind == "parameter" else self.add_module
                    register("held", value(library, kind, 1))

        return Early

    with pytest.raises(AttributeError, match=r"Early: cannot assign \w+ 'held' before Module.__init__\(\) was called"):
        early(nn)()
    with pytest.raises(AttributeError):
        early(torch.nn)()


def test_a_shallow_copy_registers_for_itself():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    module.register_buffer("mask", np.ones(2))
    before = held(module)
    other = copy.copy(module)
    del other[0], other.mask
    other.weight = nn.Parameter(np.ones(3))
    assert held(module) == before
    assert list(other.state_dict()) == ["weight"]


def test_an_attribute_with_a_setter_is_set_through_it():
    for library in LIBRARIES:

        class Temperature(library.Module):
            @property
            def celsius(self):
                return self.kelvin - 273

            @celsius.setter
            def celsius(self, number):
                self.kelvin = number + 273

        module = Temperature()
        module.celsius = 27
        assert (module.kelvin, module.celsius) == (300, 27)
