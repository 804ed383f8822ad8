"""The list of laws, which of them a layer has to keep, and the helpers they share."""

import copy
from collections.abc import Callable

import numpy as np

import scratch
from parity_tests.harness.compare import upstream
from parity_tests.harness.outputs import with_gradient
from scratch import nn, optim

LAWS: list[tuple[tuple[type, ...], Callable]] = []


def law(*kinds: type) -> Callable[[Callable], Callable]:
    """Register a law for these classes and those derived from them."""

    def register(function: Callable) -> Callable:
        LAWS.append((kinds, function))
        return function

    return register


def laws_of(cls: type) -> list[Callable]:
    """Return the laws that objects of a class have to keep."""
    return [function for kinds, function in LAWS if issubclass(cls, kinds)]


def broken(layer: nn.Module, *inputs: np.ndarray) -> list[str]:
    """Return the names of the laws that a float64 layer or loss breaks at ``inputs``; the layer is not changed."""
    return _broken(type(layer), lambda function: function(copy.deepcopy(layer), *map(np.copy, inputs)))


def broken_by_optimizer(cls: type[optim.Optimizer], options: dict) -> list[str]:
    """Return the names of the laws that an optimizer with these options breaks."""
    return _broken(cls, lambda function: function(cls, options))


def _broken(cls: type, hold_to: Callable[[Callable], None]) -> list[str]:
    names = []
    for function in laws_of(cls):
        scratch.manual_seed(0)
        try:
            with np.errstate(all="ignore"), scratch.retain_graph():
                hold_to(function)
        except AssertionError:
            names.append(function.__name__)
    return names


def same(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    """Raise ``AssertionError`` unless two arrays are equal up to rounding; NaN equals nothing."""
    size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    if (
        np.shape(found) == np.shape(expected)
        and np.max(np.abs(found - expected), initial=0.0) <= tolerance * size < np.inf
    ):
        return  # what follows takes ten times as long as most laws
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * size, equal_nan=False)


def forward(layer: nn.Module, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the outputs that have a gradient, computed from the same seed each time."""
    scratch.manual_seed(0)
    return tuple(with_gradient(layer(*inputs)))


def random_grads(outputs: tuple[np.ndarray, ...], seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return a random upstream gradient for each output."""
    return upstream(list(outputs), seed)


def backward(layer: nn.Module, *grads: np.ndarray) -> list[np.ndarray]:
    """Return the gradients of the inputs and of all parameters that one backward computes.

    An input that has no gradient is left out; a parameter that got none has zeros.
    """
    parameters = list(layer.parameters())
    for parameter in parameters:
        parameter.grad = None
    returned = layer.backward(*[grad if grad.ndim else grad[()] for grad in grads])
    inputs = returned if isinstance(returned, tuple) else (returned,)
    learned = [np.zeros_like(p.data) if p.grad is None else p.grad for p in parameters]
    return [np.array(values) for values in (*inputs, *learned) if values is not None]


def split(layer: nn.Module, found: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the inputs' gradients and the parameters', out of those that `backward` returned."""
    count = len(found) - len(list(layer.parameters()))
    return found[:count], found[count:]


def gradients(layer: nn.Module, *inputs: np.ndarray) -> list[np.ndarray]:
    """Run both passes with a random upstream gradient; return the gradients."""
    return backward(layer, *random_grads(forward(layer, *inputs)))


def variant(layer: nn.Module, **attributes: object) -> nn.Module:
    """Return a copy of a layer or loss with attributes replaced."""
    other = copy.deepcopy(layer)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other
