"""ModuleList, ParameterList and ModuleDict do what PyTorch's do: the same calls, the same entries and names."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torch_ref
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array
from scratch import nn

LIBRARIES = nn, torch.nn


def layer(library, number):
    """Return a layer that is recognized by its number of outputs."""
    return library.Linear(2, number)


def numbers(modules):
    """Return the numbers that the layers were made with."""
    return [module.out_features for module in modules]


def same_names(ours, theirs):
    """Compare the state dicts' keys and shapes, the parameters' names, and the entries."""
    shapes = [{key: tuple(values.shape) for key, values in one.state_dict().items()} for one in (ours, theirs)]
    assert list(shapes[0].items()) == list(shapes[1].items())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert len(ours) == len(theirs)


# What is done to a list: the name of an operation, and its index, slice or count.
indices = st.integers(-5, 5)
deeds = st.one_of(
    st.tuples(st.just("append"), st.none()),
    st.tuples(st.just("extend"), st.integers(0, 3)),
    st.tuples(st.just("+="), st.integers(0, 2)),
    st.tuples(st.just("set"), indices),
    st.tuples(st.just("insert"), indices),
    st.tuples(st.just("pop"), indices),
    st.tuples(st.just("delete"), indices),
    st.tuples(st.just("delete slice"), st.slices(4)),
    st.tuples(st.just("pop slice"), st.slices(4)),
)


def do(modules, deed, how, new):
    """Do one thing to a list of modules; ``new`` makes a layer."""
    if deed == "append":
        assert modules.append(new()) is modules
    elif deed == "extend":
        assert modules.extend([new() for _ in range(how)]) is modules
    elif deed == "+=":
        modules += tuple(new() for _ in range(how))
    elif deed == "set":
        modules[how] = new()
    elif deed == "insert":
        modules.insert(how, new())
    elif deed == "pop":
        return numbers([modules.pop(how)])
    elif deed == "delete" or deed == "delete slice":
        del modules[how]
    elif deed == "pop slice":
        return numbers(modules.pop(how))
    return None


@given(start=st.integers(0, 3), done=st.lists(deeds, max_size=8))
def test_whatever_is_done_to_a_list_leaves_what_it_leaves_in_torch(start, done):
    counters = [iter(range(1, 100)) for _ in LIBRARIES]
    makers = [lambda library=library, count=count: layer(library, next(count)) for library, count in
              zip(LIBRARIES, counters, strict=True)]  # fmt: skip
    lists = [
        library.ModuleList([make() for _ in range(start)]) for library, make in zip(LIBRARIES, makers, strict=True)
    ]
    for deed, how in done:
        if deed == "insert" and not 0 <= how <= len(lists[0]):
            how = max(0, min(how, len(lists[0])))  # PyTorch's goes wrong where a list's insert does not
        results = []
        for modules, make in zip(lists, makers, strict=True):
            try:
                results.append(do(modules, deed, how, make))
            except IndexError:
                results.append("IndexError")
        assert results[0] == results[1]
        assert numbers(lists[0]) == numbers(lists[1])
        same_names(*lists)


def test_a_list_is_read_as_torchs_is():
    ours, theirs = (library.ModuleList(layer(library, number) for number in (1, 2, 3, 4)) for library in LIBRARIES)
    for index in (0, 3, -1, -4, np.int64(2)):
        assert ours[index].out_features == theirs[index].out_features
    for part in (slice(1, 3), slice(None, None, -1), slice(-2, None), slice(9, None)):
        assert numbers(ours[part]) == numbers(theirs[part])
        assert type(ours[part]) is nn.ModuleList
        same_names(ours[part], theirs[part])
    assert ours[1:][0] is ours[1]
    more, torchs_more = iter([layer(nn, 7)]), iter([layer(torch.nn, 7)])
    assert numbers(ours + more) == numbers(theirs + torchs_more)
    assert len(ours) == 4
    assert ours[2] in ours
    assert numbers(reversed(ours)) == [4, 3, 2, 1]
    for index in (4, -5):
        refuses_as_torch(lambda: ours[index], lambda: theirs[index])  # noqa: B023
    for index in ("0", 1.0, None):
        refuses_as_torch(lambda: ours[index], lambda: theirs[index])  # noqa: B023
    with pytest.raises(IndexError, match="ModuleList: expected an index within the 4 entries, got 4"):
        ours[4]


def test_what_is_no_module_is_refused_and_nothing_is_added():
    for wrong in ([layer(nn, 1), 3], [layer(nn, 1), nn.ReLU], [np.zeros(2)], ["ReLU"]):
        modules = nn.ModuleList([nn.ReLU()])
        with pytest.raises(TypeError, match="ModuleList: expected each entry to be a Module, got"):
            modules.extend(wrong)
        assert len(modules) == 1
    for wrong in (nn.ReLU(), 3, None, "ab"):
        with pytest.raises(TypeError, match="ModuleList: expected an iterable, got a"):
            nn.ModuleList().extend(wrong)
    for call in (lambda m: m.append(3), lambda m: m.insert(0, 3), lambda m: m.__setitem__(0, np.ones(1))):
        with pytest.raises(TypeError, match="ModuleList: expected each entry to be a Module, got"):
            call(nn.ModuleList([nn.ReLU()]))
    with pytest.raises(NotImplementedError, match="ModuleList: forward is not defined"):
        nn.ModuleList()(np.zeros(2))


class Model(nn.Module):
    """A model that holds one of each."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.ModuleList([nn.Dropout(0.5)])])
        self.heads = nn.ModuleDict({"b": nn.Linear(2, 1), "a": nn.BatchNorm1d(3)})
        self.scales = nn.ParameterList([np.ones(2, np.float32)])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
