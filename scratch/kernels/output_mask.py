"""Which gradients somebody will read: a backward kernel may leave the others out, and return None in their place.

The layer's class knows; the kernels have their plain twins' arguments, which have no place for it. So it is said around
the call, as `numpy.errstate` says something around others:

    with mask_outputs((False, True, True)):
        grad_x, grad_weight, grad_bias = conv2d_backward(...)       # grad_x may be None

PyTorch's backward kernels take an argument of this name (``output_mask``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_mask: ContextVar[tuple[bool, ...] | None] = ContextVar("output_mask", default=None)


@contextmanager
def mask_outputs(mask: tuple[bool, ...]) -> Iterator[None]:
    """Say inside of the ``with`` block which of a backward's results will be read."""
    token = _mask.set(mask)
    try:
        yield
    finally:
        _mask.reset(token)


def is_read(place: int) -> bool:
    """Return whether somebody will read a backward's result at this place; 0 is the input's gradient."""
    mask = _mask.get()
    return mask is None or mask[place]
