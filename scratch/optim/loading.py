"""The checks of `Optimizer.load_state_dict`: all of a state dict is read and checked before any of it is used."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def check_groups(owner: str, state_dict: Any, sizes: list[int]) -> tuple[list[dict], dict[Any, int]]:
    """Return a state dict's groups, and the place of each parameter's number in the order of the groups.

    Raises
    ------
    TypeError
        If it is not a state dict.
    ValueError
        If the groups do not have the ``sizes`` of the optimizer's, or a number appears twice.
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
        raise TypeError(f'{owner}: expected a state dict with "state" and "param_groups", got {state_dict!r:.80}')
    groups, state = state_dict["param_groups"], state_dict["state"]
    if not isinstance(groups, Sequence) or not all(isinstance(one, Mapping) and "params" in one for one in groups):
        raise TypeError(f'{owner}: expected param_groups to be dicts with "params", got {groups!r:.80}')
    if not isinstance(state, Mapping) or not all(isinstance(entry, Mapping) for entry in state.values()):
        raise TypeError(f"{owner}: expected the state to be a dict of dicts, got {state!r:.80}")
    saved_sizes = [len(group["params"]) for group in groups]
    if saved_sizes != sizes:
        raise ValueError(f"{owner}: expected groups of {sizes} parameters, got {saved_sizes}")
    numbers = [number for group in groups for number in group["params"]]
    places = {number: place for place, number in enumerate(numbers)}
    if len(places) < len(numbers):
        raise ValueError(f"{owner}: a parameter appears in more than one place in the state dict's groups")
    for number in state:
        if number not in places:
            raise ValueError(f"{owner}: the state has an entry for parameter {number!r}, which is in no group")
    return list(groups), places


def check_entry(
    owner: str,
    number: object,
    entry: Mapping,
    shapes: dict[str, tuple[int, ...]],
    optional: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """Return copies of a parameter's arrays in a state dict, which must have these names and ``shapes``.

    Raises
    ------
    ValueError
        If an array is missing, unknown, of another shape, or does not hold numbers.
    """
    arrays = {name: np.asarray(value).copy() for name, value in entry.items() if value is not None}
    whose = f"of parameter {number}"
    for name in (*arrays, *shapes):
        if name not in shapes:
            raise ValueError(f"{owner}: the state {whose} has an unknown {name!r}; known are {', '.join(shapes)}")
        if name not in arrays:
            if name not in optional:
                raise ValueError(f"{owner}: the state {whose} has no {name}")
            continue
        array, expected = arrays[name], shapes[name]
        if array.dtype.kind not in "iuf":
            raise ValueError(f"{owner}: expected {name} {whose} to hold numbers, got dtype {array.dtype}")
        if array.shape != expected:
            raise ValueError(f"{owner}: expected {name} {whose} to have shape {expected}, got {array.shape}")
    step = arrays.get("step", np.array(0))
    if not (step >= 0 and step == np.floor(step) and np.isfinite(step)):
        raise ValueError(f"{owner}: expected step {whose} to be a whole number of 0 or more, got {step}")
    return arrays
