"""Module and Parameter beside torch's: names, state, modes, and the order of calls."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch

import scratch
import scratch.nn as nn
from parity_tests.harness.arrays import array, random_state
from parity_tests.harness.refusals import refuses_as_torch
from scratch.nn import Module, Parameter


class Shared(Module):
    """Two names for one layer, a parameter of its own, and a child."""

    def __init__(self):
        super().__init__()
        self.scale = Parameter(np.ones(2, np.float32))
        self.first = nn.Linear(2, 2)
        self.again = self.first
        self.inner = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3, bias=False))


class TorchShared(torch.nn.Module):
    """The same in PyTorch."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(2))
        self.first = torch.nn.Linear(2, 2)
        self.again = self.first
        self.inner = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 3, bias=False))


def numbers(module):
    """Return a copy of a module's state."""
    return {name: values.copy() for name, values in module.state_dict().items()}


def same(one, other):
    """Return whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


# Names.


@pytest.mark.parametrize("method", ["named_parameters", "named_modules", "named_buffers", "state_dict"])
def test_the_names_and_their_order_are_torchs(method):
    ours, theirs = (list(dict(getattr(module, method)())) for module in (Shared(), TorchShared()))
    assert ours == theirs


def test_what_is_shared_is_yielded_once_and_saved_under_both_names():
    module = Shared()
    assert len(list(module.parameters())) == len({id(parameter) for parameter in module.parameters()}) == 6
    assert len(list(module.modules())) == len(list(TorchShared().modules())) == 5
    state = module.state_dict()
    assert np.shares_memory(state["first.weight"], state["again.weight"])


def test_a_parameter_of_two_modules_is_yielded_once():
    names = []
    for engine in (nn, torch.nn):
        model = engine.Sequential(engine.Linear(3, 3), engine.Linear(3, 3))
        model[1].weight = model[0].weight
        names.append([name for name, _ in model.named_parameters()])
    assert names[0] == names[1] == ["0.weight", "0.bias", "1.bias"]


def test_children_are_named():
    ours, theirs = ([name for name, _ in module.named_children()] for module in (Shared(), TorchShared()))
    assert ours == theirs == ["first", "inner"]


# The state.


def test_the_state_is_the_modules_own_arrays():
    layer = nn.Linear(2, 3)
    layer.state_dict()["weight"][...] = 7
    assert (layer.weight.data == 7).all()


def test_absent_parameters_and_buffers_are_not_in_the_state():
    assert list(nn.Linear(2, 3, bias=False).state_dict()) == ["weight"]
    assert list(nn.BatchNorm1d(2, track_running_stats=False).state_dict()) == ["weight", "bias"]


def test_a_state_goes_to_torch_and_back():
    ours, theirs = random_state(Shared()), TorchShared()
    theirs.load_state_dict({name: torch.from_numpy(values) for name, values in numbers(ours).items()})
    back = Shared()
    assert back.load_state_dict({name: tensor.numpy() for name, tensor in theirs.state_dict().items()}) == ([], [])
    assert same(numbers(back), numbers(ours))


def test_loading_copies_and_converts():
    layer, given = nn.Linear(2, 3), {"weight": np.ones((3, 2)), "bias": np.full(3, 2)}
    layer.load_state_dict(given)
    given["weight"][...] = 9
    assert layer.weight.dtype == np.float32
    assert (layer.weight.data == 1).all()
    assert (layer.bias.data == 2).all()


BAD_STATES = {
    "a key missing": ({"weight": np.zeros((3, 2))}, "missing key 'bias'"),
    "a key too many": ({"weight": np.zeros((3, 2)), "bias": np.zeros(3), "b": np.zeros(3)}, "unexpected key 'b'"),
    "a shape": ({"weight": np.zeros((3, 2)), "bias": np.zeros(4)}, r"'bias': expected shape \(3,\), got \(4,\)"),
    "a shape that would broadcast": ({"weight": np.zeros((1, 2)), "bias": np.zeros(3)}, "'weight': expected shape"),
    "a scalar": ({"weight": 0.0, "bias": np.zeros(3)}, r"'weight': expected shape \(3, 2\), got \(\)"),
    "words": ({"weight": np.full((3, 2), "one"), "bias": np.zeros(3)}, "'weight': expected numbers, got .* dtype <U3"),
    "nothing": ({}, "missing key 'weight'; missing key 'bias'"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_written(name):
    state, words = BAD_STATES[name]
    layer = nn.Linear(2, 3)
    before = numbers(layer)
    with pytest.raises(RuntimeError, match=f"Linear: state dict does not fit: .*{words}"):
        layer.load_state_dict(state)
    assert same(numbers(layer), before)
    with pytest.raises((RuntimeError, TypeError, AttributeError)):
        torch.nn.Linear(2, 3).load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})


def test_not_strict_loads_what_is_there_and_says_what_is_not():
    layer = nn.Linear(2, 3)
    bias = layer.bias.data.copy()
    keys = layer.load_state_dict({"weight": np.ones((3, 2)), "other": np.zeros(1)}, strict=False)
    twin = torch.nn.Linear(2, 3).load_state_dict({"weight": torch.ones(3, 2), "other": torch.zeros(1)}, strict=False)
    assert (
        (keys.missing_keys, keys.unexpected_keys) == (twin.missing_keys, twin.unexpected_keys) == (["bias"], ["other"])
    )
    assert (layer.weight.data == 1).all()
    assert np.array_equal(layer.bias.data, bias)
    with pytest.raises(RuntimeError, match="expected shape"):
        layer.load_state_dict({"weight": np.ones((2, 3))}, strict=False)


def test_loading_into_a_deep_module_is_all_or_nothing():
    module = random_state(Shared())
    before = numbers(module)
    state = {name: values + 1 for name, values in before.items()}
    state["inner.1.weight"] = np.zeros((3, 3))
    with pytest.raises(RuntimeError, match=r"inner\.1\.weight"):
        module.load_state_dict(state)
    assert same(numbers(module), before)


class Averaged(Module):
    """A layer, and a module behind it whose buffers have no axes."""

    def __init__(self):
        super().__init__()
        self.lin, self.norm = nn.Linear(1, 1), Module()
        self.norm.register_buffer("mean", np.zeros(()))
        self.norm.register_buffer("count", np.zeros((), np.int64))
        self.norm.scale = Parameter(np.ones(()))


def test_numbers_without_axes_are_loaded():
    model = Averaged()
    model.norm.mean = 0.9 * model.norm.mean + 0.1 * 3.0  # a number, in NumPy's arithmetic
    model.norm.scale.data = 2.0 * model.norm.scale.data
    state = {"lin.weight": [[7.0]], "lin.bias": [7.0], "norm.scale": 4.0, "norm.mean": 5.0, "norm.count": 6}
    model.load_state_dict(state)
    assert numbers(model) == {name: np.asarray(values) for name, values in state.items()}
    assert all(type(values) is np.ndarray for values in model.state_dict().values())
    assert model.norm.scale.data is model.state_dict()["norm.scale"]


@pytest.mark.parametrize("name", ["norm.mean", "norm.scale"])
def test_an_array_that_cannot_be_written_to_is_refused_before_anything_is_written(name):
    model = Averaged()
    if name == "norm.mean":
        model.norm.mean = np.broadcast_to(np.float64(2), ())
    else:
        model.norm.scale.data.setflags(write=False)
    before = numbers(model)
    with pytest.raises(RuntimeError, match=f"Averaged: state dict does not fit: '{name}': .* read-only; give .* copy"):
        model.load_state_dict({key: values + 1 for key, values in before.items()})
    assert same(numbers(model), before)


def test_numbers_that_do_not_fit_a_dtype_are_loaded_as_torch_loads_them():
    """Nothing may stop it half-way, not even NumPy's warnings."""
    model = Averaged()
    state = {key: values.astype(np.float64) for key, values in numbers(model).items()}
    state["lin.weight"] = np.full((1, 1), 1e300)
    with np.errstate(all="raise"):
        model.load_state_dict(state)
    assert np.isposinf(model.lin.weight.data)


