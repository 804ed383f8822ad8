"""Explain a row of the benchmarks: where its time goes in scratch, in PyTorch and in the plain functions.

Everything is counted and timed while the row runs, whatever it is made of: the functions that it calls, the statements
of the plain ones, PyTorch's operators. Nothing here is specific to a layer.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from time import perf_counter

import numpy as np

from benchmarks.speed import work
from benchmarks.speed.contenders import Plain, Scratch, TorchEager
from benchmarks.speed.timing import TURN, interleave, quickest
from benchmarks.speed.why import calls, operators, statements
from benchmarks.speed.why.calls import Call

LARGEST_OVERHEAD = 0.1  # of a row's time, that timers may take: what is shorter is not split
MOST_OFTEN = 20  # times as many rounds, for a short row
LARGEST_PROFILING = 2.0  # times as long as alone, that a row may take under PyTorch's profiler


@dataclass
class Part:
    """A part of a row's work.

    Attributes
    ----------
    step : str
        What it is: a function, a statement, an operator.
    seconds : float or None
        None if the row is too short to be split.
    bytes, products, calls, largest : int
        The bytes that it moves, its multiply-adds, its NumPy calls or the operator's, and the largest array's bytes.
    needed_bytes : int
        What it would move if it read each argument and wrote each result once; 0 if that is not known.
    alone : collections.Counter
        The seconds of its NumPy calls by themselves, by name: see `traffic.timing_alone`. For scratch only.
    """

    step: str
    seconds: float | None
    bytes: int
    products: int
    calls: int
    largest: int
    needed_bytes: int = 0
    alone: Counter[str] = field(default_factory=Counter)


@dataclass
class Split:
    """An engine's time in a row, in parts.

    Attributes
    ----------
    engine : str
    seconds : float
        The row's time without timers: that of the quickest round, like all times here. See `timing.quickest`.
    parts : list of Part
    watched : float
        The row's seconds with timers, or under the profiler, in the round that the parts come from.
    overhead : float
        The share of ``watched`` that the timers take.
    """

    engine: str
    seconds: float
    parts: list[Part]
    watched: float
    overhead: float

    @property
    def is_split(self) -> bool:
        """Whether the parts have times."""
        return any(part.seconds is not None for part in self.parts)

    @property
    def around(self) -> float:
        """What is left of ``watched`` outside the parts: calls, checks, the engine's own bookkeeping."""
        return max(self.watched - sum(part.seconds or 0.0 for part in self.parts), 0.0)

    @property
    def bytes(self) -> int:
        """What all parts move."""
        return sum(part.bytes for part in self.parts)

    @property
    def products(self) -> int:
        """The multiply-adds of all parts."""
        return sum(part.products for part in self.parts)

    @property
    def calls(self) -> int:
        """The NumPy calls, or the operators."""
        return sum(part.calls for part in self.parts)

    @property
    def alone(self) -> Counter[str]:
        """The seconds of all NumPy calls by themselves, by name."""
        return sum((part.alone for part in self.parts), Counter())


@dataclass
class Explanation:
    """Where the time of a row goes.

    Attributes
    ----------
    title, dtype : str
    threads : int
    input_bytes : int or None
        The bytes of a layer's input; None for a step.
    ratio : float
        scratch's time over PyTorch's: the median over the rounds in which both were timed.
    splits : list of Split
        scratch's, PyTorch's and that of the plain functions, in this order.
    """

    title: str
    dtype: str
    threads: int
    input_bytes: int | None
    ratio: float
    splits: list[Split] = field(default_factory=list)


def explain(row: work.Layer | work.Step, dtype: str, rounds: int, threads: int) -> Explanation:
    """Measure where a row's time goes."""
    kind = "layer" if isinstance(row, work.Layer) else "step"
    ours, plain, theirs = (getattr(one(threads), kind)(row, dtype) for one in (Scratch, Plain, TorchEager))
    times = interleave({"scratch": ours, "torch": theirs}, rounds, threads)
    seconds = quickest({"scratch": ours, "torch": theirs, "plain": plain}, rounds)
    # Give a short row more rounds, so that some of them are undisturbed.
    often = {name: rounds * max(1, min(round(TURN / time), MOST_OFTEN)) for name, time in seconds.items()}
    title = f"{row.name}, {' x '.join(map(str, row.shape))}" if kind == "layer" else row.name
    input_bytes = prod(row.shape) * np.dtype(dtype).itemsize if kind == "layer" else None
    return Explanation(
        title,
        dtype,
        threads,
        input_bytes,
        times["scratch"].ratio(times["torch"]),
        [
            functions(ours, plain, often["scratch"], seconds["scratch"]),
            aten(theirs, often["torch"], seconds["torch"]),
            lines(plain, often["plain"], seconds["plain"]),
        ],
    )


