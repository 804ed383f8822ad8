"""Check a class of arrays that record their operations: a tensor with an autograd of its own.

Each operation runs on arrays of its own, one of two operands also on shapes that are broadcast. The gradients that
``backward`` leaves in the operands are compared with finite differences of the operation. The upstream gradient is
random: handed to ``backward`` where it takes one, else as the factor of a sum. Then come arrays and results that are
used twice.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis import scalars
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.tensor_operations import Operation, Shapes, operations, weighing
from parity_tests.harness import arrays

HOLDERS = ("data", "value", "array", "values")
RECORDING = ("requires_grad", "autograd")
"""Options of the constructor without which some tensors record nothing."""


@dataclass(frozen=True)
class Tensors:
    """A class of tensors: how one is made and read, and whether its ``backward`` takes an upstream gradient."""

    cls: type
    stage: Stage

    def made(self, values: np.ndarray) -> object:
        """Return a tensor that records what is done with it."""
        options = inspect.signature(self.cls).parameters
        return self.cls(np.array(values), **{name: True for name in RECORDING if name in options})

    def values(self, tensor: object) -> np.ndarray | None:
        """Return a tensor's array; None of anything else, and of one that does not hold floating-point numbers."""
        if not isinstance(tensor, self.cls):
            return None
        found = _array_of(tensor)
        return found if found is not None and found.dtype.kind == "f" else None

    def gradient(self, tensor: object) -> np.ndarray | None:
        """Return the gradient that ``backward`` left in a tensor, an array or a tensor itself; None for none."""
        found = getattr(tensor, "grad", None)
        found = _array_of(found) if isinstance(found, self.cls) else found
        return None if found is None else np.asarray(found)

    @property
    def takes_upstream(self) -> bool:
        """Whether ``backward`` takes an upstream gradient."""
        _, *fronts = inspect.signature(self.cls.backward).parameters
        return bool(fronts) and bool(words.UPSTREAM.match(fronts[0]))

    @property
    def ways(self) -> tuple[Callable | None, ...]:
        """In which forms ``backward`` may take an upstream gradient: as an array, or as a tensor; None for neither."""
        return (np.array, self.made) if self.takes_upstream else (None,)

    def undo(self, made: object, upstream: np.ndarray, way: Callable | None) -> None:
        """Run backward from a result; without an upstream gradient, from its sum, each element times a factor."""
        if way is not None:
            made.backward(way(upstream))
            return
        weighted = made * self.made(upstream) if (upstream != 1).any() else made
        # Many a backward begins at a number.
        (weighted.sum() if hasattr(made, "sum") and self.values(weighted).ndim else weighted).backward()


def _array_of(tensor: object) -> np.ndarray | None:
    return next((held for name in HOLDERS if isinstance(held := getattr(tensor, name, None), np.ndarray)), None)


def is_tensor(thing: object) -> bool:
    """Return whether a class holds an array and its gradient, and records operations."""
    if not isinstance(thing, type) or not hasattr(thing, "backward") or hasattr(thing, "forward"):
        return False
    values, quiet = arrays.array((2, 3)), Stage(shows=0)
    try:
        with quiet(thing.__name__):
            made = Tensors(thing, quiet).made(values)
    except LearnerRaisedError:
        return False
    held = _array_of(made)
    return held is not None and held.shape == values.shape and hasattr(made, "grad")


def examine(cls: type, stage: Stage, method: str = "") -> tuple[int, str]:
    """Return the status and the report on each operation of a class of tensors, or on those of one method."""
    kind = Tensors(cls, stage)
    lines, wrong = [f"{cls.__name__}, an array that remembers its operations, against finite differences", ""], []
    weigh = kind.takes_upstream or all(_fault(kind, one, True) == "" for one in weighing(cls))
    for operation in operations(cls):
        if method not in ("", operation.method):
            continue
        fault = _fault(kind, operation, weigh)
        if fault is None:
            continue
        lines.append(f"  {operation.name}: {fault or 'agrees'}")
        if fault:
            wrong.append(scalars.where_written(cls, operation.method))
    if len(lines) == 2:
        raise NotUnderstoodError(f"{cls.__name__} has no {method or 'operations'} that could be run on arrays")
    if not weigh:
        lines += [
            "",
            "note: each upstream gradient was 1: a random one would need backward(grad), or a right * and sum()",
        ]
    if not wrong:
        return 0, "\n".join([*lines, "", "All agree."])
    return 1, "\n".join([*lines, "", *dict.fromkeys(place for place in wrong if place)])


def way_of(kind: Tensors) -> Callable | None:
    """Return the way in which ``backward`` takes an upstream gradient: the first in which an operation's runs."""
    for operation in operations(kind.cls):
        case = _case(kind, operation, operation.shapes[0], True)
        if case is not None:
            return case.undone()[1]
    return None


