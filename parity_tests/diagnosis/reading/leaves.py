"""The arrays in what backward returned."""

import numpy as np


def leaves_of(result: object, names: list[str]) -> dict[str, np.ndarray | None]:
    """Return the arrays in what backward returned, flattened, by name where the code has one, else by place.

    ``return g, g`` has one name for two gradients: they go by place.
    """
    if result is None:
        return {}
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
        for inner, leaf in leaves_of(value, []).items():
            found[f"{label}.{inner}".strip(".")] = leaf
    return found