def functions(ours: Callable[[], object], plain: Callable[[], object], rounds: int, seconds: float) -> Split:
    """Split scratch's time into the functions that it calls; calls of one function on one shape are one part."""
    found, twins = calls.counted(ours, alone=True), calls.counted(plain, plain=True)
    with calls.timed() as taken:
        ours()
        watched, each = math.inf, []
        for _ in range(rounds):
            taken.clear()
            begin = perf_counter()
            ours()
            total = perf_counter() - begin
            if total < watched:
                watched, each = total, list(taken)
    overhead = len(found) * 2 * statements.cost_of_a_mark() / watched
    needs = _needs(found, twins)
    parts: dict[tuple, Part] = {}
    for call, time, needed in zip(found, each, needs, strict=True):
        key = (call.name, call.which, () if call.which == calls.UPDATE else call.shape)
        step = f"{call.name}, {call.which}" + "".join(f", {' x '.join(map(str, shape))}" for shape in key[2:] if shape)
        part = parts.setdefault(key, Part(step, 0.0, 0, 0, 0, 0))
        part.seconds += time
        part.bytes += call.bytes
        part.products += call.products
        part.calls += len(call.moves)
        part.largest = max(part.largest, call.largest)
        part.needed_bytes += needed
        part.alone += call.alone
    return _split("scratch", seconds, list(parts.values()), watched, overhead, overhead <= LARGEST_OVERHEAD)


def _needs(found: list[Call], twins: list[Call]) -> list[int]:
    """Return the bytes that each call needs: those of whichever needs less, the kernel or the plain function."""
    others: dict[tuple[str, str], list[int]] = {}
    for call in twins:
        others.setdefault((call.name, call.which), []).append(call.needed)
    needs = []
    for call in found:
        twin = others.get((call.name, call.which)) if call.which != calls.UPDATE else None
        # An embedding reads only a few rows of its table.
        own = min(call.needed, call.bytes)
        needs.append(min(own, twin.pop(0)) if twin else own)
    return needs


def aten(theirs: Callable[[], object], rounds: int, seconds: float) -> Split:
    """Split PyTorch's time into its operators."""
    found, watched = operators.operators(theirs, rounds)
    parts = []
    for one in found:
        inner = "" if one.inner.removeprefix("aten::") == one.name.removeprefix("aten::") else f" ({one.inner})"
        parts.append(Part(one.name + inner, one.seconds, one.bytes, one.products, one.calls, one.largest))
    overhead = max(1 - seconds / watched, 0.0)
    return _split("torch", seconds, parts, watched, overhead, watched <= LARGEST_PROFILING * seconds)


def lines(plain: Callable[[], object], rounds: int, seconds: float) -> Split:
    """Split the plain functions' time into their statements."""
    found, watched = statements.lines(plain, rounds)
    parts = []
    several = len({line.function for line in found}) > 1
    for line in found:
        moved, products = sum(move.bytes for move in line.moves), sum(move.products for move in line.moves)
        largest = max((move.largest for move in line.moves), default=0)
        step = f"{line.function} {line.label} {line.code}" if several else f"{line.label} {line.code}"
        parts.append(Part(step, line.seconds, moved, products, len(line.moves), largest))
    overhead = sum(line.times for line in found) * statements.cost_of_a_mark() / watched
    return _split("plain", seconds, parts, watched, overhead, overhead <= LARGEST_OVERHEAD)


def _split(engine: str, seconds: float, parts: list[Part], watched: float, overhead: float, is_split: bool) -> Split:
    if not is_split:
        for part in parts:
            part.seconds = None
    return Split(engine, seconds, parts, watched, overhead)
