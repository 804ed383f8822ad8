r"""Finite differences: the derivative by its definition, to check a hand-written backward without another engine.

    L(t) = sum(grad_output * forward(x + t v))          v a direction: one element of x, or all of it at random

    F1  D(h) = (L(h) - L(-h)) / 2h = L'(0) + h^2 L'''(0) / 6 + O(h^4)
    F2  (4 D(h/2) - D(h)) / 3      = L'(0)                   + O(h^4)        Richardson's extrapolation
    B1  L'(0) = sum(backward(grad_output) * v)

F2 and B1 have to agree. ``grad_output`` is random: with ones, a backward that ignores its argument would pass.

How closely they must agree is derived. F2 errs by less than |D(h) - D(h/2)|, the difference that it extrapolates from.
Rounding, of L and of x + h v, adds about u (|grad_output * y| + |x| |L'(0)|) / h, with the norm over all outputs, the
unit roundoff u = 2^-53, and an allowance of 64 roundings. h is 2^-12, or 2^-12 |x| for an element beyond one. With L
smooth and all numbers near one, that is about 1e-8 + 1e-11.

At a kink (ReLU at 0, two equal maxima) the two one-sided slopes stay apart however small h is, and the definition gives
no answer. Such elements are left undecided; if all of them are, `gradcheck` raises an error.

Everything is float64: in float32 the rounding in L would drown the difference.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from scratch import random
from scratch.grad_mode import no_grad
from scratch.nn.layer import Layer
from scratch.nn.module import Module

STEP = 2.0**-12
ROUNDINGS = 64
DIRECTIONS = 8
"""How many random directions a large array is compared along."""
UNIT_ROUNDOFF = 2.0**-53


class Comparison(NamedTuple):
    """A gradient from ``backward`` and from finite differences; ``allowed`` is NaN where there is a kink."""

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    allowed: np.ndarray

    @property
    def different(self) -> np.ndarray:
        """Where the two differ by more than the step and rounding explain."""
        decided = ~np.isnan(self.allowed)
        with np.errstate(invalid="ignore"):
            return decided & ~(np.abs(self.analytic - self.numeric) <= self.allowed)


def gradcheck(layer: Module, *inputs: np.ndarray, seed: int = 0, directional: bool = False) -> None:
    """Compare ``layer.backward`` with finite differences of ``layer.forward``, for the inputs and every parameter.

    Parameters
    ----------
    layer : Module
        The layer or loss, with float64 parameters. It is copied, not changed.
    *inputs : numpy.ndarray
        What it is called with; float64, or integers for class indices.
    seed : int
        The seed of the random upstream gradient and the random direction. The engine's generator is set to it before
        every forward pass, so that dropout drops the same units each time.
    directional : bool
        False: element by element, with four forward passes for each number. True: along one random direction through
        all inputs and parameters at once, with five in all.

    Raises
    ------
    AssertionError
        If they differ; the message names the gradient, the element and both values.
    TypeError
        If a floating input or parameter is not float64.

    Examples
    --------
    >>> import scratch.nn as nn
    >>> layer = nn.Linear(3, 2, dtype=np.float64)
    >>> gradcheck(layer, np.array([[1.0, -2.0, 0.5]]))
    >>> gradcheck(layer, np.array([[1.0, -2.0, 0.5]]), directional=True)
    """
    compare = compare_direction if directional else compare_elements
    comparisons = compare(layer, *inputs, seed=seed)
    wrong = [_words(comparison) for comparison in comparisons if comparison.different.any()]
    if wrong:
        raise AssertionError(f"{type(layer).__name__}: backward is not the derivative of forward\n" + "\n".join(wrong))
    allowed = np.concatenate([comparison.allowed.ravel() for comparison in comparisons])
    if allowed.size and np.isnan(allowed).all():
        raise AssertionError(f"{type(layer).__name__}: every element is at a kink; move the inputs off it")


def compare_elements(
    layer: Module,
    *inputs: np.ndarray,
    grad_output: tuple[np.ndarray, ...] | None = None,
    seed: int = 0,
    work: float = np.inf,
) -> list[Comparison]:
    """Return backward and finite differences for each element of the inputs and parameters.

    ``grad_output`` holds an upstream gradient for each floating output; random by default. Each element takes four
    forward passes over all numbers of all arrays: where that is more than ``work`` numbers per array, the array is
    compared along `directions` instead, one number for each.
    """
    problem = _Problem(layer, inputs, seed, grad_output)
    comparisons = []
    gradients = problem.gradients()
    total = sum(values.size for _, values, _ in gradients)
    for name, values, analytic in gradients:
        if values.size * total > work:
            comparisons.append(_along_directions(problem, name, values, analytic))
            continue
        numeric, allowed = np.zeros(values.shape), np.zeros(values.shape)
        for index in np.ndindex(values.shape):
            start: Any = values[index]

            def move(t: float, values: np.ndarray = values, index: tuple = index, start: Any = start) -> None:
                values[index] = start + t

            numeric[index], allowed[index] = problem.slope(move, STEP * max(1.0, abs(float(start))))
            values[index] = start
        comparisons.append(Comparison(name, analytic, numeric, allowed))
    return comparisons


def directions(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield random directions of length one, the same ones for each shape: any wrong element shows in all of them."""
    rng = np.random.default_rng(DIRECTIONS)
    for _ in range(DIRECTIONS):
        direction = rng.normal(size=shape)
        yield direction / np.linalg.norm(direction)