# Modes and gradients.


def test_the_mode_reaches_every_module_and_the_module_is_returned():
    module = Shared()
    assert all(each.training for each in module.modules())
    assert module.eval() is module
    assert not any(each.training for each in module.modules())
    assert module.train() is module
    assert all(each.training for each in module.modules())
    for wrong in (1, "yes", None):
        with pytest.raises(ValueError, match="expected training mode to be a bool"):
            module.train(wrong)
        with pytest.raises(ValueError, match="training mode is expected to be boolean"):
            TorchShared().train(wrong)


def test_gradients_add_until_they_are_set_to_none():
    layer = nn.Linear(3, 2, dtype=np.float64)
    x, g = array((4, 3)), array((4, 2), seed=1)
    assert layer.weight.grad is None
    layer(x)
    layer.backward(g)
    once = layer.weight.grad.copy()
    layer(x)
    layer.backward(g)
    assert np.array_equal(layer.weight.grad, 2 * once)
    layer.zero_grad()
    assert [parameter.grad for parameter in layer.parameters()] == [None, None]


def test_a_parameters_gradient_is_nobody_elses_array():
    layer = nn.Linear(3, 2, dtype=np.float64)
    g = array((1, 2))
    layer(array((1, 3)))
    layer.backward(g)
    assert not np.shares_memory(layer.bias.grad, g)
    assert not np.shares_memory(layer.bias.grad, layer.bias.data)


