"""A pair of functions, executed statement by statement: each B computes the gradient that its name says."""

import json
import linecache
import sys
import types

import numpy as np
import pytest

import scratch.nn as nn
from parity_tests.catalogue import LayerCase, of_kind
from parity_tests.harness import pencil
from parity_tests.harness.calls import Call, recorded_calls
from parity_tests.harness.execution import in_columns
from parity_tests.harness.outputs import upstream_for
from parity_tests.harness.trace import as_json, trace

ENTRIES = of_kind("layer", "loss", "distribution")
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
RIGHT = {"equal", "part", "room", "constant", "helper"}


def traced(name, seed=0):
    layer = pencil.make(name, None, {}, seed)
    return pencil.traces(layer, pencil.inputs(layer, (), None, seed), seed)


@each_entry
@pytest.mark.parametrize("seed", range(5))
def test_every_statement_of_backward_computes_the_gradient_that_its_name_says(entry, seed):
    if pencil.class_of(entry.name) is None:
        pytest.skip(f"{entry.name} is no layer of scratch.nn")
    found = traced(entry.name, seed)
    if not found:
        pytest.skip(f"{entry.name} is no pair of functions")
    for one in found:
        assert {step.label: step.of for step in one.backward if step.verdict not in RIGHT} == {}
        assert one.agrees
        assert [step for step in one.backward if step.verdict == "helper"] == []


@each_entry
def test_so_it_does_with_every_option(entry):
    for seed in range(6):
        case = entry.case("float64", seed)
        if not isinstance(case, LayerCase):
            pytest.skip("is no layer")
        # At kinks, a layer's convention and the tape's may differ: see test_fourth_witness.
        inputs = [np.where(x == np.round(x), x + 0.37, x) if x.dtype.kind == "f" else x for x in case.inputs]
        if entry.name == "BCELoss":
            inputs = [np.clip(x, 0.01, 0.99) for x in case.inputs]
        with recorded_calls() as calls, np.errstate(all="ignore"):
            case.layer.backward(*upstream_for(case.layer(*inputs), np.random.default_rng(seed)))
        if getattr(case.layer, "padding_idx", None) is not None:
            continue  # its row does not learn, though the output depends on it
        for call in calls:
            wrong = {step.label: step.of for step in trace(call).backward if step.verdict not in RIGHT}
            assert wrong == {}, f"{case.layer!r} at seed {seed}"


@each_entry
def test_the_trace_ends_where_the_functions_end(entry):
    if pencil.class_of(entry.name) is None:
        pytest.skip(f"{entry.name} is no layer of scratch.nn")
    layer = pencil.make(entry.name, None, {}, 0)
    inputs = pencil.inputs(layer, (), None, 0)
    with recorded_calls() as calls:
        layer.backward(upstream_for(layer(*inputs), np.random.default_rng(0))[0])
    for call in calls:
        grads = [grad for grad in call.grads if grad is not None]
        for traced_grad, grad in zip(trace(call).gradients.values(), grads, strict=True):
            np.testing.assert_array_equal(traced_grad, grad)


def test_linear_step_by_step():
    layer = nn.Linear(2, 1, dtype=np.float64)
    layer.weight.data[...], layer.bias.data[...] = [[2.0, 3.0]], 1.0
    with recorded_calls() as calls:
        layer(np.array([[1.0, 10.0], [0.0, 1.0]]))
        layer.backward(np.array([[5.0], [7.0]]))
    found = trace(calls[0])
    assert [(step.label, step.statement) for step in found.forward] == [
        ("F1", "z = x @ weight.T"),
        ("F2", "y = z + bias"),
    ]
    assert [value.tolist() for step in found.forward for value in step.values.values()] == [[[32], [3]], [[33], [4]]]
    assert found.forward[0].equation == "z = x weight^T"
    assert (found.backward[0].equation, found.backward[0].remark[:34]) == (
        "grad_bias = sum_n grad_y",
        "F2: a broadcast becomes a sum. A s",
    )
    assert [(step.label, step.of, step.verdict, step.tape.tolist()) for step in found.backward] == [
        ("B2", "bias", "equal", [12]),
        ("B1a", "weight", "equal", [[5, 57]]),
        ("B1b", "x", "equal", [[10, 15], [14, 21]]),
    ]
    assert {name: grad.tolist() for name, grad in found.gradients.items()} == {
        "x": [[10, 15], [14, 21]],
        "weight": [[5, 57]],
        "bias": [12],
    }


def test_a_layer_whose_arguments_are_unknown_is_drawn_from_the_catalogue(monkeypatch):
    monkeypatch.delitem(pencil.ARGUMENTS, "Conv2d")
    (found,) = traced("Conv2d")
    assert found.agrees
    assert found.arguments["x"].dtype == np.float64


