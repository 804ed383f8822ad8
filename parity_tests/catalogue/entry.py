"""What the catalogue is made of: the draw of one case, the case, and the entry that knows how to draw it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch

from parity_tests.harness import arrays
from parity_tests.harness.compare import Report, check
from scratch.nn import Module

KINDS = ("layer", "loss", "distribution", "optimizer", "scheduler", "model")


class Draw:
    """Where a case comes from: one dtype, and choices that all follow from a seed.

    Parameters
    ----------
    dtype : str
        "float64" or "float32".
    seed : int or list of int
        The seed of every choice and number.
    batch : int, optional
        The batch size to use whatever is drawn; 0 for an empty batch.
    """

    def __init__(self, dtype: str, seed: int | list[int], batch: int | None = None) -> None:
        self.dtype, self.fixed_batch = dtype, batch
        self.rng = np.random.default_rng(seed)

    @property
    def seed(self) -> int:
        """A new seed at each access."""
        return int(self.rng.integers(2**16))

    def one_of(self, *options: object) -> object:
        """Return one of the options, all equally likely."""
        return options[self.rng.integers(len(options))]

    def some_of(self, **options: tuple) -> dict[str, object]:
        """Return a choice for each name, and leave about a third of the names out."""
        return {name: self.one_of(*values) for name, values in options.items() if self.rng.random() < 2 / 3}

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def integers(self, low: int, high: int, count: int) -> tuple[int, ...]:
        """Return ``count`` integers from ``low`` to ``high``, both included."""
        return tuple(self.integer(low, high) for _ in range(count))

    def batch(self, *options: int) -> int:
        """Return a batch size: the fixed one if there is one."""
        return self.one_of(*options) if self.fixed_batch is None else self.fixed_batch

    def leading(self) -> tuple[int, ...]:
        """Return up to two leading axes, the first of them the batch."""
        if self.fixed_batch is None:
            return self.integers(0, 4, self.integer(0, 2))
        return (self.fixed_batch, *self.integers(1, 3, self.integer(0, 1)))

    def array(self, shape: tuple[int, ...], draw: Callable = arrays.array, factor: float = 1.0) -> np.ndarray:
        """Return numbers of this dtype in any memory layout; ``draw`` is one of `parity_tests.harness.arrays`."""
        values = np.asarray(factor * draw(shape, "float64", seed=self.seed)).astype(self.dtype)
        return arrays.lay_out(values, self.one_of(*arrays.LAYOUTS))

    def classes(self, shape: tuple[int, ...], count: int) -> np.ndarray:
        """Return class indices."""
        return self.rng.integers(0, count, shape)

    def indices(self, shape: tuple[int, ...], count: int) -> np.ndarray:
        """Return indices from 0 to ``count`` - 1, int64 or int32, in any memory layout."""
        drawn = self.classes(shape, count).astype(self.one_of("int64", "int64", "int32"))
        return arrays.lay_out(drawn, self.one_of(*arrays.LAYOUTS))

    def probabilities(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return numbers within [0, 1], some of them exactly 0 or 1."""
        return np.clip(self.rng.uniform(-0.2, 1.2, shape), 0, 1).astype(self.dtype)

    def until_torch_takes(self, make: Callable[[], tuple]) -> tuple:
        """Return the first of ``make``'s (options, layer, shape) whose PyTorch layer takes an input of the shape."""
        while True:
            drawn = make()
            try:
                with torch.no_grad():
                    drawn[1](torch.zeros(drawn[2]))
            except RuntimeError:
                continue
            return drawn


class Case(Protocol):
    """What an entry draws."""

    def check(self, seed: int) -> Report:
        """Compare both engines on it."""


@dataclass(frozen=True)
class LayerCase:
    """A layer, loss or model with its numbers, PyTorch's counterpart, and what both are called with.

    ``budgets`` names quantities that get the rounding budget of another one: those that are exactly 0 because all of
    their terms cancel, which leaves no scale to measure rounding by.
    """

    layer: Module
    reference: Callable
    inputs: tuple[np.ndarray, ...]
    budgets: dict[str, str] = field(default_factory=dict)

    def check(self, seed: int) -> Report:
        """Compare output and gradients for a random upstream gradient."""
        report = check(self.layer, self.reference, *self.inputs, seed=seed)
        report.title = f"{self.layer!r}\n{report.title}"
        for i, quantity in enumerate(report.quantities):
            if quantity.name in self.budgets:
                report.quantities[i] = replace(quantity, budget=report[self.budgets[quantity.name]].budget)
        return report


@dataclass(frozen=True)
class Entry:
    """A name of the public interface, and how a case of it is drawn: options crossed with one another and with shapes.

    Attributes
    ----------
    name, kind : str
        The class's name, and one of `KINDS`.
    draw : callable
        Makes a case from a `Draw`.
    share : int
        Where other entries try this many cases, this one tries one; for slow entries.
    """

    name: str
    kind: str
    draw: Callable[[Draw], Case]
    share: int = 1

    def case(self, dtype: str, seed: int, batch: int | None = None) -> Case:
        """Return the case number ``seed`` in a dtype."""
        return self.draw(Draw(dtype, [seed, *self.name.encode()], batch))


CATALOGUE: list[Entry] = []


def entry(name: str, kind: str, share: int = 1) -> Callable[[Callable], Callable]:
    """Register a function that draws a case."""

    def register(function: Callable[[Draw], Case]) -> Callable[[Draw], Case]:
        CATALOGUE.append(Entry(name, kind, function, share))
        return function

    return register
