"""Who owns an array: the rules that all layers keep.

Unlike PyTorch, NumPy does not keep track of writes to an array. So:

- An input belongs to the caller, who may write to it once forward has returned. So backward reads a copy. An array that
  nobody can write to is kept as it is. A read-only view of a writable array does not count as one.
- An output belongs to the caller, too. If backward reads it, it is read-only until that backward has run: ``h += skip``
  after a ReLU raises. ``h = h + skip`` always works.
- If a result is the argument or a view of it (Identity, Flatten, Dropout in evaluation), the caller gets a read-only
  view, of a copy if the argument can be written to: a later layer may keep the result for its backward.
- A gradient that backward returns belongs to the caller. ``Parameter.grad`` is the parameter's own.
- ``Parameter.data`` stays the same array for good: optimizers and ``load_state_dict`` write into it, so references and
  state dicts stay live, and tied arrays stay tied. Only an assignment, or a change of dtype, replaces it. If an
  optimizer or ``load_state_dict`` writes to it between a forward and the backward that reads it, that backward raises.

What this costs: a copy of the network's inputs, and of layers' inputs that no layer has made read-only. Within a
`Sequential` one layer's output goes only to the next layer: it is made read-only instead of copied.
"""

from typing import Any

import numpy as np


def is_one_of(value: Any, arguments: tuple) -> bool:
    """Return whether ``value`` is the same object as one of the arguments."""
    return id(value) in map(id, arguments)


def can_be_written(array: np.ndarray) -> bool:
    """Return whether anybody can write to an array, or to what it is a view of."""
    if array.flags.writeable:
        return True
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    # Memory that the kernels reuse has a class of its own: it can be reached only through its arrays.
    return type(owner) is np.ndarray and owner.flags.writeable


def own(saved: tuple, place: int) -> tuple:
    """Return what a forward saved, with the array at ``place`` replaced by a copy if the caller may write to it.

    If the array is in several places, the copy replaces it in all of them.
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
    """Return ``x``, one layer's output on its way to the next, made read-only so that it need not be copied."""
    if type(x) is np.ndarray:
        x.setflags(write=False)
    return x


def to_read(result: np.ndarray, argument: np.ndarray) -> np.ndarray:
    """Return ``result``, or a read-only view of it if it is ``argument`` or a view of that."""
    if result is not argument and (result.base is None or not np.may_share_memory(result, argument)):
        return result
    view = result.view()
    view.setflags(write=False)
    return view