def products(values: np.ndarray) -> np.ndarray:
    """Return the products of an array with the `directions` of its shape."""
    return np.array([(values * direction).sum() for direction in directions(values.shape)])


def _along_directions(problem: "_Problem", name: str, values: np.ndarray, analytic: np.ndarray) -> Comparison:
    start, slopes = values.copy(), []
    for direction in directions(values.shape):

        def move(t: float, direction: np.ndarray = direction) -> None:
            values[...] = start + t * direction

        slopes.append(problem.slope(move, STEP))
    values[...] = start
    numeric, allowed = map(np.array, zip(*slopes, strict=True))
    return Comparison(name, products(analytic) if analytic.shape == values.shape else analytic, numeric, allowed)


def compare_direction(layer: Module, *inputs: np.ndarray, seed: int = 0) -> list[Comparison]:
    """Return a list of one comparison, along a random direction through all inputs and parameters."""
    problem = _Problem(layer, inputs, seed)
    rng = np.random.default_rng([seed, 1])
    parts = [(values, values.copy(), rng.normal(size=values.shape), grad) for _, values, grad in problem.gradients()]

    def move(t: float) -> None:
        for values, start, direction, _ in parts:
            values[...] = start + t * direction

    numeric, allowed = problem.slope(move, STEP)
    analytic = sum((grad * direction).sum() for _, _, direction, grad in parts)  # B1
    names = ", ".join(name for name, _, _ in problem.gradients())
    return [Comparison(f"<gradient, direction> over {names}", *map(np.asarray, (analytic, numeric, allowed)))]


