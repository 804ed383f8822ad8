"""Which gradients somebody will read: a backward kernel may leave the others out, and return None in their place.

The layer's class knows; the kernels have their plain twins' arguments, which have no place for it. So it sets
`output_mask` around the call, a bool for each result, the input's gradient first. None stands for all of them.

PyTorch's backward kernels take an argument of this name.
"""

from collections.abc import Sequence
from contextvars import ContextVar

output_mask: ContextVar[Sequence[bool] | None] = ContextVar("output_mask", default=None)


def is_read(place: int) -> bool:
    """Return whether somebody will read a backward's result at this place; 0 is the input's gradient."""
    mask = output_mask.get()
    return mask is None or mask[place]
