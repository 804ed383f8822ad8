"""Whether a gradient has a shape with which the usual step, ``W - rate * dW``, leaves the parameter as it is."""

import numpy as np

ENLARGES = " - rate * gradient has shape "


def enlarged(name: str, shape: tuple[int, ...], found: tuple[int, ...]) -> str:
    """Return what to say if the step gives a larger array than the parameter of that name, "" if it does not.

    Axes of length 1 in front add no numbers and change no product or sum: they are accepted.
    """
    after = np.broadcast_shapes(shape, found)
    if np.prod(after) == np.prod(shape):
        return ""
    return (
        f"the gradient of {name} has shape {found}, expected {shape}: {name}{ENLARGES}{after} "
        "(keepdims=True keeps the axis)"
    )


def fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Return whether an array may be a gradient by its shape: the same but for axes of length 1, or transposed."""
    bare = [n for n in found if n != 1], [n for n in shape if n != 1]
    return bare[0] == bare[1] or found == shape[::-1]
