"""The optimizers' state: moved between the engines, resumed, copied; and what every optimizer refuses."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.optimizer_pair import NAMES, Pair, cases, each_optimizer
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, seeds
from scratch import optim
from scratch.nn import Parameter
from scratch.optim.adam import adam
from scratch.optim.loading import check_entry


@given(case=cases, absent=st.sampled_from([0.0, 0.3]), dtype=dtypes, seed=seeds)
def test_state_moves_between_the_engines(case, absent, dtype, seed):
    move_state(*case, absent, dtype, seed)


@each_optimizer
def test_each_state_moves_between_the_engines(name, options):
    move_state(name, options, 0.3, "float64", 0)


def move_state(name, options, absent, dtype, seed):
    """Our optimizer continues from PyTorch's state, and PyTorch's from ours."""
    pair = Pair(name, options, dtype, seed)
    pair.step(5, absent)
    ours, torchs = pair.optimizer.state_dict(), pair.torch_optimizer.state_dict()
    tensors = {n: {key: torch.tensor(v) for key, v in state.items()} for n, state in ours["state"].items()}
    torchs = copy.deepcopy(torchs)
    pair.torch_optimizer = getattr(torch.optim, name)(pair.torchs, lr=0.7)
    pair.load_into_torchs({"state": tensors, "param_groups": ours["param_groups"]})
    pair.optimizer = getattr(optim, name)(pair.ours, lr=0.7)
    pair.optimizer.load_state_dict(torchs)
    pair.step(10, absent)
    pair.compare()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_update_computes_in_the_parameters_dtype(dtype):
    parameter = Parameter(np.ones(3, dtype))
    parameter.grad = np.ones(3, dtype)
    seen = []

    class Watched(optim.Adam):
        @staticmethod
        def rule(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, amsgrad, maximize):
            seen.extend(array.dtype for array in (w, g, m, v))
            found = adam(w, g, m, v, v_max, t, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                         maximize=maximize)  # fmt: skip
            seen.extend(array.dtype for array in found)
            return found

    Watched([parameter], weight_decay=0.1).step()
    assert len(seen) == 8
    assert set(seen) == {np.dtype(dtype)}


@each_optimizer
def test_parameters_are_numbered_across_the_groups(name, options):
    sizes = (2, 1, 3)
    ours, torchs = (
        make([{"params": [new(2) for _ in range(size)]} for size in sizes], **options)
        for make, new in (
            (getattr(optim, name), lambda size: Parameter(np.zeros(size))),
            (getattr(torch.optim, name), lambda size: torch.nn.Parameter(torch.zeros(size))),
        )
    )
    numbers = [group["params"] for group in ours.state_dict()["param_groups"]]
    assert numbers == [group["params"] for group in torchs.state_dict()["param_groups"]] == [[0, 1], [2], [3, 4, 5]]


@given(case=cases, absent=st.sampled_from([0.0, 0.3]), dtype=dtypes, seed=seeds)
def test_resumed_is_bit_for_bit_uninterrupted(case, absent, dtype, seed):
    name, options = case
    whole, cut = Pair(name, options, dtype, seed), Pair(name, options, dtype, seed)
    whole.step(9, absent)
    cut.step(4, absent)
    saved = pickle.loads(pickle.dumps((cut.optimizer.state_dict(), [parameter.data for parameter in cut.ours])))
    state, values = saved
    cut.ours = [Parameter(np.array(value)) for value in values]
    cut.optimizer = getattr(optim, name)(cut.ours, lr=0.7)
    cut.optimizer.load_state_dict(state)
    cut.step(5, absent)
    for one, other in zip(whole.ours, cut.ours, strict=True):
        np.testing.assert_array_equal(one.data, other.data, strict=True)


@each_optimizer
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"]
)
def test_a_copy_goes_its_own_way(name, options, copied):
    """A model and its optimizer, copied together, train on separately and give the same result."""

    def train(model, optimizer):
        optimizer.zero_grad()
        model(array((4, 3)))
        model.backward(array((4, 2), seed=1))
        optimizer.step()

    model = nn.Linear(3, 2, dtype=np.float64)
    optimizer = getattr(optim, name)(model.parameters(), **options)
    train(model, optimizer)
    twin, twin_optimizer = copied((model, optimizer))
    before = model.weight.data.copy()
    train(twin, twin_optimizer)
    np.testing.assert_array_equal(model.weight.data, before)
    assert np.abs(twin.weight.data - before).max() > 1e-3
    train(model, optimizer)
    np.testing.assert_array_equal(model.weight.data, twin.weight.data)


def parameters():
    return [Parameter(np.zeros(2)), Parameter(np.zeros(3))]


def tensors():
    return [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, {option: -0.1}) for name in NAMES for option in ("lr", "weight_decay")],
        ("SGD", {"momentum": -0.1}),
        ("SGD", {"nesterov": True}),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        ("Adam", {"eps": -1e-8}),
        ("Adam", {"betas": (1.0, 0.9)}),
        ("Adam", {"betas": (0.9, -0.1)}),
        ("Adam", {"betas": (0, 0.9)}),
        ("AdamW", {"betas": (0.9, 1.5)}),
        ("AdamW", {"decoupled_weight_decay": True}),
        ("NAdam", {"momentum_decay": -0.1}),
        *[(name, {"eps": -1e-8}) for name in ("NAdam", "RAdam")],
        *[(name, {"betas": betas}) for name in ("NAdam", "RAdam") for betas in ((1.0, 0.9), (0.9, -0.1))],
        *[("RMSprop", {option: -0.1}) for option in ("alpha", "eps", "momentum")],
        *[("Adagrad", {option: -0.1}) for option in ("lr_decay", "initial_accumulator_value", "eps")],
        *[("Adadelta", {option: -0.1}) for option in ("rho", "eps")],
        ("Adadelta", {"rho": 1.1}),
    ],
)
def test_options_that_torch_refuses_are_refused(name, options):
    message = refuses_as_torch(
        lambda: getattr(optim, name)(parameters(), **options), lambda: getattr(torch.optim, name)(tensors(), **options)
    )
    assert re.search(rf"\b{next(iter(options))}\b", message)


BAD_NUMBERS = [(value, TypeError) for value in (None, "0.1", [0.1], np.array([0.1, 0.2]), True, 1j)]
BAD_NUMBERS += [(float("nan"), ValueError), (float("inf"), ValueError), (np.float32("nan"), ValueError)]
NUMBERS = [("SGD", "momentum"), ("SGD", "dampening"), ("Adam", "eps"), ("AdamW", "eps")]
NUMBERS += [("NAdam", "eps"), ("NAdam", "momentum_decay"), ("RAdam", "eps")]
NUMBERS += [("RMSprop", option) for option in ("alpha", "eps", "momentum")]
NUMBERS += [("Adagrad", option) for option in ("lr_decay", "initial_accumulator_value", "eps")]
NUMBERS += [("Adadelta", option) for option in ("rho", "eps")]
NUMBERS += [(name, option) for name in NAMES for option in ("lr", "weight_decay")]
FLAGS = [("SGD", "nesterov"), ("Adam", "amsgrad"), ("AdamW", "amsgrad"), ("Adam", "decoupled_weight_decay")]
FLAGS += [(name, "decoupled_weight_decay") for name in ("NAdam", "RAdam")]
FLAGS += [("RMSprop", "centered"), *[(name, "maximize") for name in NAMES]]


@pytest.mark.parametrize(("name", "option"), NUMBERS)
@pytest.mark.parametrize(("value", "error"), BAD_NUMBERS, ids=lambda one: repr(one)[:20])
def test_an_option_that_is_no_number_is_refused_by_name(name, option, value, error):
    make = getattr(optim, name)
    with pytest.raises(error, match=f"^{name}: expected {option} "):
        make(parameters(), **{option: value})
    with pytest.raises(error, match=f"^{name}: expected {option} "):
        make([{"params": parameters(), option: value}])


@pytest.mark.parametrize(("name", "option"), FLAGS)
@pytest.mark.parametrize("value", [None, "False", 0.0, 1, np.ones(2, bool)], ids=repr)
def test_a_flag_that_is_no_bool_is_refused_by_name(name, option, value):
    with pytest.raises(TypeError, match=f"^{name}: expected {option} to be a bool, got"):
        getattr(optim, name)(parameters(), **{option: value})


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam"])
@pytest.mark.parametrize(
    ("betas", "error"),
    [
        *[(betas, TypeError) for betas in (None, 0.9, "ab", {0.9, 0.99})],
        *[(betas, ValueError) for betas in ((), (0.9,), (0.9, 0.99, 0.999), (0.9, float("nan")), ("0.9", "0.99"))],
        *[(betas, ValueError) for betas in ((0.9, None), (0.9, 1.0), (-0.1, 0.9))],
    ],
    ids=str,
)
def test_betas_that_are_no_pair_are_refused_by_name(name, betas, error):
    with pytest.raises(error, match=f"^{name}: expected betas to be "):
        getattr(optim, name)(parameters(), betas=betas)


def test_betas_may_be_a_list_that_changes():
    pair = Pair("Adam", {"betas": [0.9, 0.99]})
    assert pair.optimizer.param_groups[0]["betas"] == (0.9, 0.99)
    (group,), (torch_group,) = pair.optimizer.param_groups, pair.torch_optimizer.param_groups
    group["betas"] = [0.8, 0.99]
    for beta in (0.8, 0.5):
        group["betas"][0], torch_group["betas"] = beta, (beta, 0.99)
        pair.step(2)
    group["betas"] = tuple(group["betas"])
    pair.compare()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_in_place_of_its_parameters_is_refused_with_the_way_out(name):
    model = nn.Linear(2, 3)
    for params in (model, [{"params": model}]):
        with pytest.raises(TypeError, match=f"^{name}: expected .* got the module Linear; pass model.parameters()"):
            getattr(optim, name)(params)
    for params in (model.parameters, 3, None, "weights"):
        with pytest.raises(TypeError, match=f"^{name}: expected params in an ordered iterable, got a "):
            getattr(optim, name)(params)
    with pytest.raises(TypeError, match=f"^{name}: expected every param to be a Parameter, got tuple"):
        getattr(optim, name)(model.named_parameters())
    with pytest.raises(
        TypeError, match=rf"^{name}: .* float32 or float64, got a Parameter\(shape=\(2,\), dtype=int64\)"
    ):
        getattr(optim, name)([Parameter(np.zeros(2, np.int64))])


@each_optimizer
def test_loading_what_state_dict_returned_changes_nothing(name, options):
    """The arrays of a state dict are the optimizer's own, so they must be read before anything is written."""
    pair = Pair(name, options)
    pair.step(3)
    pair.optimizer.load_state_dict(pair.optimizer.state_dict())
    pair.load_into_torchs(pair.torch_optimizer.state_dict())
    pair.compare()
    pair.step(3)
    pair.compare()