class _Problem:
    """A copy of the layer and its inputs that can be changed, with L as above."""

    def __init__(
        self,
        layer: Module,
        inputs: tuple[np.ndarray, ...],
        seed: int,
        grad_output: tuple[np.ndarray, ...] | None = None,
    ) -> None:
        self.layer, self.seed = copy.deepcopy(layer), seed
        self.inputs = [np.array(values) for values in inputs]
        self.parameters = dict(self.layer.named_parameters())
        for name, parameter in self.parameters.items():
            parameter.data, parameter.grad = np.array(parameter.data), None
            _check_float64(name, parameter.data)
        for values in self.inputs:
            if values.dtype.kind == "f":
                _check_float64("input", values)
        self.frozen = [(view, view.copy()) for view in _frozen(self.layer)]
        outputs = self._outputs()
        self.output = np.concatenate([output.ravel() for output in outputs])
        rng = np.random.default_rng(seed)
        drawn = tuple(rng.normal(size=output.shape) for output in outputs)
        passed = tuple(np.array(grad) for grad in (drawn if grad_output is None else grad_output))
        self.grad_output = np.concatenate([grad.ravel() for grad in passed])
        loss = len(inputs) > 1 and all(grad.ndim == 0 for grad in passed)
        returned = self.layer.backward(*([float(grad) for grad in passed] if loss else passed))
        grads = returned if isinstance(returned, tuple) else (returned,)
        self.grad_inputs = [None if grad is None else np.array(grad) for grad in grads[: len(inputs)]]

    @no_grad()
    def forward(self) -> np.ndarray:
        """Run the layer on the inputs as they are now; return its floating-point outputs laid end to end."""
        for view, start in self.frozen:
            view[...] = start
        return np.concatenate([output.ravel() for output in self._outputs()])

    def _outputs(self) -> list[np.ndarray]:
        random.manual_seed(self.seed)
        returned = self.layer.forward(*self.inputs)
        arrays = [np.asarray(output) for output in (returned if isinstance(returned, tuple) else (returned,))]
        return [array for array in arrays if array.dtype.kind == "f"]

    def gradients(self) -> list[tuple[str, np.ndarray, Any]]:
        """Return name, values and backward's gradient for each array that L is differentiated with respect to."""
        names = ["grad_input"] if len(self.grad_inputs) == 1 else [f"grad_input[{i}]" for i in range(len(self.inputs))]
        inputs = zip(names, self.inputs, self.grad_inputs, strict=False)
        triples = [(name, values, grad) for name, values, grad in inputs if grad is not None]
        for name, parameter in self.parameters.items():
            prefix, dot, last = name.rpartition(".")
            grad = np.zeros_like(parameter.data) if parameter.grad is None else np.array(parameter.grad)
            triples.append((f"{prefix}{dot}grad_{last}", parameter.data, grad))
        return triples

    def slope(self, move: Callable[[float], None], h: float) -> tuple[float, float]:
        """Return L'(0) along ``move`` and the error to allow for, NaN at a kink."""
        differences, gaps = [], []
        for step in (h, h / 2):
            move(step)
            ahead = self.forward()
            move(-step)
            behind = self.forward()
            differences.append((self.grad_output * (ahead - behind)).sum() / (2 * step))  # F1
            gaps.append(abs((self.grad_output * (ahead - 2 * self.output + behind)).sum()) / step)
        move(0.0)
        slope = (4 * differences[1] - differences[0]) / 3  # F2
        loss = np.linalg.norm(self.grad_output * self.output)
        rounding = ROUNDINGS * UNIT_ROUNDOFF * (loss / h + abs(slope) / STEP)
        # Smooth: the gap between the one-sided slopes is h L''(0), and halves with h. At a kink it stays.
        kink = gaps[1] > 0.75 * gaps[0] and gaps[1] > 10 * rounding + 1e-6 * abs(slope)
        return slope, np.nan if kink else abs(differences[0] - differences[1]) + rounding


def _frozen(layer: Module) -> Iterator[np.ndarray]:
    # Numbers that a layer treats as constants are reset before each forward: a step along them changes nothing, and
    # their gradient is 0.
    for module in layer.modules() if isinstance(layer, Module) else ():
        if isinstance(module, Layer):
            yield from module.frozen()


def _check_float64(name: str, values: np.ndarray) -> None:
    if values.dtype != np.float64:
        raise TypeError(f"gradcheck: expected {name} of dtype float64, got {values.dtype}")


def _words(comparison: Comparison) -> str:
    name, analytic, numeric, allowed = comparison
    wrong = comparison.different
    error = np.where(wrong, np.nan_to_num(np.abs(analytic - numeric), nan=np.inf), -1.0)
    worst = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
    return (
        f"{name}: {wrong.sum()} of {wrong.size} elements differ, the largest at {worst}: backward says "
        f"{analytic[worst]:.9g}, finite differences {numeric[worst]:.9g} (give or take {allowed[worst]:.0e})"
    )