def test_what_stands_in_a_container_is_found_by_everything(copied):
    model = copied(Model())
    assert [name for name, _ in model.named_parameters()] == [
        *("layers.0.weight", "layers.0.bias", "heads.b.weight", "heads.b.bias", "heads.a.weight", "heads.a.bias"),
        "scales.0",
    ]
    assert not any(module.training for module in model.eval().modules())
    assert {values.dtype for values in model.double().state_dict().values()} == {np.dtype(float), np.dtype(np.int64)}
    model.requires_grad_(False)
    assert not model.scales[0].requires_grad
    seen = []
    model.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Dropout", "ModuleList", "ModuleList", "Linear", "BatchNorm1d", "ModuleDict",
                    "ParameterList", "Model"]  # fmt: skip


def test_a_state_dict_is_loaded_into_torchs():
    ours = nn.ModuleDict({"b": nn.ModuleList([layer(nn, 3)]), "a": nn.ParameterList([array((3,)), array((2, 1))])})
    new = torch_ref.nn
    theirs = new.ModuleDict(
        {"b": new.ModuleList([layer(new, 3)]), "a": new.ParameterList([torch.zeros(3), torch.zeros(2, 1)])}
    )
    theirs.load_state_dict({key: torch.tensor(values) for key, values in ours.state_dict().items()})
    same_names(ours, theirs)


# ParameterList.


def test_a_list_of_parameters_is_torchs():
    ours, theirs = nn.ParameterList([array((2,))]), torch.nn.ParameterList([torch.zeros(2)])
    for values, tensor, new in (
        (array((3, 1)), torch.zeros(3, 1), nn.Parameter(array((4,)))),
        (nn.Parameter(array((5,))), torch.nn.Parameter(torch.zeros(5)), nn.Parameter(array((6,)))),
    ):
        assert ours.append(values) is ours
        theirs.append(tensor)
        same_names(ours, theirs)
        ours += [new]
        theirs += [torch.nn.Parameter(torch.tensor(new.data))]
        same_names(ours, theirs)
    ours[1], theirs[1] = array((7,)), torch.zeros(7)
    ours[-1], theirs[-1] = array((8,)), torch.zeros(8)
    same_names(ours, theirs)
    assert all(isinstance(one, nn.Parameter) for one in ours)
    assert [one.shape for one in ours[1:3]] == [tuple(one.shape) for one in theirs[1:3]]
    assert ours[1:][0] is ours[1]
    assert type(ours[:2]) is nn.ParameterList
    for index in (5, -6):
        refuses_as_torch(lambda: ours[index], lambda: theirs[index])  # noqa: B023
    values = array((2, 2))
    assert nn.ParameterList([values])[0].data is values
    assert repr(nn.ParameterList([values, array((3,))])) == "ParameterList((2, 2), (3,))"


