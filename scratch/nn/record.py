"""Record: what a layer saves in a forward for its backward, and which forward a backward undoes.

A backward undoes the latest forward and uses up what that saved, since a second backward would add the same gradients
again. If several forwards have run since the last backward, it raises: only the latest one's values are left, and the
caller may mean another. Run forwards that need no backward inside ``scratch.no_grad()``. ``train()`` and ``eval()``
forget the forwards that still wait for a backward, and so does an error about the order of the passes.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from scratch import dispatch

NO_FORWARD = "backward was called before forward; call the layer on an input first"
USED_UP = (
    "backward was called a second time after one forward, and the first call used up what forward saved; call forward "
    "before each backward"
)
DROPPED = (
    "what forward saved was dropped, since train() or eval() was called, or an error was raised, between forward and "
    "this backward; call forward again, and switch modes before it or after its backward"
)
REPLACED = (
    "forwards have run since the last backward, and only the latest one's values are kept; run a forward that needs no "
    "backward inside `with scratch.no_grad():`, and give each place in a model a layer object of its own, or use "
    "nn.Reused; after a step that failed half-way, or a validation without no_grad(), call train() or eval() on this "
    "module: both make it forget"
)
OTHER_THREAD = (
    "backward was called in another thread than the latest forward; two threads that train one model would mix their "
    "gradients: give each a copy of the model (copy.deepcopy)"
)
WRITTEN = (
    "was written to by an optimizer's step, or load_state_dict, between forward and backward, which reads it, so the "
    "gradients would be wrong; take the step after the backward"
)


class Record(NamedTuple):
    """What a layer saves in a forward.

    Attributes
    ----------
    plan : dispatch.Plan
        The pair whose forward ran.
    arguments : tuple
        The arguments of the forward after ``x``.
    saved : tuple
        What the forward saved for the backward.
    input_shape, output_shape : tuple of int
        Of the arrays that the layer was called with and returned.
    dtype : numpy.dtype
        The output's.
    constant : bool
        Whether the input's gradient is not needed.
    folds : bool
        Whether the pair was called on what `Layer.fold` returned.
    locked : tuple of numpy.ndarray
        The outputs that backward reads: they are read-only until then.
    others : tuple of numpy.ndarray
        The outputs after the first that have gradients.
    writes : int
        How many writes to parameters had been counted when forward ran.
    thread : int
        The thread that forward ran in.
    pending : int
        How many forwards, this one included, wait for a backward.
    """

    plan: dispatch.Plan
    arguments: tuple
    saved: tuple
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype
    constant: bool
    folds: bool
    locked: tuple[Any, ...]
    others: tuple[np.ndarray, ...]
    writes: int
    thread: int
    pending: int


def _nothing() -> Record:
    return Record._make([*[None] * 11, 0, 0])


NOTHING = _nothing()
"""The record where no forward has run."""
UNDONE = _nothing()
"""The record where a backward has used up what the forward saved."""
FORGOTTEN = _nothing()
"""The record where what a forward saved was dropped before a backward."""


class _Waiting(Protocol):
    @property
    def pending(self) -> int: ...


def why_unclear(record: _Waiting) -> str:
    """Return the reason why no backward can undo what a forward saved."""
    if record is UNDONE:
        return USED_UP
    if record.pending == 0:
        return DROPPED if record is FORGOTTEN else NO_FORWARD
    return f"{record.pending} {REPLACED}" if record.pending > 1 else OTHER_THREAD