def test_equations_and_remarks_are_told_apart_by_their_columns():
    docstring = """A layer.

    B3  grad_a = grad_b / c
                 + 2 d grad_e          (M, C)  F4 and F3: a is used twice,
                 for each n                    an addition
    """
    lines = docstring.splitlines()[2:5]
    text = "\n".join([lines[0].split("B3  ")[1], *lines[1:]])
    assert in_columns(text, docstring, "(M, C)") == (
        "grad_a = grad_b / c + 2 d grad_e for each n",
        "F4 and F3: a is used twice, an addition",
    )
    assert in_columns("y = 2 a     twice", "    F1  y = 2 a     twice", "()") == ("y = 2 a", "twice")
    assert in_columns("y = 2 a", "    F1  y = 2 a", None) == ("y = 2 a", "")
    assert in_columns("y = a, as (N, O)  back", "    F1  y = a, as (N, O)  back", "(N, O)") == (
        "y = a, as (N, O)",
        "back",
    )


def test_uses_are_kept_apart():
    step = next(step for step in traced("BatchNorm1d")[0].backward if step.of == "centred")
    assert [(one.through, one.operation, one.counted) for one in step.contributions] == [
        ("F6", "divide", True),
        ("F3", "power", True),
    ]
    np.testing.assert_allclose(sum(one.gradient for one in step.contributions), step.values["grad_centred"])


def test_what_has_no_name_in_forward_is_named_by_its_operation():
    step = next(step for step in traced("ELU")[0].backward if step.label == "B2")
    assert (step.of, step.verdict) == ("np.minimum in F2", "equal")


SOURCE = '''"""Twice.

    F1  h = x x                    (...)
    F2  y = h + x                  (...)
    B2  grad_h = grad_y            (...)
    B1a double = 2 x               (...)
    B1b grad_x = ?                 (...)
"""


def twice(x):
    h = x * x  # F1 (...)
    y = h + x  # F2 (...)
    return y, (x,)


def twice_backward(grad_y, saved):
    (x,) = saved
    grad_h = grad_y  # B2 (...)
    double = 2 * x  # B1a (...)
    grad_x = {grad_x}  # B1b (...)
    return grad_x
'''


@pytest.mark.parametrize(
    ("grad_x", "verdict", "counted"),
    [
        ("double * grad_h + grad_y", "equal", 3),
        ("double * grad_h", "part", 2),
        ("x * grad_h", "part", 1),
        ("grad_y * 1", "part", 1),
        ("3 * x * grad_h + grad_y", "differs", 3),
        ("double * grad_h + grad_y + 1e-9", "differs", 3),
    ],
)
def test_a_wrong_statement_differs_and_some_of_a_sum_is_a_part(grad_x, verdict, counted, monkeypatch):
    source = SOURCE.format(grad_x=grad_x)
    module = types.ModuleType("made_up")
    module.__file__ = "made_up.py"
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "made_up", module)
    monkeypatch.setitem(linecache.cache, module.__file__, (len(source), None, source.splitlines(True), module.__file__))
    call = Call((module.twice, module.twice_backward), (np.array([2.0, 3.0]),), np.array([5.0, 7.0]))
    found = trace(call)
    assert [step.verdict for step in found.backward] == ["equal", "helper", verdict]
    assert sum(one.counted for one in found.backward[-1].contributions) == counted
    assert found.agrees == (verdict == "equal")


def test_json_has_no_numbers_that_json_lacks():
    found = as_json({"a": np.array([1.0, np.inf, -np.inf, np.nan]), "b": (np.float32(2), None, slice(3)), "c": np.nan})
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "a": {"shape": [4], "dtype": "float64", "numbers": [1.0, "inf", "-inf", "nan"]},
        "b": [{"shape": [], "dtype": "float32", "numbers": 2.0}, None, "slice(None, 3, None)"],
        "c": "nan",
    }


def test_a_traces_json_has_the_keys_that_the_docstring_names():
    found = traced("BatchNorm1d")[0].as_json()
    assert list(found) == ["name", "module", "arguments", "forward", "grad_y", "grad_others", "backward", "gradients"]
    assert list(found["forward"][0]) == ["label", "equation", "remark", "shape", "statement", "line", "values"]
    extra = ["of", "tape", "verdict", "contributions"]
    assert list(found["backward"][0]) == ["label", "equation", "remark", "shape", "statement", "line", "values", *extra]
    contributions = [one for step in found["backward"] for one in step["contributions"]]
    assert all(list(one) == ["through", "operation", "gradient", "counted"] for one in contributions)
    json.dumps(found, allow_nan=False)
