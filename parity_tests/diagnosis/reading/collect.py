"""The gradients that backward left, after one pass and after two."""

import numpy as np

from parity_tests.diagnosis.reading.learned import Learned
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.world import World

Leaves = dict[str, np.ndarray | None]
"""What backward returned, by name."""


def of_parameter(
    learned: Learned, world: World, leaves: Leaves, before: np.ndarray, factor: np.ndarray
) -> np.ndarray | None:
    """Return a parameter's gradient as the learner has it, None if there is none where it should be.

    ``before`` is what the parameter was before backward took a step, and ``factor`` the upstream gradient that backward
    did not get.
    """
    source = learned.gradient
    if source.step:
        found = (before - np.asarray(world.get(learned.place))) / source.rate
    else:
        parts = [world.get(p) for p in source.places] if source.places else [leaves.get(source.leaf)]
        if any(part is None for part in parts):
            return None
        found = sum(np.array(part) for part in parts[1:]) + np.array(parts[0]) if parts[1:] else np.array(parts[0])
    if np.ndim(factor) == 0 and factor != 1 and found.dtype.kind in "fc":
        found = found * found.dtype.type(factor)
    return found


def of_input(source: Source, world: World, leaves: Leaves) -> np.ndarray | None:
    """Return an input's gradient as backward left it, None if there is none where it should be."""
    found = world.get(source.place) if source.place is not None else leaves.get(source.leaf)
    return None if found is None else np.array(found)


def times(found: np.ndarray, factor: np.ndarray, mean: bool) -> np.ndarray:
    """Return an input's gradient times the upstream gradient that backward did not get.

    There may be one number for each example; with ``mean``, what backward left is then the gradient of their mean.
    """
    if np.ndim(factor) == 0:
        return found * found.dtype.type(factor) if found.dtype.kind == "f" and factor != 1 else found
    if factor.shape == found.shape:
        return found * factor
    if found.ndim > factor.ndim and found.shape[: factor.ndim] == factor.shape:
        found = found * factor.reshape(*factor.shape, *[1] * (found.ndim - factor.ndim))
        return found * factor.size if mean else found
    return found


def is_jacobian(found: np.ndarray, factor: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Return whether backward left the Jacobian of each example, for an input of a shape: outputs times inputs.

    That of all numbers at once has two axes, as for a column (n, 1).
    """
    if factor.ndim == len(shape) > 0 and factor.shape[:-1] == shape[:-1] and found.shape == (*factor.shape, shape[-1]):
        return True
    return factor.size > 1 and found.shape == (factor.size, np.prod(shape)) != shape


def of_jacobian(found: np.ndarray, factor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the upstream gradient times the Jacobian."""
    if found.ndim == 2:
        return (factor.ravel() @ found).reshape(shape)
    return (factor[..., None, :] @ found)[..., 0, :]


def after_second(first: np.ndarray | None, seen: np.ndarray, afresh: bool) -> tuple[np.ndarray, bool | None]:
    """Return a parameter's gradient after a second backward, and whether the layer added it to the first.

    ``seen`` is what was found after the second backward. ``afresh``: it was returned, or read from a step, so nothing
    could have been added to it. The second answer is None where the numbers do not tell, or where nothing could.
    """
    if first is None or first.shape != seen.shape:
        return seen, None
    # The second upstream gradient is the first times -1/2 (`SECOND`): assigned gradients follow it.
    close = 1e-4 if seen.dtype == np.float32 else 1e-9
    if afresh or np.allclose(seen, -0.5 * first, rtol=close, atol=0):
        return first + seen, None if afresh or not np.any(first) else False
    added = np.any(first) and np.allclose(seen, 0.5 * first, rtol=close, atol=0)
    return seen, True if added else None