def damaged():
    """Return ways to damage a state dict of Adam: for each a function that does it, and the error message."""

    def entry(**values):
        return lambda state: state["state"][1].update(values)

    return [
        (entry(exp_avg=np.full((5,), None)), "expected exp_avg of parameter 1 to hold numbers, got dtype object"),
        (entry(exp_avg=np.full((5,), "1.0")), "expected exp_avg of parameter 1 to hold numbers, got dtype <U3"),
        (
            entry(exp_avg=np.zeros((5,), complex)),
            "expected exp_avg of parameter 1 to hold numbers, got dtype complex128",
        ),
        (entry(exp_avg=None), "the state of parameter 1 has no exp_avg"),
        (lambda state: state["state"][1].pop("step"), "the state of parameter 1 has no step"),
        (entry(momentum_buffer=np.zeros(5)), "the state of parameter 1 has an unknown 'momentum_buffer'"),
        (entry(exp_avg_sq=np.zeros(4)), r"expected exp_avg_sq of parameter 1 to have shape \(5,\), got \(4,\)"),
        (entry(step=np.array(1.5)), "expected step of parameter 1 to be a whole number of 0 or more, got 1.5"),
        (entry(step=np.array(-1.0)), "expected step of parameter 1 to be a whole number of 0 or more, got -1.0"),
        (entry(step=np.array(np.nan)), "expected step of parameter 1 to be a whole number of 0 or more, got nan"),
        (entry(step=np.zeros(2)), r"expected step of parameter 1 to have shape \(\), got \(2,\)"),
        (lambda state: state["param_groups"][0].update(lr=float("nan")), "expected lr of 0 or more, got nan"),
        (lambda state: state["param_groups"][0].update(betas=(0.9,)), "expected betas to be a pair"),
        (lambda state: state["param_groups"][0].update(params=[0, 1, 2, 3, 3]), "appears in more than one place"),
        (lambda state: state.pop("state"), 'expected a state dict with "state" and "param_groups"'),
        (lambda state: state.update(param_groups=[{}]), 'expected param_groups to be dicts with "params"'),
        (lambda state: state.update(state=[]), "expected the state to be a dict of dicts"),
        (lambda state: state["state"].update({1: 3}), "expected the state to be a dict of dicts"),
    ]