def _fault(kind: Tensors, operation: Operation, weigh: bool) -> str | None:
    """Return what is wrong with an operation's gradients, "" if nothing is; None if it makes no tensor anywhere."""
    tried = False
    for shapes in operation.shapes:
        case = _case(kind, operation, shapes, weigh)
        if case is None:
            continue
        tried = True
        if fault := case.fault():
            return fault
    return "" if tried else None


def _case(kind: Tensors, operation: Operation, shapes: Shapes, weigh: bool) -> "_Case | None":
    """Return an operation on operands that it takes: positive ones, for a logarithm; None if it takes none."""
    drawn = [arrays.array(shape, seed=number) for number, shape in enumerate(shapes)]
    for values in (drawn, [np.abs(one) for one in drawn]):
        try:
            with kind.stage(operation.name, reseed=True):
                made = kind.values(operation.run(*map(kind.made, values)))
        except LearnerRaisedError:
            continue
        if made is not None and np.isfinite(made).all():
            upstream = arrays.array(made.shape, seed=9) if weigh else np.ones(made.shape)
            return _Case(kind, operation, values, upstream)
    return None


@dataclass(frozen=True)
class _Case:
    kind: Tensors
    operation: Operation
    operands: list[np.ndarray]
    upstream: np.ndarray

    def fault(self) -> str:
        """Return what is wrong with the gradients, "" if nothing is."""
        tensors, _, raised = self.undone()
        if raised:
            return f"backward raises {raised}"
        for index, tensor in enumerate(tensors):
            if fault := self._of_gradient(index, self.kind.gradient(tensor)):
                return fault
        return ""

    def undone(self) -> tuple[list, Callable | None, str]:
        """Run backward; return the operands, the way in which backward takes an upstream gradient, what it raised."""
        raised = ""
        for way in self.kind.ways:
            tensors = list(map(self.kind.made, self.operands))
            try:
                with self.kind.stage(self.operation.name, reseed=True):
                    self.kind.undo(self.operation.run(*tensors), self.upstream, way)
            except LearnerRaisedError as error:
                raised = raised or str(error).splitlines()[-1]
            else:
                return tensors, way, ""
        return [], None, raised

    def _of_gradient(self, index: int, grad: np.ndarray | None) -> str:
        letter, operand = "ab"[index], self.operands[index]
        shapes = " and ".join(str(one.shape) for one in self.operands)
        if grad is None:
            return f"{letter} gets no gradient"
        if grad.shape != operand.shape:
            said = f"the gradient of {letter} has the shape {grad.shape}, expected {operand.shape}, for {shapes}"
            return said + ": sum it over the axes along which the array was broadcast" * (grad.size > operand.size)
        slopes = self._slopes(index)
        wrong = ~(np.abs(grad - slopes) <= 1e-6 * (1 + np.abs(slopes)))
        if not wrong.any():
            return ""
        at = tuple(map(int, np.argwhere(wrong)[0]))
        said = f"the gradient of {letter} is {grad[at]:.6g} at {at}, expected {slopes[at]:.6g}, for {shapes}"
        return said + self._guess(grad, slopes)

    def _guess(self, grad: np.ndarray, slopes: np.ndarray) -> str:
        upstream = self.upstream if self.upstream.shape == slopes.shape else np.full(slopes.shape, np.nan)
        guesses = {
            "the sign is flipped": -slopes,
            "it stays 0": np.zeros_like(slopes),
            "half of what it should be: assigned where it has to be added (+=), or a 2 is lost": slopes / 2,
            "twice what it should be": 2 * slopes,
            "it is the upstream gradient; the operation's own derivative is left out": upstream,
            "the upstream gradient is left out": slopes / upstream,
        }
        return next((f" -> {said}" for said, guess in guesses.items() if np.allclose(grad, guess, 1e-6, 1e-9)), "")

    def _slopes(self, index: int) -> np.ndarray:
        """Return the gradient of one operand by finite differences."""
        slopes = np.zeros_like(self.operands[index])
        for at in np.ndindex(slopes.shape):
            whole, half = (self._central(index, at, step) for step in (scalars.STEP, scalars.STEP / 2))
            slopes[at] = (4 * half - whole) / 3
        return slopes

    def _central(self, index: int, at: tuple[int, ...], step: float) -> float:
        ends = []
        for sign in (1, -1):
            moved = [np.array(one) for one in self.operands]
            moved[index][at] += sign * step
            with self.kind.stage(self.operation.name, reseed=True):
                made = self.kind.values(self.operation.run(*map(self.kind.made, moved)))
            ends.append((self.upstream * made).sum())
        return (ends[0] - ends[1]) / (2 * step)
