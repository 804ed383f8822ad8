"""A dictionary of a network's parameters, filled: the weights go by their names, in the order of the layers."""

import numpy as np

from parity_tests.harness import arrays

HIDDEN = (4, 6, 7, 8)


def filled(keys: list[str], features: int, outputs: int, columns: bool) -> list[dict[str, np.ndarray]]:
    """Return dictionaries with arrays of the shapes that the weights and biases of a network may have."""
    weights = [key for key in keys if key.lower().startswith(("w", "theta"))]
    biases = [key for key in keys if key.lower().startswith("b")]
    if len(weights) + len(biases) != len(keys) or not weights or len(biases) > len(weights) or len(weights) > 4:
        return []
    widths = [features, *HIDDEN[: len(weights) - 1], outputs]
    found = []
    for turned, flat in ((columns, False), (columns, True), (not columns, False), (not columns, True)):
        shapes = {}
        for number, key in enumerate(sorted(weights)):
            into, out = widths[number], widths[number + 1]
            shapes[key] = (out, into) if turned else (into, out)
        for number, key in enumerate(sorted(biases)):
            out = widths[number + 1]
            shapes[key] = (out,) if flat else (out, 1) if columns else (1, out)
        # Three layers of the usual numbers would end in probabilities of 0 and 1.
        found.append({key: arrays.array(shape, seed=i) / 4 for i, (key, shape) in enumerate(shapes.items())})
    return found
