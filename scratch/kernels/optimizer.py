"""An optimizer's step in few, long calls: its rule is applied to stretches of parameters laid end to end."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from scratch.kernels import threads
from scratch.kernels.flat_parameters import Stretch, stretches


class State(Protocol):
    """The part of an optimizer's state that is used here."""

    parameters: list[Any]
    steps: list[int]
    starts: list[int]
    layout: Any

    def array(self, name: str) -> np.ndarray:
        """Return the state array of a name for all parameters, end to end."""
        ...


def update(
    rule: Callable[..., tuple[np.ndarray, ...]],
    state: State,
    places: list[int],
    names: tuple[str | None, ...],
    options: dict,
) -> None:
    """Take a step with the parameters at ``places``.

    ``names`` are those of the state arrays that the rule takes and returns after w; None where the options need none.
    """
    if state.layout is None:
        state.layout = {}
    for first, stop in neighbours(places, state.steps):
        layout = state.layout.get((first, stop, names))
        if layout is None:
            layout = state.layout[first, stop, names] = _lay_out(state, first, stop, names)
        t = state.steps[first] + 1
        for stretch, blocks in layout:
            w, g = stretch.values(), stretch.gradients()
            step = functools.partial(_step, rule, options, t, stretch, w, g)
            if len(blocks) == 1:
                step(blocks[0])
            else:
                threads.run(step, blocks)
        if any(names):
            state.steps[first:stop] = [t] * (stop - first)


# A part of a stretch, and of each array of the state.
Block = tuple[slice, list[np.ndarray | None]]


def _step(
    rule: Callable[..., tuple[np.ndarray, ...]],
    options: dict,
    t: int,
    stretch: Stretch,
    w: np.ndarray,
    g: np.ndarray,
    block: Block,
) -> None:
    # A kernel has already written to the arrays that it was given.
    part, arrays = block
    own = w[part]
    w_next, *arrays_next = rule(own, g[part], *arrays, t, **options)
    if w_next is not own:
        own[...] = w_next
    stretch.write_back(w, part)
    for array, array_next in zip(arrays, arrays_next, strict=True):
        if array is not None and array_next is not array:
            array[...] = array_next


def _lay_out(state: State, first: int, stop: int, names: tuple[str | None, ...]) -> list[tuple[Stretch, list[Block]]]:
    # The stretches of parameters, each with its blocks.
    layout, start = [], state.starts[first]
    for stretch in stretches(state.parameters[first:stop]):
        own = [None if name is None else state.array(name)[start : start + stretch.size] for name in names]
        layout.append(
            (stretch, [(part, [None if one is None else one[part] for one in own]) for part in stretch.blocks])
        )
        start += stretch.size
    return layout


def neighbours(places: list[int], steps: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of parameters next to one another that have taken the same number of steps."""
    first = 0
    for last, place in enumerate(places, 1):
        if last == len(places) or places[last] != place + 1 or steps[place + 1] != steps[place]:
            yield places[first], place + 1
            first = last
