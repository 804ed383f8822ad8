"""What a wrong gradient was made of: a true gradient times a number, summed, or times a value that forward computed."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.lines.gradients import FilledGradients
from scratch.tape import Node

MOST = 40
SLOPES = {
    "{}": lambda a: a,
    "(1 - {})": lambda a: 1 - a,
    "{0} * (1 - {0})": lambda a: a * (1 - a),
    "(1 - {}**2)": lambda a: 1 - a * a,
    "(1 - tanh({})**2)": lambda a: 1 - np.tanh(a) ** 2,
    "the derivative of sigmoid({})": lambda a: np.exp(-np.abs(a)) / (1 + np.exp(-np.abs(a))) ** 2,
    "exp({})": np.exp,
    "({} > 0)": lambda a: (a > 0).astype(np.float64),
    "2 * {}": lambda a: 2 * a,
    "1 / {}": lambda a: 1 / a,
}


def describe(values: np.ndarray, grads: FilledGradients, named: dict[Node, str], equal: Callable[..., bool]) -> str:
    """Express ``values`` by the true gradients and forward's values, in words; "" if that does not succeed."""
    nodes = [node for node in named if node.data.dtype.kind == "f"][:MOST]
    with np.errstate(all="ignore"):
        for words, made in _candidates(values.shape, nodes, grads, named):
            if made.shape == values.shape and np.isfinite(made).all() and equal(values, made):
                return words
        for node in nodes:
            if words := multiple(values, grads, node, named[node]):
                return words
    return ""


def multiple(values: np.ndarray, grads: FilledGradients, node: Node, name: str) -> str:
    """Return which multiple of a node's gradient ``values`` are, "" if they are not a multiple of it."""
    ratio = _ratio(values, grads[node])
    if ratio is None or ratio == 1:
        return ""
    return f"{'minus' if abs(ratio + 1) < 1e-9 else f'{ratio:.6g} times'} the gradient of {name}"


def _candidates(
    shape: tuple[int, ...], nodes: list[Node], grads: FilledGradients, named: dict[Node, str]
) -> Iterator[tuple[str, np.ndarray]]:
    for node in nodes:
        grad = grads[node]
        for axis in range(grad.ndim):
            for keep in (False, True):
                yield f"the gradient of {named[node]}, summed over axis {axis}", grad.sum(axis, keepdims=keep)
                yield f"the gradient of {named[node]}, averaged over axis {axis}", grad.mean(axis, keepdims=keep)
    for node, other in itertools.product(nodes, nodes):
        grad, value = grads[node], other.data
        if value.size > 1 and broadcasts(grad.shape, value.shape, shape):
            for words, slope in SLOPES.items():
                yield f"the gradient of {named[node]} times {words.format(named[other])}", grad * slope(value)
        if grad.ndim == value.ndim == 2:
            for words, one, two in (
                (f"{named[other]}.T @ the gradient of {named[node]}", value.T, grad),
                (f"the gradient of {named[node]} @ {named[other]}.T", grad, value.T),
                (f"the gradient of {named[node]} @ {named[other]}", grad, value),
                (f"{named[other]} @ the gradient of {named[node]}", value, grad),
            ):
                if one.shape[1] == two.shape[0] and shape in (
                    (one.shape[0], two.shape[1]),
                    (two.shape[1], one.shape[0]),
                ):
                    yield words, one @ two
                    yield f"({words}).T", (one @ two).T


def broadcasts(one: tuple[int, ...], other: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Return whether arrays of two shapes broadcast to a third one."""
    try:
        return np.broadcast_shapes(one, other) == wanted
    except ValueError:
        return False


def _ratio(values: np.ndarray, grad: np.ndarray) -> float | None:
    if values.shape != grad.shape or not np.any(grad) or values.size < 2:
        return None
    ratio = float((values * grad).sum() / (grad * grad).sum())
    close = np.abs(values - ratio * grad).max() <= 1e-8 * np.abs(values).max()
    return ratio if close and ratio else None
