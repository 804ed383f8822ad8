"""The true gradients of a forward, and which of them an array is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from scratch.tape import Gradients, Node

RTOL, ATOL = 1e-7, 1e-9
"""How nearly equal two gradients are that are the same; the second is of the largest element."""


@dataclass(eq=False)
class Known:
    """A true gradient, or a part of one, in words."""

    values: np.ndarray
    words: str
    node: Node
    whole: bool


class FilledGradients:
    """The gradients on a tape, where an array that is filled element by element is one value.

    On the tape each assignment to a part makes a new array, and what was read before has no part in the gradient of the
    last one. Here each element has the gradient that it had when it was last written.
    """

    def __init__(self, grads: Gradients) -> None:
        self.contributions = grads.contributions
        self._grads = grads
        self._filled: dict[Node, np.ndarray] = {}

    def __getitem__(self, node: Node) -> np.ndarray:
        waiting = []
        while node.operation == "setitem" and node not in self._filled:
            waiting.append(node)
            node = before(node)
        grad = self._filled[node] if node in self._filled else self._grads[node]
        for node in reversed(waiting):
            index = node.arguments[1]
            grad = self._filled[node] = grad.copy()
            grad[index] = self._grads[node][index]
        return grad


def before(node: Node) -> Node:
    """Return what an array was before an assignment to a part of it."""
    return next(edge.operand for edge in node.edges if edge.place == 0)


class KnownGradients:
    """Many gradients, those of one shape as the rows of a matrix: each line is compared with all that a loop has."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._known = list(known)
        of_shape: dict[tuple[int, ...], list[Known]] = {}
        for one in self._known:
            of_shape.setdefault(shape_of(one.values), []).append(one)
        self._rows = {shape: (some, np.stack([one.values.ravel() for one in some])) for shape, some in of_shape.items()}

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known)

    def same_as(self, values: np.ndarray) -> list[Known]:
        """Return those that are the `same` as an array."""
        known, rows = self._like(values)
        sizes = np.abs(rows).max(axis=1, initial=0)
        near = np.isclose(np.ravel(values), rows, rtol=RTOL, atol=ATOL * sizes[:, None])
        return _chosen(known, near.all(axis=1) & (sizes > 0))

    def multiples_of(self, values: np.ndarray) -> list[Known]:
        """Return those of which an array of several elements is a multiple."""
        known, rows = self._like(values)
        row = np.ravel(values)
        if row.size < 2 or not np.any(row):
            return []
        with np.errstate(all="ignore"):
            multiples = (rows @ row / (rows**2).sum(axis=1))[:, None] * rows
            return _chosen(known, np.abs(multiples - row).max(axis=1) <= RTOL * np.abs(row).max())

    def _like(self, values: np.ndarray) -> tuple[list[Known], np.ndarray]:
        return self._rows.get(shape_of(values), ([], np.empty((0, np.size(values)))))


def _chosen(known: list[Known], which: np.ndarray) -> list[Known]:
    return [one for one, is_chosen in zip(known, which, strict=True) if is_chosen]


def spread_from(grad: np.ndarray) -> np.ndarray:
    """Return a gradient without the axes along which all elements are equal, as after a sum or a mean."""
    for axis in range(grad.ndim):
        first = grad.take([0], axis) if grad.shape[axis] else grad
        grad = first if np.array_equal(grad, np.broadcast_to(first, grad.shape)) else grad
    return grad


def shape_of(values: np.ndarray) -> tuple[int, ...]:
    """Return an array's shape without the axes of length 1, which do not matter here."""
    return tuple([n for n in np.shape(values) if n != 1])


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return how nearly an array is a multiple of another of as many elements, from 0 to 1."""
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(abs(np.vdot(one, other)) / size) if size else 0.0


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two gradients are equal up to rounding and axes of length 1; zeros are equal to nothing."""
    one, other = np.asarray(one), np.asarray(other)
    if shape_of(one) != shape_of(other):
        return False
    size = np.abs(other).max(initial=0)
    return bool(size > 0 and np.allclose(one.reshape(other.shape), other, rtol=RTOL, atol=ATOL * size))
