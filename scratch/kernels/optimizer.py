"""An optimizer's step in few, long calls: its rule on stretches of parameters that lie end to end."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from scratch.kernels.flat_parameters import stretches


class State(Protocol):
    """What is read of an optimizer's state here."""

    parameters: list[Any]
    steps: list[int]
    starts: list[int]
    layout: Any

    def array(self, name: str) -> np.ndarray:
        """Return the numbers of a name for all parameters, end to end."""
        ...


def update(
    rule: Callable[..., tuple[np.ndarray, ...]],
    state: State,
    places: list[int],
    names: tuple[str | None, ...],
    options: dict,
) -> None:
    """Take a step with the parameters at ``places``.

    ``names`` are those of the arrays that the rule takes and returns behind w; None where the options keep none.
    """
    if state.layout is None:
        state.layout = {}
    for first, stop in neighbours(places, state.steps):
        if (first, stop) not in state.layout:
            state.layout[first, stop] = stretches(state.parameters[first:stop])
        t, start = state.steps[first] + 1, state.starts[first]
        for stretch in state.layout[first, stop]:
            w, g = stretch.values(), stretch.gradients()
            arrays = [None if name is None else state.array(name)[start : start + stretch.size] for name in names]
            for block in stretch.blocks:
                kept = [None if array is None else array[block] for array in arrays]
                w[block], *kept_next = rule(w[block], g[block], *kept, t, **options)
                for array, array_next in zip(kept, kept_next, strict=True):
                    if array is not None:
                        array[...] = array_next
            stretch.set_values(w)
            start += stretch.size
        if any(names):
            state.steps[first:stop] = [t] * (stop - first)


def neighbours(places: list[int], steps: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of parameters next to one another that have the same number of steps behind them."""
    first = 0
    for last, place in enumerate(places, 1):
        if last == len(places) or places[last] != place + 1 or steps[place + 1] != steps[place]:
            yield places[first], place + 1
            first = last