# The order of calls.

LAYERS = {
    "Linear": lambda: nn.Linear(3, 2),
    "Flatten": nn.Flatten,
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 2)),
    "ReLU": nn.ReLU,
    "BatchNorm1d": lambda: nn.BatchNorm1d(3),
    "Conv2d": lambda: nn.Conv2d(3, 2, 1),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "Softmax": lambda: nn.Softmax(1),
    "Dropout": nn.Dropout,
    "CrossEntropyLoss": nn.CrossEntropyLoss,
}


@pytest.mark.parametrize("name", LAYERS)
def test_backward_before_forward_is_refused(name):
    layer = LAYERS[name]()
    said = "Linear" if name == "Sequential" else name
    with pytest.raises(RuntimeError, match=f"{said}: backward was called before forward"):
        layer.backward(np.zeros((4, 3), np.float32))


class Memory(Module):
    """A model whose parts are called what the engine might call its own."""

    def __init__(self):
        super().__init__()
        self.input, self.forget, self.output = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
        self.take_kept = self.put_kept = self._state = self._saved = np.ones(2)
        self.rows = [1, 2]

    def _register(self):
        self.rows.clear()


def test_attributes_of_a_users_own_are_never_called():
    model = Memory()
    model.register_parameter("scale", nn.Parameter(np.ones(3)))
    assert model.train().eval().rows == [1, 2]
    assert len(copy.deepcopy(model).state_dict()) == 7
    nn.Reused(model)


def test_a_module_without_passes_says_so():
    for method in ("forward", "backward"):
        with pytest.raises(NotImplementedError, match=f"Module: {method} is not defined"):
            getattr(Module(), method)(np.zeros(1))


# Sequential.


def named(engine, **more):
    """Return a Sequential of a body, an activation and a head, each with a name."""
    return engine.Sequential(
        OrderedDict(body=engine.Linear(3, 4, **more), bend=engine.Tanh(), fc=engine.Linear(4, 5, **more))
    )


@pytest.mark.parametrize("name", ["fc", "2"])
def test_a_layer_set_by_its_name_is_the_one_that_runs(name):
    """Transfer learning: a new head replaces the old one."""
    ours, theirs = named(nn, dtype=np.float64), named(torch.nn).double()
    if name == "2":
        ours, theirs = nn.Sequential(*ours), torch.nn.Sequential(*theirs)
    old = getattr(ours, name)
    setattr(ours, name, nn.Linear(4, 2, dtype=np.float64))
    setattr(theirs, name, torch.nn.Linear(4, 2).double())
    theirs.load_state_dict({key: torch.from_numpy(values) for key, values in ours.state_dict().items()})
    assert ours[2] is ours[-1] is list(ours)[2] is getattr(ours, name)
    assert len(ours) == 3

    x, g = array((6, 3)), array((6, 2), seed=1)
    y = ours(x)
    grad_x = ours.backward(g)
    tensor = torch.from_numpy(x).requires_grad_()
    output = theirs(tensor)
    output.backward(torch.from_numpy(g))
    np.testing.assert_allclose(y, output.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(grad_x, tensor.grad.numpy(), rtol=1e-12)
    for (key, mine), (other, its) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert key == other
        np.testing.assert_allclose(mine.grad, its.grad.numpy(), rtol=1e-12, atol=1e-14)
    assert old.weight.grad is None


def test_a_layer_that_is_added_or_deleted_by_its_name_runs_or_does_not():
    shapes = []
    for engine, zeros in ((nn, lambda *shape: np.zeros(shape, np.float32)), (torch.nn, torch.zeros)):
        model = named(engine)
        model.last = engine.Linear(5, 7)
        shapes.append(tuple(model(zeros(2, 3)).shape))
        del model.last, model.fc
        shapes.append((*model(zeros(2, 3)).shape, len(model)))
    assert shapes[:2] == shapes[2:] == [(2, 7), (2, 4, 2)]


def test_a_slice_has_the_same_layers_under_the_same_names():
    model = named(nn)
    part = model[1:]
    assert [name for name, _ in part.named_children()] == ["bend", "fc"]
    assert part[1] is model.fc


@pytest.mark.parametrize("plain", [False, True])
def test_numbers_without_axes_go_through_a_chain(plain):
    chain = [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, lambda: nn.GELU("tanh"), nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Tanh]
    chain += [lambda: nn.Softmax(0), lambda: nn.LogSoftmax(0), nn.Dropout, nn.Identity]
    for build in chain:
        model = nn.Sequential(build(), nn.Identity())
        with scratch.plain(plain):
            assert model(np.array(0.5)).shape == ()
            grad_x = model.backward(np.array(2.0))
        assert isinstance(grad_x, np.ndarray)
        assert grad_x.shape == ()


def test_the_printed_module_is_a_tree():
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))) == "\n".join(
        [
            "Sequential(",
            "  (0): Linear(in_features=2, out_features=3, bias=True)",
            "  (1): Sequential(",
            "    (0): ReLU()",
            "  )",
            ")",
        ]
    )


