"""Who owns an array: the rules that all layers keep.

NumPy does not tell anybody when an array is written to, as PyTorch does. So:

- An input belongs to the caller, who may write to it once forward has returned: what backward reads of it is a copy. An
  array that nobody can write to is kept as it is; a read-only view of an array that can be written to is not one.
- An output belongs to the caller, too. If backward reads it, it is read-only until that backward has run: ``h += skip``
  after a ReLU raises. ``h = h + skip`` is right at any time.
- Where a result is the argument or a view of it (Identity, Flatten, Dropout in evaluation), it is a read-only view, and
  of a copy if the caller can write to the argument: a later layer may keep the result for its backward.
- A gradient that backward returns belongs to the caller. ``Parameter.grad`` is the parameter's own.
- ``Parameter.data`` stays the same array for good: optimizers and ``load_state_dict`` write into it, so references and
  state dicts stay live, and tied arrays stay tied. Only an assignment, or a change of dtype, replaces it. If one of
  them wrote to a parameter between a forward and the backward that reads it, that backward raises.

What this costs: a copy of the arrays that a network is fed with, and of inputs that no layer has made read-only. Within
a `Sequential` one layer's output is the next one's input and nobody else's: it is made read-only, and not copied.
"""

from typing import Any

import numpy as np


def is_one_of(value: Any, arguments: tuple) -> bool:
    """Return whether ``value`` is the very object that one of the arguments is."""
    return id(value) in map(id, arguments)


def can_be_written(array: np.ndarray) -> bool:
    """Return whether anybody can write to an array, or to what it is a view of."""
    if array.flags.writeable:
        return True
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    # The memory that the kernels use again is of a class of its own: nobody has it but through its arrays.
    return type(owner) is np.ndarray and owner.flags.writeable


def own(saved: tuple, place: int) -> tuple:
    """Return what a forward saved, with a copy of its own of an array that its caller may write to.

    Where the array stands in several places, the copy does.
    """
    value = saved[place]
    if not isinstance(value, np.ndarray) or not can_be_written(value):
        return saved
    copy = value.copy(order="K")
    return tuple([copy if one is value else one for one in saved])


def owned(array: np.ndarray) -> np.ndarray:
    """Return an array that nobody can write to: the argument, or a copy."""
    return private(array.copy(order="K")) if can_be_written(array) else array


def private(x: Any) -> Any:
    """Return ``x``, one layer's output on its way to the next, with nobody able to write to it: no copy is needed."""
    if type(x) is np.ndarray:
        x.setflags(write=False)
    return x


def to_read(result: np.ndarray, argument: np.ndarray) -> np.ndarray:
    """Return ``result``, or, where it is ``argument`` or a view of it, a view that nobody can write to."""
    if result is not argument and (result.base is None or not np.may_share_memory(result, argument)):
        return result
    view = result.view()
    view.setflags(write=False)
    return view
