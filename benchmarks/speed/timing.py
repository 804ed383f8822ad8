"""Timing several functions in turn, so that what disturbs the machine disturbs them all.

A shared machine changes its speed from one second to the next. Two functions timed one after the other are in effect
timed on two machines. Timed in turns of a few milliseconds they see the same machine, and the ratio within a round
means something even where neither time does. Each turn is one call of ``torch.utils.benchmark.Timer``, which fixes
PyTorch's threads and keeps the garbage collector out.

A turn begins only when the threads of the one before are at rest. The threads of a BLAS, or of OpenMP, spin for a while
as they wait for more work, OpenBLAS's for more than a tenth of a second, and would take a core from the next turn.
Meanwhile caches and cores cool down, so the first calls of a turn are not timed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time, sleep

import numpy as np

TURN = 0.02  # seconds: long against the clock and the switch, short against the machine's moods
WARM_UP = 4  # before a turn, a quarter as many calls are made that are not timed
PAUSE = 0.005  # seconds in which a process at rest uses less than a tenth of one core
MOST_PAUSES = 100


@dataclass(frozen=True)
class Times:
    """The seconds per call of one function, a value for each round."""

    seconds: np.ndarray

    @property
    def median(self) -> float:
        """The median."""
        return float(np.median(self.seconds))

    def quartiles(self) -> tuple[float, float]:
        """Return the lower and the upper quartile of the rounds."""
        low, high = np.quantile(self.seconds, (0.25, 0.75))
        return float(low), float(high)

    def range(self) -> tuple[float, float]:
        """Return the smallest and the largest."""
        return float(self.seconds.min()), float(self.seconds.max())

    def ratio(self, other: "Times") -> float:
        """Return the median over the rounds of this time divided by the other's in the same round."""
        return float(np.median(self.seconds / other.seconds))


def come_to_rest() -> None:
    """Wait until no thread of this process computes, at most half a second."""
    for _ in range(MOST_PAUSES):
        before = process_time()
        sleep(PAUSE)
        if process_time() - before < PAUSE / 10:
            return


def interleave(functions: dict[str, Callable[[], object]], rounds: int, threads: int) -> dict[str, Times]:
    """Time the functions in turn, each after a warm-up.

    Parameters
    ----------
    functions : dict
        The functions to call, by name.
    rounds : int
        How many turns each gets.
    threads : int
        PyTorch's threads during its turns.
    """
    from torch.utils.benchmark import Timer

    timers = {name: Timer("f()", globals={"f": function}, num_threads=threads) for name, function in functions.items()}
    calls = {}
    for name, timer in timers.items():
        timer.timeit(2)
        once = min(timer.timeit(1).mean for _ in range(3))
        calls[name] = max(1, round(TURN / once))
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, timer in timers.items():
            come_to_rest()
            timer.timeit(-(-calls[name] // WARM_UP))
            seconds[name].append(timer.timeit(calls[name]).mean)
    return {name: Times(np.array(values)) for name, values in seconds.items()}


def quickest(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the seconds of each function's quickest call, over rounds in which each gets a turn.

    Disturbances only make a call longer, so this is the time to compare with what the machine can do.
    """
    found = dict.fromkeys(functions, math.inf)
    for _ in range(rounds):
        for name, function in functions.items():
            come_to_rest()
            end = perf_counter() + TURN
            begin = perf_counter()
            while True:
                function()
                now = perf_counter()
                found[name] = min(found[name], now - begin)
                if now >= end:
                    break
                begin = perf_counter()
    return found