@pytest.mark.parametrize(("damage", "message"), damaged(), ids=lambda one: one if isinstance(one, str) else "")
def test_a_damaged_state_is_refused_and_changes_nothing(damage, message):
    pair = Pair("Adam", {"lr": 0.1})
    pair.step(2)
    before = copy.deepcopy(pair.optimizer.state_dict())
    state = copy.deepcopy(before)
    damage(state)
    with pytest.raises((TypeError, ValueError), match=f"^Adam: .*{message}"):
        pair.optimizer.load_state_dict(state)
    after = pair.optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, entry in before["state"].items():
        for key, value in entry.items():
            np.testing.assert_array_equal(after["state"][number][key], value)


def test_an_array_may_be_missed_behind_one_that_may_be_missing():
    with pytest.raises(ValueError, match="Adam: the state of parameter 3 has no mean"):
        check_entry("Adam", 3, {}, {"largest": (2,), "mean": (2,)}, ("largest",))


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_torchs(name):
    (group,) = getattr(optim, name)(parameters()).param_groups
    (expected,) = getattr(torch.optim, name)(tensors()).param_groups
    shared = (group.keys() & expected.keys()) - {"params"}  # PyTorch 2.6 has no decoupled_weight_decay
    assert {"lr", "weight_decay", "maximize"} <= shared
    assert {key: group[key] for key in shared} == {key: expected[key] for key in shared}


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_will_not_optimize_is_refused(name):
    ours, torchs = getattr(optim, name), getattr(torch.optim, name)
    p, t = parameters(), tensors()
    refuses_as_torch(lambda: ours([]), lambda: torchs([]))
    refuses_as_torch(lambda: ours(p[0]), lambda: torchs(t[0]))
    refuses_as_torch(lambda: ours([p[0], 3]), lambda: torchs([t[0], 3]))
    refuses_as_torch(lambda: ours([p[0].data]), lambda: torchs([3]))
    refuses_as_torch(lambda: ours([{"lr": 1.0}]), lambda: torchs([{"lr": 1.0}]))
    refuses_as_torch(lambda: ours([{"params": {p[0]}}]), lambda: torchs([{"params": {t[0]}}]))
    refuses_as_torch(
        lambda: ours([{"params": p}, {"params": p[1:]}]), lambda: torchs([{"params": t}, {"params": t[1:]}])
    )
    refuses_as_torch(lambda: ours(p).add_param_group(p), lambda: torchs(t).add_param_group(t))
    refuses_as_torch(
        lambda: ours(p).add_param_group({"params": p[0]}), lambda: torchs(t).add_param_group({"params": t[0]})
    )
    with pytest.raises(KeyError, match=f"{name}: expected a parameter group to have 'params', got \\['lr'\\]"):
        ours([{"lr": 1.0}])
    with pytest.raises(ValueError, match=f"{name}: a Parameter.* appears in more than one place"):
        ours([p[0], p[0]])
    with pytest.raises(TypeError, match=f"{name}: expected params in an ordered iterable, got a set"):
        ours(set(p))
    for option in ("foreach", "fused", "capturable", "differentiable"):
        with pytest.raises(TypeError):
            ours(p, **{option: True})


