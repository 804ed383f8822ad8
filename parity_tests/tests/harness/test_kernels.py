"""A kernel has its plain twin's name, arguments and results. A plain function never writes to its arguments."""

import copy
import functools
import importlib
import importlib.util
import inspect
import pkgutil

import numpy as np
import pytest

import scratch
import scratch.kernels
from parity_tests.catalogue import LayerCase, of_kind
from parity_tests.harness import compare
from parity_tests.harness.derivation import derivations
from parity_tests.harness.outputs import upstream_for, with_gradient
from scratch import dispatch
from scratch.nn.layer import Layer

TWINS = [
    f"{package}.{info.name}"
    for package in ("scratch.nn", "scratch.optim")
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__)
    if importlib.util.find_spec(f"scratch.kernels.{info.name}")
]
ENTRIES = of_kind("layer", "loss")
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
CASES = 12
SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 1e15]


@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_has_its_twins_signature(name):
    plain = importlib.import_module(name)
    fast = importlib.import_module(name.replace(name.rpartition(".")[0], "scratch.kernels"))
    own = [one for one, value in vars(plain).items() if getattr(value, "__module__", None) == name and callable(value)]
    shared = [one for one in own if hasattr(fast, one)]
    assert shared, f"{fast.__name__} has no kernel: rename it, or call its functions as {name} calls them"
    for one in shared:
        kernel, twin = (list(inspect.signature(getattr(module, one)).parameters.values()) for module in (fast, plain))
        assert [(p.name, p.default, p.kind) for p in kernel] == [(p.name, p.default, p.kind) for p in twin], one


@pytest.mark.parametrize("name", TWINS)
def test_both_functions_of_a_pair_have_kernels_or_neither(name):
    plain = importlib.import_module(name)
    for one in derivations(plain):
        if one.backward:
            forward, backward = getattr(plain, one.name), getattr(plain, f"{one.name}_backward")
            has = [dispatch.kernel_of(function) is not function for function in (forward, backward)]
            assert has[0] == has[1], one.name


def computed(case, seed):
    """Return what a case's layer computes, by name, without running PyTorch."""
    with np.errstate(all="ignore"):
        found, *_ = compare.run(copy.deepcopy(case.layer), case.inputs, None, seed, [])
    return {name: values for name, values in found.items() if values is not None}


@each_entry
@each_dtype
def test_plain_and_fast_agree_within_the_rounding_of_both(entry, dtype):
    for seed in range(CASES):
        with scratch.plain(False):
            fast = computed(entry.case(dtype, seed), seed)
        with scratch.plain(), np.errstate(all="ignore"):
            report = entry.case(dtype, seed).check(seed)  # runs the plain functions as `computed` runs the kernels
        assert not report.faults
        assert fast.keys() == {quantity.name for quantity in report.quantities}
        for quantity in report.quantities:
            found, other = (np.asarray(one, np.float64) for one in (quantity.got, fast[quantity.name]))
            apart = np.abs(found - other)
            within = np.isfinite(apart) & ~quantity.budget.exceeded(apart / 2)
            agree = within | (found == other) | (np.isnan(found) & np.isnan(other))
            assert np.all(agree), f"{quantity.name} at seed {seed}: {apart.max()} apart"


@each_entry
@pytest.mark.parametrize("value", SPECIAL)
def test_plain_and_fast_agree_on_special_values(entry, value):
    case = entry.case("float64", 1, batch=3)
    x = np.array(case.inputs[0], order="C")
    if x.dtype.kind != "f" or entry.name == "BCELoss":
        pytest.skip("takes no such inputs")
    x.reshape(-1)[x.size // 2] = value
    found, size = [], max(abs(value), 1.0) if np.isfinite(value) else 1.0
    for mode in (True, False):
        with scratch.plain(mode), np.errstate(all="ignore"):
            scratch.manual_seed(0)
            returned = case.layer(x, *case.inputs[1:])
            grads = case.layer.backward(*upstream_for(returned, np.random.default_rng(0)))
            found.append((*with_gradient(returned), *(grads if isinstance(grads, tuple) else (grads,))))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * size)


def frozen(value):
    """Return a read-only copy of an array, or of the arrays in a tuple."""
    if isinstance(value, np.ndarray):
        copy = value.copy(order="K")
        copy.flags.writeable = False
        return copy
    return tuple(map(frozen, value)) if type(value) is tuple else value


def watched(function, calls):
    """Wrap a function so that its arguments and results are read-only and each call is recorded."""

    @functools.wraps(function)
    def call(*arguments):
        calls.append(function.__name__)
        return frozen(function(*map(frozen, arguments)))

    return call


@each_entry
@each_dtype
def test_plain_functions_write_to_nothing_that_they_are_given(entry, dtype):
    for seed in range(3):
        case = entry.case(dtype, seed)
        if not isinstance(case, LayerCase) or not isinstance(case.layer, Layer):
            pytest.skip("is no pair of functions")
        calls = []
        layer = case.layer
        for name in [name for name in dir(type(layer)) if name.startswith("functions")]:
            pair = tuple(watched(function, calls) for function in getattr(layer, name))
            setattr(layer, name, pair)
        with scratch.plain(), np.errstate(all="ignore"):
            layer.backward(*upstream_for(layer(*case.inputs), np.random.default_rng(seed)))
        assert len(calls) % 2 == 0
        assert calls
