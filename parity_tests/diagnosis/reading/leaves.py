"""The arrays in what backward returned."""

import numpy as np


def is_list_of_numbers(value: object) -> bool:
    """Return whether a value is a list of Python's numbers, or such lists of the same length."""
    if not isinstance(value, list) or not value:
        return False
    if any(isinstance(one, list) for one in value):
        return all(is_list_of_numbers(one) and len(one) == len(value[0]) for one in value)
    return all(isinstance(one, float | int) for one in value)


def leaves_of(result: object, names: list[str], numbers: bool = False) -> dict[str, np.ndarray | None]:
    """Return the arrays in what backward returned, flattened, by name where the code has one, else by place.

    ``return g, g`` has one name for two gradients: they go by place. With ``numbers``, a list of numbers is an array.
    """
    if result is None:
        return {}
    if numbers and is_list_of_numbers(result):
        result = np.array(result, np.float64)
    if isinstance(result, np.ndarray | float | int | np.generic):
        return {names[0] if len(names) == 1 else "": np.asarray(result)}
    found: dict[str, np.ndarray | None] = {}
    items = (
        result.items() if isinstance(result, dict) else enumerate(result) if isinstance(result, list | tuple) else ()
    )
    for number, (key, value) in enumerate(items):
        positional = isinstance(result, list | tuple)
        named = positional and len(names) == len(result) and names[number] and names.count(names[number]) == 1
        label = names[number] if named else f"[{key}]" if positional else str(key)
        if value is None:
            found[label] = None
            continue
        for inner, leaf in leaves_of(value, [], numbers).items():
            found[f"{label}.{inner}".strip(".")] = leaf
    return found