@each_optimizer
def test_a_refused_state_changes_nothing(name, options):
    pair = Pair(name, {**options, "momentum": 0.9} if name == "SGD" else options)
    pair.step(2)
    before = copy.deepcopy(pair.optimizer.state_dict())
    small = Pair(name, options, shapes=[(3, 4)])
    refuses_as_torch(
        lambda: pair.optimizer.load_state_dict(small.optimizer.state_dict()),
        lambda: pair.torch_optimizer.load_state_dict(small.torch_optimizer.state_dict()),
    )
    grouped = Pair(name, options, groups={"lr": 0.5})
    refuses_as_torch(
        lambda: pair.optimizer.load_state_dict(grouped.optimizer.state_dict()),
        lambda: pair.torch_optimizer.load_state_dict(grouped.torch_optimizer.state_dict()),
    )
    transposed = copy.deepcopy(before)
    key = next(key for key in before["state"][0] if key != "step")
    transposed["state"][0][key] = transposed["state"][0][key].T
    with pytest.raises(
        ValueError, match=rf"{name}: expected {key} of parameter 0 to have shape \(3, 4\), got \(4, 3\)"
    ):
        pair.optimizer.load_state_dict(transposed)
    stray = copy.deepcopy(before)
    stray["state"]["0"] = stray["state"].pop(0)
    with pytest.raises(ValueError, match=f"{name}: the state has an entry for parameter '0', which is in no group"):
        pair.optimizer.load_state_dict(stray)
    after = pair.optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, state in before["state"].items():
        for key, value in state.items():
            np.testing.assert_array_equal(after["state"][number][key], value)


def test_a_gradient_that_does_not_fit_is_described():
    parameter = Parameter(np.zeros(3, np.float32))
    optimizer = optim.SGD([parameter], lr=0.1)
    for grad, found in (
        (np.zeros(2, np.float32), r"\(2,\) and float32"),
        (np.zeros(3), r"\(3,\) and float64"),
        ([0.0] * 3, "a list"),
    ):
        parameter.grad = grad
        with pytest.raises(RuntimeError, match=rf"SGD: expected a gradient .* float32, got {found}"):
            optimizer.step()