# What a program written for PyTorch passes.


class Sum(Module):
    """A model with two inputs, whose names are its own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(4, 3)

    def forward(self, x, context, scale=1.0):
        return self.first(x) + scale * self.second(input=context)


@pytest.mark.parametrize("needs_input_grad", [True, False])
def test_a_call_takes_keywords(needs_input_grad):
    model = Sum().requires_input_grad_(needs_input_grad)
    x, context = array((5, 2), "float32"), array((5, 4), "float32")
    expected = model(x, context, 0.5)
    for found in (
        model(x, context, scale=0.5),
        model(x, scale=0.5, context=context),
        model(scale=0.5, context=context, x=x),
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(3, 3),
        nn.ReLU,
        lambda: nn.BatchNorm1d(3),
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Tanh()),
        lambda: nn.Reused(nn.ReLU()),
    ],
)
def test_the_name_that_torch_gives_the_input_is_known(build):
    layer, x = build(), array((4, 3), "float32")
    np.testing.assert_array_equal(layer.eval()(input=x), layer.eval()(x))
    with pytest.raises(TypeError, match="output"):
        layer(output=x)


def test_the_names_that_torch_gives_a_losss_arguments_are_known():
    x, target = array((4, 3)), array((4, 3), seed=1)
    loss = nn.MSELoss()
    expected = loss(x, target)
    assert loss.eval()(input=x, target=target) == loss.eval()(x, target=target) == expected


def test_a_forward_that_names_its_input_so_gets_it_so():
    class Named(Module):
        def forward(self, other=None, input=None):
            return other, input

    class Any(Module):
        def forward(self, **options):
            return options

    assert Named()(input=3) == (None, 3)
    assert Named()(2, input=3) == (2, 3)
    assert Any()(input=3) == {"input": 3}


FLOATS = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("build", "x", "message"),
    [
        (lambda: nn.Linear(3, 2), torch.ones(2, 3), r"Linear: .* got Tensor; convert it with \.detach\(\)\.numpy\(\)"),
        (nn.ReLU, torch.ones(2, 3), r"ReLU: .* got Tensor; convert it with \.detach\(\)\.numpy\(\)"),
        (lambda: nn.Linear(3, 2), [[1.0, 2.0]], r"Linear: .* got list; make one with np\.array\(input, np\.float32\)"),
        (
            lambda: nn.Linear(3, 2, dtype=np.float64),
            ((1, 2, 3),),
            r"Linear: .* got tuple; make one with np\.array\(input, np\.float64\)",
        ),
        (nn.ReLU, 1.0, r"ReLU: .* got float; make one with np\.array\(input, np\.float32\)"),
        (nn.ReLU, None, r"ReLU: expected input to be a numpy\.ndarray, got NoneType$"),
        (lambda: nn.Linear(3, 2), FLOATS.astype(int), r"Linear: .* got int64; convert it with \.astype\(np\.float32\)"),
        (nn.ReLU, FLOATS.astype(int), r"ReLU: .* got int64; convert it with \.astype\(np\.float32\)"),
        (lambda: nn.Embedding(3, 2), FLOATS, r"Embedding: .* got float32; convert it with \.astype\(np\.int64\)"),
        (lambda: nn.Embedding(3, 2), [1, 2], r"Embedding: .* got list; make one with np\.array\(input, np\.int64\)"),
    ],
)
def test_what_is_no_array_of_the_right_kind_is_refused_with_the_way_out(build, x, message):
    with pytest.raises((TypeError, RuntimeError), match=f"^{message}"):
        build()(x)


def test_a_gradient_or_a_target_that_is_no_array_is_refused_with_the_way_out():
    layer = nn.Linear(3, 2)
    layer(FLOATS)
    with pytest.raises(TypeError, match=r"Linear: expected grad_output .* got Tensor; convert it with .detach\(\)"):
        layer.backward(torch.ones(2, 2))
    with pytest.raises(TypeError, match=r"target .* got list; make one with np.array\(target, np.int64\)"):
        nn.CrossEntropyLoss()(FLOATS, [0, 1])


@pytest.mark.parametrize(
    "move",
    [
        lambda model: model.to("cuda"),
        lambda model: model.to(torch.device("cpu")),
        lambda model: model.to(device="cuda:0"),
        lambda model: model.to("cuda", torch.float32),
        lambda model: model.to("cuda", np.float64),
        lambda model: model.to(np.float64, device="mps"),
        lambda model: model.to(np.float32, np.float64),
        lambda model: model.to(torch.float64),
        lambda model: model.to(0),
        lambda model: model.to(),
    ],
)
def test_a_device_is_refused_with_what_there_is_instead(move):
    model = nn.Linear(3, 2)
    message = r"Linear: to\(\) takes a dtype, float32 or float64, and the device 'cpu', got .*For a GPU see torch_ref"
    with pytest.raises(TypeError, match=message):
        move(model)
    assert model.weight.dtype == np.float32
    assert model.to(dtype=np.float64).weight.dtype == np.float64


def test_a_model_is_on_the_cpu_and_stays_there():
    model = nn.Linear(3, 2)
    weight = model.weight.data
    for moved in (model.cpu(), model.to("cpu"), model.to(device="cpu"), model.to("cpu", np.float32)):
        assert moved is model
        assert model.weight.data is weight
    for move in (
        lambda model: model.to("cpu", np.float64),
        lambda model: model.to(device="cpu", dtype="float64"),
        lambda model: model.to(np.float64, device="cpu"),
    ):
        assert move(nn.Linear(3, 2)).weight.dtype == np.float64


def test_gradients_set_to_zero_stay_the_same_arrays():
    layer = nn.Linear(3, 2)
    layer(array((4, 3), "float32"))
    layer.backward(array((4, 2), "float32", seed=1))
    kept = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is kept
    assert not kept.any()


def test_what_a_model_keeps_by_name_is_what_its_backward_gets():
    module = nn.Module()
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        module.saved("a")
    module.save_for_backward(a=1, b=2)
    assert module.saved("a") == 1
    assert module.saved("b", "a") == (2, 1)
    module.save_for_backward(b=3)
    assert module.saved("b") == 3
    with pytest.raises(KeyError, match="a"):
        module.saved("a")


def test_a_function_is_applied_to_children_first_as_torchs():
    seen, theirs = [], []
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Tanh())
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    torchs = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()), torch.nn.Tanh())
    torchs.apply(lambda module: theirs.append(type(module).__name__))
    assert seen == theirs


def test_a_parameter_is_found_by_its_dotted_name():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    assert model.get_parameter("0.0.weight") is model[0][0].weight
    for name in ("0.0", "0.1.weight", "0.0.weights"):
        with pytest.raises(AttributeError, match=f"there is no parameter '{name}'"):
            model.get_parameter(name)


def test_a_module_is_found_by_its_dotted_name():
    ours, theirs = (one.Sequential(one.Sequential(one.Linear(2, 2))) for one in (nn, torch.nn))
    assert ours.get_submodule("0.0") is ours[0][0]
    assert ours.get_submodule("") is ours
    for name in ("0.1", "0.0.weight", "0.0.in_features", "training", "0.0.weight.data", "0..0"):
        refuses_as_torch(lambda: ours.get_submodule(name), lambda: theirs.get_submodule(name))  # noqa: B023
    with pytest.raises(AttributeError, match=r"^Sequential: there is no module '0\.1'$"):
        ours.get_submodule("0.1")


def test_a_parameter_gives_way_to_none_or_to_another_and_to_nothing_else():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="cannot assign a ndarray as parameter 'bias'"):
        layer.bias = np.zeros(2, np.float32)
    layer.bias = None
    assert layer(np.zeros((1, 2), np.float32)).tolist() == [[0.0, 0.0]]
    layer.weight = other = nn.Parameter(np.ones((2, 2), np.float32))
    assert dict(layer.named_parameters()) == {"weight": other}


def test_a_child_under_two_names_is_yielded_once():
    shared, module = nn.Linear(2, 2), nn.Module()
    module.first, module.second = shared, shared
    assert list(module.children()) == [shared]


def test_loading_what_is_there_goes_on_behind_what_is_missing():
    layer, bias = nn.Linear(3, 2), array((2,), "float32")
    layer.load_state_dict({"bias": bias}, strict=False)
    np.testing.assert_array_equal(layer.bias.data, bias)


@pytest.mark.parametrize("name", ["a.b", "", "training", "weight"])
def test_a_name_that_cannot_be_added_is_refused_as_torch_refuses_it(name):
    refuses_as_torch(
        lambda: nn.Linear(2, 3).add_module(name, nn.ReLU()),
        lambda: torch.nn.Linear(2, 3).add_module(name, torch.nn.ReLU()),
    )


def test_gradients_are_asked_for_again_by_default():
    model = Shared()
    assert model.requires_grad_(False) is model
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.requires_grad_() is model
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", ["double", "float"])
def test_a_conversion_reaches_what_torchs_reaches_and_the_gradients(name):
    ours, theirs = Shared(), TorchShared()
    ours.absent, theirs.absent = (one.BatchNorm1d(2, track_running_stats=False) for one in (nn, torch.nn))
    ours.first(array((4, 2), "float32"))
    ours.first.backward(array((4, 2), "float32", seed=1))
    grad = ours.first.weight.grad.copy()
    assert getattr(ours, name)() is ours
    getattr(theirs, name)()
    assert {key: values.dtype.name for key, values in ours.state_dict().items()} == {
        key: str(tensor.dtype).removeprefix("torch.") for key, tensor in theirs.state_dict().items()
    }
    assert ours.first.weight.grad.dtype == ours.first.weight.dtype
    np.testing.assert_array_equal(ours.first.weight.grad, grad)
    assert ours.scale.grad is None


def test_a_conversion_to_the_dtype_that_is_there_keeps_the_arrays():
    model = nn.BatchNorm1d(2)
    model(array((4, 2), "float32"))
    model.backward(array((4, 2), "float32", seed=1))
    data, grad, mean = model.weight.data, model.weight.grad, model.running_mean
    model.float()
    assert model.weight.data is data
    assert model.weight.grad is grad
    assert model.running_mean is mean


def two_multiples(x):
    """Return two multiples of ``x``, and how many rows it has."""
    return 2 * x, (), 3 * x, len(x)


def two_multiples_backward(grad_y, grad_other, saved):
    """Undo `two_multiples`."""
    return 2 * grad_y + 3 * grad_other


class TwoMultiples(nn.layer.Layer):
    """A layer of two outputs with gradients, and one without."""

    functions = two_multiples, two_multiples_backward
    outputs = 2

    def forward(self, x):
        self.check_input(x)
        return self.run(self.functions, x)


def test_outputs_without_gradients_may_stand_behind_those_with():
    layer, x, g, h = TwoMultiples(), *(array((4, 3), seed=seed) for seed in range(3))
    for grads, expected in (((g, h), 2 * g + 3 * h), ((g,), 2 * g), ((None, h), 3 * h)):
        assert layer(x)[2] == 4
        np.testing.assert_array_equal(layer.backward(*grads), expected)
    layer(x)
    with pytest.raises(TypeError, match="TwoMultiples: expected 2 gradients, got 3"):
        layer.backward(g, h, g)


def test_parameters_are_registered_by_name():
    module, weight = nn.Module(), Parameter(np.ones(3))
    module.register_parameter("weight", weight)
    module.register_parameter("bias", None)
    assert module.weight is weight
    assert module.bias is None
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    with pytest.raises(TypeError, match="Module: expected 'scale' to be a Parameter, got a ndarray"):
        module.register_parameter("scale", np.ones(3))