@pytest.mark.parametrize("wrong", [3, None, "ab", nn.ReLU(), [1.0, 2.0]], ids=str)
def test_what_is_no_parameter_is_refused(wrong):
    with pytest.raises(TypeError, match="ParameterList: expected each entry to be a Parameter, got"):
        nn.ParameterList([array((2,)), wrong])
    with pytest.raises(TypeError, match="ParameterList: expected an iterable, got a ndarray"):
        nn.ParameterList(array((2,)))


# ModuleDict.

keys = st.sampled_from(["a", "b", "conv1", "0", "z"])
dict_deeds = st.one_of(
    st.tuples(st.just("set"), keys),
    st.tuples(st.just("pop"), keys),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("update"), st.lists(keys, max_size=3, unique=True)),
    st.tuples(st.just("clear"), st.none()),
)


@given(done=st.lists(dict_deeds, max_size=8), form=st.sampled_from([dict, OrderedDict, list, "ModuleDict"]))
def test_whatever_is_done_to_a_dictionary_leaves_what_it_leaves_in_torch(done, form):
    dictionaries = [library.ModuleDict() for library in LIBRARIES]
    for number, (deed, key) in enumerate(done, 1):
        results = []
        for library, modules in zip(LIBRARIES, dictionaries, strict=True):
            result = None
            try:
                if deed == "set":
                    modules[key] = layer(library, number)
                elif deed == "pop":
                    result = modules.pop(key).out_features
                elif deed == "delete":
                    del modules[key]
                elif deed == "clear":
                    modules.clear()
                else:
                    pairs = [(one, layer(library, number + place)) for place, one in enumerate(key)]
                    modules.update((library.ModuleDict if form == "ModuleDict" else form)(pairs))
            except KeyError:
                result = "KeyError"
            results.append(result)
        ours, theirs = dictionaries
        assert results[0] == results[1]
        assert list(ours) == list(ours.keys()) == list(theirs.keys())
        assert numbers(ours.values()) == numbers(theirs.values())
        assert [(name, one.out_features) for name, one in ours.items()] == [
            (name, one.out_features) for name, one in theirs.items()
        ]
        assert [one in ours for one in ("a", "0", "q")] == [one in theirs for one in ("a", "0", "q")]
        same_names(ours, theirs)


def test_a_key_that_is_there_keeps_its_place_and_pop_returns_its_module():
    modules = nn.ModuleDict({"a": layer(nn, 1), "b": layer(nn, 2)})
    modules["a"] = other = layer(nn, 3)
    assert list(modules) == ["a", "b"]
    assert modules["a"] is other
    assert modules.pop("a") is other
    assert numbers(modules.values()) == [2]


@pytest.mark.parametrize("key", ["", "a.b", "training", "pop", "forward", 3, None])
def test_a_key_that_torch_refuses_is_refused(key):
    refuses_as_torch(lambda: nn.ModuleDict({key: nn.ReLU()}), lambda: torch.nn.ModuleDict({key: torch.nn.ReLU()}))


def test_the_names_of_methods_that_only_this_engine_has_are_keys_as_in_torch():
    names = set(dir(nn.ModuleDict())) - set(dir(torch.nn.ModuleDict())) - {"needs_input_grad"}
    keys = [*sorted(name for name in names if not name.startswith("_")), "forget", "take_kept", "put_kept"]
    for library in LIBRARIES:
        modules = library.ModuleDict({key: layer(library, number) for number, key in enumerate(keys, 1)})
        assert list(modules.train().eval()) == keys
        assert [modules[key].out_features for key in keys] == list(range(1, len(keys) + 1))
    with pytest.raises(KeyError, match="needs_input_grad"):
        nn.ModuleDict({"needs_input_grad": nn.ReLU()})


def test_what_is_no_dictionary_of_modules_is_refused():
    for modules, error, message in (
        (3, TypeError, "expected a mapping or pairs, got a int"),
        ([3], TypeError, "expected entry 0 to be a pair, got a int"),
        ([("a", nn.ReLU()), ("b",)], ValueError, "expected entry 1 to be a pair, got 1 values"),
        ({"a": 3}, TypeError, "expected 'a' to be a Module, got 3"),
    ):
        with pytest.raises(error, match=f"^ModuleDict: {message}"):
            nn.ModuleDict(modules)
    with pytest.raises(KeyError, match="a"):
        nn.ModuleDict()["a"]
    assert repr(nn.ModuleDict({"f": nn.ReLU()})) == "ModuleDict(\n  (f): ReLU()\n)"
