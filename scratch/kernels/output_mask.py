"""Which gradients somebody will read: a backward kernel may skip the others, and return None in their place.

The layer's class knows which. The kernels have the same arguments as their plain twins, and none of those says so. So
the class sets `output_mask` around the call: a bool for each result, the input's gradient first, or None for all of
them.

PyTorch's backward kernels take an argument of this name.
"""

from collections.abc import Sequence
from contextvars import ContextVar

output_mask: ContextVar[Sequence[bool] | None] = ContextVar("output_mask", default=None)


def is_read(place: int) -> bool:
    """Return whether somebody will read a backward's result at this place; 0 is the input's gradient."""
    mask = output_mask.get()
    return mask is None or mask[place]
