"""The tape: each rule against finite differences, the graph's bookkeeping, and what it refuses to follow."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from parity_tests.harness import arrays
from scratch.tape import NotFollowedError, Tape
from scratch.vjp import COMPOSED, FRESH, RULES, WITHOUT_GRADIENT, unbroadcast

STEP = 2.0**-13
MASK = np.array([[True, False, True], [False, False, True]])
PLACES = np.array([[2, 0, 2], [1, 1, 0]])


class Case(NamedTuple):
    """A function of arrays of these shapes; ``positive`` if it is defined for positive numbers only."""

    function: object
    shapes: tuple
    positive: bool = False


def masked(x):
    x = x * 1
    x[MASK] *= 0.5
    x[1] = x[0] * 2
    x[:, 1] += 3
    return x


def in_place(x, y):
    z = x * y
    z += x
    z /= 1 + y * y
    np.multiply(z, y, out=z)
    return z


def clipped_in_place(x):
    z = x * x
    np.clip(z, 0.2, 1.2, out=z)
    total = np.zeros_like(z[0])
    np.sum(z * z, axis=0, out=total)
    return z * x + total


def filled(x):
    y = np.zeros_like(x)
    for row in range(len(x)):
        y[row] = x[row] * x[0]
    return y


ONE, TWO = ((2, 3),), ((2, 3), (2, 3))
CASES = {
    "negative": Case(lambda x: -x, ONE),
    "positive": Case(lambda x: +x * x, ONE),
    "exp": Case(np.exp, ONE),
    "expm1": Case(np.expm1, ONE),
    "log": Case(np.log, ONE, True),
    "log1p": Case(np.log1p, ONE, True),
    "log2": Case(np.log2, ONE, True),
    "log10": Case(np.log10, ONE, True),
    "sqrt": Case(np.sqrt, ONE, True),
    "square": Case(np.square, ONE),
    "reciprocal": Case(np.reciprocal, ONE),
    "tanh": Case(np.tanh, ONE),
    "arctanh": Case(lambda x: np.arctanh(np.tanh(x) / 2), ONE),
    "sin": Case(np.sin, ONE),
    "cos": Case(np.cos, ONE),
    "abs": Case(abs, ONE),
    "clip": Case(lambda x: np.clip(x, -1, 1.2) * x, ONE),
    "clip in place": Case(clipped_in_place, ONE),
    "clip by name": Case(lambda x: np.clip(x, a_min=-1, a_max=1.2) * x, ONE),
    "clip from below": Case(lambda x: np.clip(x, -0.5, None) * x, ONE),
    "clip from above": Case(lambda x: x.clip(None, 0.1) * x, ONE),
    "astype": Case(lambda x: (x * x).astype(np.float64), ONE),
    "add": Case(lambda x, y: x * y + y, TWO),
    "subtract": Case(lambda x, y: x * y - y, TWO),
    "from a number": Case(lambda x: 1 - 2 / (3 + x * x), ONE),
    "multiply": Case(lambda x, y: x * y * x, TWO),
    "divide": Case(lambda x, y: x / y, TWO),
    "power": Case(lambda x: x**3 - 2 * x**-1 + x**0, ONE),
    "power of arrays": Case(lambda x, y: x**y, TWO, True),
    "maximum": Case(lambda x, y: np.maximum(x, y) * y, TWO),
    "minimum": Case(lambda x, y: np.minimum(x, y) * y, TWO),
    "logaddexp": Case(np.logaddexp, TWO),
    "broadcast": Case(lambda x, y, z: x * y / z + z - x**2 * z, ((4, 1, 3), (2, 1), (3,))),
    "broadcast a scalar": Case(lambda x, y: x * y + y, ((2, 3), ())),
    "matmul": Case(lambda x, y: x @ y, ((2, 3), (3, 4))),
    "matmul of stacks": Case(np.matmul, ((5, 1, 2, 3), (4, 3, 2))),
    "vector by matrix": Case(np.matmul, ((3,), (3, 4))),
    "vector by stack": Case(np.matmul, ((3,), (5, 3, 4))),
    "matrix by vector": Case(np.matmul, ((2, 3), (3,))),
    "stack by vector": Case(np.matmul, ((5, 2, 3), (3,))),
    "vector by vector": Case(np.matmul, ((3,), (3,))),
    "constant by matrix": Case(lambda x: np.ones((4, 2)) @ x @ np.ones((3, 5)), ONE),
    "dot": Case(lambda x, y: x.dot(y), ((2, 3), (3,))),
    "dot with a number": Case(lambda x: np.dot(x * x, 2.0), ONE),
    "dot of a stack": Case(lambda x, y: np.dot(x * x, y), ((2, 4, 3), (3, 2))),
    "dot of two stacks": Case(np.dot, ((2, 2, 3), (2, 3, 4))),
    "dot of a vector and a stack": Case(np.dot, ((3,), (2, 3, 4))),
    "a number times a stack": Case(lambda x: np.dot(2.0, x * x), ((2, 3, 2),)),
    "dot of a stack and a vector": Case(np.dot, ((2, 4, 3), (3,))),
    "dot of matrices": Case(np.dot, ((2, 3), (3, 4))),
    "dot of vectors": Case(np.dot, ((3,), (3,))),
    "append": Case(lambda x, y: np.append(x, y) ** 2, ((2, 3), (4,))),
    "append along an axis": Case(lambda x, y: np.append(x, y, axis=1) ** 2, ((2, 3), (2, 1))),
    "append numbers": Case(lambda x: np.append(x[0], [[1.0], [2.0]]) ** 2, ONE),
    "tensordot": Case(np.tensordot, ((2, 3, 4), (3, 4, 5))),
    "tensordot over axes": Case(lambda x, y: np.tensordot(x, y, ((0, -1), (2, 0))), ((2, 3, 4), (4, 3, 2))),
    "tensordot over one axis": Case(lambda x, y: np.tensordot(x, y, axes=(1, 0)) ** 2, ((2, 3), (3, 4))),
    "tensordot over all axes": Case(lambda x, y: np.tensordot(x, y), TWO),
    "outer by tensordot": Case(lambda x, y: np.tensordot(x, y, 0), ((2, 3), (4,))),
    "einsum": Case(lambda x, y: np.einsum("ij,jk->ik", x, y), ((2, 3), (3, 4))),
    "einsum, implicit": Case(lambda x, y: np.einsum("ij, jk", x, y), ((2, 3), (3, 4))),
    "einsum of three": Case(lambda x, y, z: np.einsum("bi,ij,bj->b", x, y, z), ((2, 3), (3, 4), (2, 4))),
    "einsum, an index alone": Case(lambda x, y: np.einsum("ijk,j->i", x, y), ((2, 3, 2), (3,))),
    "einsum of one": Case(lambda x: np.einsum("ij->ji", x * x), ONE),
    "sum": Case(lambda x: x.sum() * x.sum(axis=0), ONE),
    "sum, keepdims": Case(lambda x: x / x.sum(axis=(0, 2), keepdims=True), ((2, 3, 4),), True),
    "mean": Case(lambda x: (x - x.mean(axis=-1, keepdims=True)) * x.mean() + np.mean(x * x, 0), ONE),
    "var": Case(lambda x: x.var() * np.var(x, axis=1, keepdims=True, ddof=1), ONE),
    "std": Case(lambda x: x / np.std(x, axis=0) + x.std(ddof=1), ((4, 3),)),
    "prod": Case(lambda x: x.prod(axis=(0, 2)) * np.prod(x), ((2, 3, 2),)),
    "prod with a zero": Case(lambda x: np.prod(x * np.array([1.0, 0.0, 2.0]) + [0, 0.0, 1], axis=1), ONE),
    "prod with zeros": Case(lambda x: np.prod(x * np.array([0.0, 0.0, 2.0]), axis=1), ONE),
    "nansum": Case(lambda x: np.nansum(x * x, axis=1) * np.nansum(x), ONE),
    "cumsum": Case(lambda x: np.cumsum(x * x, axis=1) * x.cumsum(axis=0), ONE),
    "norm": Case(lambda x: np.linalg.norm(x) * np.linalg.norm(x, axis=-1, keepdims=True), ONE),
    "ravel in the memory's order": Case(lambda x: x.T.ravel("K") * np.ravel(x, order="A"), ONE),
    "norm of all": Case(lambda x: np.linalg.norm(x.T) * np.linalg.norm(x, keepdims=True), ((7, 9),)),
    "norm of vectors": Case(lambda x: np.linalg.norm(x, 2, axis=1), ONE),
    "outer": Case(lambda x: np.outer(x[0], x), ONE),
    "cumsum of all": Case(lambda x: np.cumsum(x * x), ONE),
    "max": Case(lambda x: x.max(axis=1, keepdims=True) * x + x.max() * np.max(x, axis=0), ONE),
    "max over axes": Case(lambda x: x.max(axis=(0, -1)) * np.amax(x, axis=(2, 0)), ((2, 3, 4),)),
    "max from": Case(lambda x: x.max(axis=-1, keepdims=True, initial=-np.inf) * x.max(0, initial=0.7), ONE),
    "min": Case(lambda x: x.min(axis=1, keepdims=True) * x + np.amin(x) * np.min(x, axis=(0, 1)), ONE),
    "where": Case(lambda x, y: np.where(MASK, x * y, y) + np.where(x > 0, x * x, -1.0), TWO),
    "where, broadcast": Case(lambda x, y: np.where(MASK, x, y) * y, ((2, 3), (3,))),
    "reshape": Case(lambda x: x.reshape(3, 2) @ x.reshape((-1, 6)).reshape(2, 3), ONE),
    "ravel": Case(lambda x: x.ravel() * np.ravel(x).flatten(), ONE),
    "squeeze": Case(lambda x: x[None].squeeze(axis=0) * np.expand_dims(x, 0), ONE),
    "at least": Case(lambda x: np.atleast_2d(x[0]) * np.atleast_1d(x.sum()), ONE),
    "transpose": Case(lambda x: x.T @ x + np.transpose(x) @ x, ONE),
    "transpose axes": Case(lambda x: x.transpose(2, 0, 1) * x.transpose((2, 0, 1)) ** 2, ((2, 3, 4),)),
    "move axes": Case(lambda x: np.moveaxis(x, 0, -1).swapaxes(0, 1) * 2, ((2, 3, 4),)),
    "flip": Case(lambda x: np.flip(x, 1) * np.roll(x, 1, axis=1), ONE),
    "triangles": Case(lambda x: np.tril(x) @ np.triu(x) * x.diagonal(), ((3, 3),)),
    "broadcast to": Case(lambda x: np.broadcast_to(x, (4, 2, 3)) * np.arange(4.0)[:, None, None], ONE),
    "repeat": Case(lambda x: np.repeat(x, 2, axis=1) * np.tile(x, (1, 2)), ONE),
    "copy": Case(lambda x: x.copy() * np.copy(x), ONE),
    "take": Case(lambda x: np.take(x * x, [2, 0, 2], axis=1) * np.take_along_axis(x, PLACES, axis=1), ONE),
    "windows": Case(lambda x: sliding_window_view(x, (2, 2), axis=(1, 2))[:, ::2, :, ::1] ** 2, ((2, 5, 4),)),
    "pad": Case(lambda x: np.pad(x * x, ((1, 0), (0, 2))), ONE),
    "pad with a number": Case(lambda x: np.pad(x * x, 1, constant_values=-np.inf)[1:-1, 1:-1], ONE),
    "pad by copies": Case(
        lambda x: np.pad(x, 1, "reflect") * np.pad(x, 1, "edge") * np.pad(x, 1, "wrap") * np.pad(x, 1, "symmetric"), ONE
    ),
    "item": Case(lambda x: x[0] * x[:, :1] + x[1, -1] * x[..., None, 0, 0], ONE),
    "gather": Case(lambda x: x[[0, 1, 0], [2, 2, 2]] * x[:, [1, 1, 0]].sum(), ONE),
    "mask": Case(lambda x: x[MASK] ** 2, ONE),
    "set items": Case(masked, ONE),
    "set items of zeros": Case(filled, ONE),
    "in place": Case(in_place, TWO),
    "concatenate": Case(lambda x, y: np.concatenate([x, y * x[:, :1], np.ones((2, 1)), x], axis=1) ** 2, TWO),
    "stack": Case(lambda x, y: np.stack([x, y, x * y], axis=1) ** 2, TWO),
    "vstack": Case(lambda x, y: np.vstack([x, y[0]]) ** 2, TWO),
    "hstack": Case(lambda x, y: np.hstack([x, y]) ** 2 * np.hstack([x[0], y[0]]), TWO),
    "split": Case(lambda x: np.split(x, [1], axis=1)[1] * np.array_split(x, 3, axis=1)[0], ONE),
    "rows": Case(lambda x: sum(row * row for row in x), ONE),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def draw(case, seed):
    """Return numbers that all differ by more than a step, so that no kink and no tie is near."""
    sizes = [math.prod(shape) for shape in case.shapes]
    numbers = np.split(4 * arrays.distinct((sum(sizes),), seed=seed), np.cumsum(sizes)[:-1])
    inputs = [x.reshape(shape) for x, shape in zip(numbers, case.shapes, strict=True)]
    return [np.abs(x) if case.positive else x for x in inputs]


def slope(function, inputs, directions, grad_y):
    """Return dL/dt at t = 0, of L = sum(grad_y * function(inputs + t directions)), by differences extrapolated to 0."""

    def difference(h):
        ends = [function(*[x + t * d for x, d in zip(inputs, directions, strict=True)]) for t in (h, -h)]
        return (grad_y * (ends[0] - ends[1])).sum() / (2 * h)

    return (4 * difference(STEP / 2) - difference(STEP)) / 3


@each_case
@given(seed=st.integers(0, 10_000))
def test_the_rules_agree_with_finite_differences(case, seed):
    inputs = draw(case, seed)
    tape = Tape()
    values = [tape.watch(x) for x in inputs]
    nodes = [value.node for value in values]
    y = case.function(*values)
    np.testing.assert_array_equal(y.data, case.function(*[x.copy() for x in inputs]))
    rng = np.random.default_rng(seed)
    grad_y = rng.normal(size=y.shape)
    grads = tape.gradients(y, grad_y)
    directions = [rng.normal(size=x.shape) for x in inputs]
    assert [grads[node].shape for node in nodes] == [x.shape for x in inputs]
    products = [grads[node] * direction for node, direction in zip(nodes, directions, strict=True)]
    scale = 1 + sum(np.abs(product).sum() for product in products)
    expected = slope(lambda *xs: case.function(*[x.copy() for x in xs]), inputs, directions, grad_y)
    assert abs(sum(product.sum() for product in products) - expected) < 1e-7 * scale


def test_every_rule_has_a_case():
    seen = set()
    for case in CASES.values():
        tape = Tape()
        case.function(*[tape.watch(x) for x in draw(case, 0)])
        seen |= {node.rules for node in tape.nodes}
    assert [function.__name__ for function, rules in RULES.items() if rules not in seen] == []


SIDES = st.lists(st.integers(1, 3), max_size=3)


@given(sides=SIDES, cut=st.integers(0, 3), ones=st.integers(0, 7), seed=st.integers(0, 99))
def test_a_broadcast_becomes_a_sum(sides, cut, ones, seed):
    shape = tuple(1 if ones >> axis & 1 else side for axis, side in enumerate(sides))[cut:]
    rng = np.random.default_rng(seed)
    grad, x = rng.normal(size=sides), rng.normal(size=shape)
    summed = unbroadcast(grad, shape)
    assert summed.shape == shape
    np.testing.assert_allclose((summed * x).sum(), (grad * x).sum(), rtol=0, atol=1e-12)


# The graph.


def test_a_value_that_is_used_twice_gets_the_sum_of_two_contributions():
    tape = Tape()
    x = tape.watch(np.array([2.0, 3.0]))
    h = x * x
    y = h.sum() + (5 * h)[0]
    grads = tape.gradients(y, 1.0)
    assert [(one.user.operation, one.grad.tolist()) for one in grads.contributions(h)] == [
        ("multiply", [5.0, 0.0]),
        ("sum", [1.0, 1.0]),
    ]
    assert grads[h].tolist() == [6, 1]
    assert grads[x].tolist() == [24, 6]
    assert [one.place for one in grads.contributions(x)] == [0, 1]


def test_every_node_stands_behind_its_operands():
    tape = Tape()
    x, w = tape.watch(np.ones((2, 3))), tape.watch(np.ones((3, 1)))
    np.tanh(x @ w) * x.sum(axis=1, keepdims=True)
    place = {node: k for k, node in enumerate(tape.nodes)}
    assert [node.operation for node in tape.nodes] == ["watch", "watch", "matmul", "tanh", "sum", "multiply"]
    assert all(place[edge.operand] < place[node] for node in tape.nodes for edge in node.edges)


def test_several_outputs_share_one_pass():
    tape = Tape()
    x = tape.watch(np.array([2.0]))
    h = x * x
    grads = tape.gradients((h, 3 * h), ([1.0], [10.0]))
    assert grads[h].tolist() == [31]
    assert grads[x].tolist() == [124]


def test_what_the_output_does_not_depend_on_has_a_gradient_of_zeros():
    tape = Tape()
    x, other = tape.watch(np.ones(2)), tape.watch(np.ones((3, 1)))
    (other * 2).sum()
    grads = tape.gradients(x * x, np.ones(2))
    assert grads[other].tolist() == [[0]] * 3
    assert grads.contributions(other) == []


def test_float32_stays_float32():
    tape = Tape()
    x = tape.watch(np.ones((2, 3), np.float32))
    y = np.where(x > 0, 2 * x / 3, 1.0).mean(axis=0) + x[0].sum() ** 2
    grads = tape.gradients(y, np.ones(3))
    assert y.dtype == grads[x].dtype == np.float32


def test_an_upstream_gradient_is_taken_in_the_dtype_of_its_output():
    tape = Tape()
    y = 2 * tape.watch(arrays.array((2, 3), "float32"))
    assert tape.gradients(y, np.full((2, 3), 0.1))[y].dtype == np.float32


def test_a_value_says_by_what_it_was_made():
    x = Tape().watch(np.ones((2, 3)))
    made = (x + 1, np.exp(x), x[0], x.astype(np.float32))
    names = ["Value(add, shape=(2, 3), dtype=float64)", "Value(exp, shape=(2, 3), dtype=float64)"]
    names += ["Value(getitem, shape=(3,), dtype=float64)", "Value(astype, shape=(2, 3), dtype=float32)"]
    assert [repr(value) for value in made] == names


def test_nothing_is_written_to():
    array, grad = np.ones(3), np.ones(3)
    tape = Tape()
    x = tape.watch(array)
    x += 1
    x[0] = 7
    tape.gradients(x * x, grad)
    assert array.tolist() == grad.tolist() == [1, 1, 1]
    assert x.data.tolist() == [7, 2, 2]


def test_a_constant_may_be_written_to_later():
    tape = Tape()
    x, factor = tape.watch(np.ones(2)), np.array([2.0, 3.0])
    y = x * factor
    factor[...] = 0
    assert tape.gradients(y, np.ones(2))[x].tolist() == [2, 3]


# Kinks and ties.


def gradient(function, x, grad_y):
    tape = Tape()
    value = tape.watch(np.array(x))
    return tape.gradients(function(value), np.array(grad_y))[value].tolist()


@pytest.mark.parametrize(
    ("function", "x", "grad_y", "expected"),
    [
        (abs, [-1.0, 0.0, 2.0], [5.0, 6.0, 7.0], [-5, 0, 7]),
        (lambda x: np.maximum(0, x), [-1.0, 0.0, 2.0], [5.0, 6.0, 7.0], [0, 0, 7]),
        (lambda x: np.maximum(x, 0), [-1.0, 0.0, 2.0], [5.0, 6.0, 7.0], [0, 0, 7]),
        (lambda x: np.minimum(0, x), [-1.0, 0.0, 2.0], [5.0, 6.0, 7.0], [5, 6, 0]),
        (lambda x: np.clip(x, -1, 2), [-1.0, 0.0, 2.0, 3.0], [5.0, 6.0, 7.0, 8.0], [5, 6, 7, 0]),
        (lambda x: x.max(), [3.0, 4.0, 4.0], 5.0, [0, 5, 0]),
        (lambda x: x.max(axis=(0, 1)), [[[3.0], [4.0]], [[4.0], [4.0]]], [[5.0]][0], [[[0], [5]], [[0], [0]]]),
        (lambda x: x.min(axis=0), [[1.0, 2.0], [1.0, 1.0]], [5.0, 6.0], [[5, 0], [0, 6]]),
        (lambda x: x.max(initial=9.0) * 1, [3.0, 4.0], 5.0, [0, 0]),
    ],
)
def test_kinks_and_ties(function, x, grad_y, expected):
    assert gradient(function, x, grad_y) == expected


def test_where_sends_nothing_to_the_branch_that_was_not_taken():
    tape = Tape()
    x = tape.watch(np.array([0.0, 4.0]))
    double = 2 * x
    grads = tape.gradients(np.where(x.data > 0, double, 0), np.array([np.nan, 6.0]))
    assert grads[double].tolist() == [0, 6]


# Refusals.


def written_under_another_name(x):
    y = x * 2
    row = y[0]
    y += 1
    return row * 2


def view_written_to(x):
    y = x * 2
    row = y[0]
    row += 1
    return y * 2


def into_a_plain_array(x):
    y = np.zeros(x.shape)
    y[0] = x[0]
    return y


def out_of_a_plain_array(x):
    y = np.zeros(x.shape)
    y += x
    return y


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: np.linalg.norm(x, 1), "numpy.linalg.norm"),
        (lambda x: np.arctan(x), "numpy.arctan"),
        (lambda x: np.add.reduce(x), "numpy.add.reduce"),
        (lambda x: np.asarray(x), "plain array"),
        (lambda x: np.array(x * 2) + 1, "multiply: its result was turned into a plain array"),
        (lambda x: float(x.sum()), "sum: its result was turned into a plain array or a Python number"),
        (lambda x: x.sum().item(), "sum"),
        (lambda x: bool(x[0, 0]), "getitem"),
        (lambda x: x.sum(where=MASK), "sum: .*where"),
        (lambda x: np.clip(0.5, x, x + 1), "clip: .* argument 1"),
        (lambda x: np.add(x, 1, where=MASK), "add: .*where"),
        (lambda x: np.stack(arrays=[x, x]), "stack: .*by name"),
        (lambda x: np.clip(np.ones(3), a_min=x, a_max=None), "clip: .*by name"),
        (lambda x: x[0, [x]], "getitem: .*nested"),
        (lambda x: np.clip(x, -1, 1, out=np.zeros(x.shape)), "clip: writes into an array that is not on the tape"),
        (lambda x: np.sum(x, out=np.zeros(())), "sum: writes into an array that is not on the tape"),
        (lambda x: x.view(np.int64), "numpy.ndarray.view"),
        (lambda x: x.fill(0), "numpy.ndarray.fill"),
        (lambda x: x.real.sum(), "numpy.ndarray.real: the tape does not know its gradient"),
        (written_under_another_name, "getitem: its result was written to in place"),
        (view_written_to, "multiply: its result was written to in place"),
        (into_a_plain_array, "getitem"),
        (out_of_a_plain_array, "add: writes into an array that is not on the tape"),
    ],
)
def test_what_the_tape_cannot_follow_is_named(function, named):
    with pytest.raises(NotFollowedError, match=named):
        function(Tape().watch(np.ones((2, 3))))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.pad(x, 1, "linear_ramp"),
        lambda x: np.pad(x, 1, "mean"),
        lambda x: np.pad(x, 1, "reflect", reflect_type="odd"),
        lambda x: np.einsum("ii->i", x[:, :2]),
        lambda x: np.einsum("...j->...", x),
    ],
)
def test_some_forms_are_refused_on_the_way_back(function):
    tape = Tape()
    y = function(tape.watch(np.ones((2, 3))))
    with pytest.raises(NotFollowedError, match=f"{y.node.operation}: "):
        tape.gradients(y, y.data)


def test_in_place_results_must_fit():
    x = Tape().watch(np.ones(3))
    with pytest.raises(NotFollowedError, match="does not fit"):
        x += np.ones((2, 3))


def test_misuse_is_refused_with_what_was_expected():
    tape = Tape()
    x = tape.watch(np.ones(3))
    with pytest.raises(TypeError, match="floating-point numbers, got dtype int64"):
        tape.watch(np.arange(3))
    with pytest.raises(TypeError, match="expected a value of this tape, got ndarray"):
        tape.gradients(np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match="expected a value of this tape"):
        tape.gradients(Tape().watch(np.ones(3)), np.ones(3))
    with pytest.raises(ValueError, match=r"expected grad_y of shape \(3,\), got \(\)"):
        tape.gradients(x, 1.0)
    with pytest.raises(ValueError, match="values of one tape"):
        x + Tape().watch(np.ones(3))


def test_comparisons_are_plain_arrays():
    x = Tape().watch(np.array([1.0, np.nan, 3.0]))
    for found in (x > 1, x > 1, x == x, np.isnan(x), np.sign(x), x.argmax(), np.floor(x), (x > 0).all()):
        assert isinstance(found, (np.ndarray, np.generic))
    assert (len(x), x.shape, x.ndim, x.size, x.dtype) == (3, (3,), 1, 3, np.float64)
    assert not hasattr(x, "no_such_attribute")


def test_no_function_has_two_treatments():
    tables = [set(RULES), set(COMPOSED), WITHOUT_GRADIENT, FRESH]
    assert sum(map(len, tables)) == len(set.union(*tables))


def test_what_has_no_gradient_gets_plain_arrays_in_its_options_too():
    tape = Tape()
    x = tape.watch(np.array([3.0, 1.0]))
    np.testing.assert_array_equal(np.argsort(a=x, axis=0), [1, 0])


def test_an_assignment_to_a_part_is_an_operation_of_that_name():
    tape = Tape()
    x = tape.watch(np.zeros(3)) * 1
    x[1] = tape.watch(np.ones(1))[0]
    assert x.node.operation == "setitem"
