"""The tape as a witness: it runs each plain forward, and must find the gradients that the plain backward returns."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import scratch.distributions
import scratch.nn
from parity_tests.catalogue import LayerCase, of_kind
from parity_tests.harness.calls import recorded_calls
from parity_tests.harness.derivation import derivations
from parity_tests.harness.outputs import upstream_for
from parity_tests.harness.trace import derivation_of, operands
from scratch.tape import Tape

TOLERANCE = 1e-12
CASES = 12
ENTRIES = of_kind("layer", "loss", "distribution")
FILES = [
    *(f"scratch.nn.{info.name}" for info in pkgutil.iter_modules(scratch.nn.__path__)),
    *(f"scratch.distributions.{info.name}" for info in pkgutil.iter_modules(scratch.distributions.__path__)),
    "scratch.policy_gradient",
]
PAIRS = [f"{one.module.__name__}.{one.name}" for name in FILES for one in derivations(name) if one.backward]
# These are steps of other pairs; no layer uses one of them alone.
PARTS = {
    "scratch.nn.attention.scaled_dot_product_attention",
    "scratch.nn.reduction.reduce",
    "scratch.nn.triplet_margin.norm",
}

# Places where the gradient is a matter of convention.
UNDECIDED = {
    # At 0 the kinks of max(0, z) and |z| cancel. Backward has the slope of the sum, the tape the sum of the slopes.
    "softplus": lambda x, beta, threshold: x == 0,
    # log(0) is clamped at -100. Backward continues with PyTorch's finite slope there, the tape with infinity.
    "binary_cross_entropy": lambda p, *arguments: (p == 0) | (p == 1),
    # The row for padding does not learn, though the output depends on it.
    "embedding": lambda x, weight, padding_idx: np.arange(len(weight))[:, None] == padding_idx,
}


def calls_of(entry, seed):
    """Run a case forward and backward; return the calls of its pairs."""
    case = entry.case("float64", seed)
    if not isinstance(case, LayerCase):
        return []
    with recorded_calls() as calls, np.errstate(all="ignore"):
        case.layer.backward(*upstream_for(case.layer(*case.inputs), np.random.default_rng(seed)))
    return calls


def check(call):
    forward, _ = call.functions
    names = list(inspect.signature(forward).parameters)
    tape, arguments, watched = Tape(), list(call.arguments), {}
    for name, grad in zip(operands(derivation_of(call.name, forward.__module__)), call.grads, strict=True):
        if name is None:  # an index has no gradient
            assert grad is None
            continue
        place = names.index(name)
        if isinstance(arguments[place], np.ndarray):  # a number stands for a parameter that is None
            arguments[place] = watched[name] = tape.watch(arguments[place])
            watched[name] = watched[name].node, grad
    with np.errstate(all="ignore"):
        y, _, *others = forward(*arguments)
    grads_of_outputs = [call.grad_y, *call.grad_others]
    grads = tape.gradients([y, *others[: len(call.grad_others)]], grads_of_outputs)
    decided = ~np.asarray(UNDECIDED.get(call.name, lambda *arguments: False)(*call.arguments))
    for name, (node, grad) in watched.items():
        assert np.shape(grad) == node.data.shape, f"{call.name}: {name}"
        terms = [np.abs(np.where(decided, one.grad, 0)) for one in grads.contributions(node)]
        scale = max(np.abs(array).max(initial=0) for array in (*grads_of_outputs, *terms))
        one, other = (np.where(decided, array, 0) for array in (grad, grads[node]))
        np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=f"{call.name}: {name}")


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_the_tape_finds_the_gradients_of_every_plain_backward(entry):
    calls = [call for seed in range(CASES) for call in calls_of(entry, seed)]
    if not calls:
        pytest.skip(f"{entry.name} is no pair of functions yet")
    for call in calls:
        check(call)


def test_every_pair_is_called_by_the_catalogue():
    called = set()
    for entry in ENTRIES:
        for seed in range(CASES):
            called |= {f"{call.functions[0].__module__}.{call.name}" for call in calls_of(entry, seed)}
    assert sorted(set(PAIRS) - called - PARTS) == []


def test_the_tape_objects_to_a_wrong_backward():
    def wrong_backward(grad_y, weight, saved):
        grad_x, grad_weight, grad_bias = linear.linear_backward(grad_y, weight, saved)
        grad_x = grad_x * (1 + 1e-11)
        return grad_x, grad_weight, grad_bias

    linear = importlib.import_module("scratch.nn.linear")
    layer = linear.Linear(3, 2, dtype=np.float64)
    layer.functions = linear.linear, wrong_backward
    with recorded_calls() as calls:
        layer.backward(layer(np.random.default_rng(0).normal(size=(4, 3))))
    with pytest.raises(AssertionError, match="linear: x"):
        check(calls[0])
