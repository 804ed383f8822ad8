"""What a module saves by name in its ``forward`` for its ``backward``: the rules of a layer's record, for any module.

    def forward(self, x):                               def backward(self, grad_output):
        self.save_for_backward(x=x)                         return 2 * self.saved("x") * grad_output
        return x * x

`scratch.nn.record` says which forward a backward undoes, and `scratch.nn.ownership` who owns which array. Both hold
here. But a `Layer` knows where a forward begins and a backward ends, because it runs them itself; here both are the
author's own methods. So `Module` has these methods called by `Saving`, which sees to it that

- a ``super().forward(x)`` inside a forward belongs to it, and what both save is together. ``self(x)`` inside a forward
  is another forward;
- a forward that raises has saved nothing;
- what was saved can be read many times in one backward, ``super().backward(grad)`` included. It is used up when the
  backward returns, except inside ``retain_graph()``. A backward that raises uses nothing up.

Where a method of another name ends is not known. What such a method saves replaces what it saved before; and once one
has read what a forward saved, the next forward may follow.
"""

import functools
from collections.abc import Callable
from threading import get_ident
from typing import Any, NamedTuple

import numpy as np

from scratch.checks import name_of
from scratch.grad_mode import recording, retaining
from scratch.nn.ownership import owned
from scratch.nn.parameter import Parameter, writes
from scratch.nn.record import FORGOTTEN, NOTHING, UNDONE, WRITTEN, Record, why_unclear

Method = Callable[..., Any]


class Saved(NamedTuple):
    """What a module saves in a forward.

    Attributes
    ----------
    values : dict of str to object
        By name.
    forward : Forward or None
        The forward that saved them; None if a method of another name did.
    writes, thread, pending : int
        As in `Record`.
    """

    values: dict[str, Any]
    forward: "Forward | None"
    writes: int
    thread: int
    pending: int


class Forward:
    """A forward that is running: a call of a class's method."""

    __slots__ = ("method",)

    def __init__(self, method: Method) -> None:
        self.method = method


class Saving:
    """What a module has saved, and which of its two methods is running."""

    __slots__ = ("backward_runs", "forward", "record", "was_read")

    def __init__(self) -> None:
        self.record: Saved | Record = NOTHING
        self.forward: Forward | None = None
        self.backward_runs = self.was_read = False

    def save(self, values: dict[str, Any]) -> None:
        """Save values by name. Arrays that somebody may write to are copied, also those in tuples and lists."""
        before, thread, pending = self.record, get_ident(), 1 if self.was_read else self.record.pending + 1
        values = {name: _kept(value) for name, value in values.items()}
        if isinstance(before, Saved) and before.forward is self.forward and before.thread == thread:
            pending = before.pending
            if self.forward is not None:
                values = before.values | values
        self.record, self.was_read = Saved(values, self.forward, writes.count, thread, pending), False

    def read(self, owner: Any) -> dict[str, Any]:
        """Return the values that a backward of ``owner`` reads. The errors are those of `Module.saved`."""
        record = self.record
        is_clear = record.pending == 1 or (record.pending and retaining.get())
        if not isinstance(record, Saved) or not is_clear or record.thread != get_ident():
            self.forget()
            raise RuntimeError(f"{name_of(owner)}: {why_unclear(record)}")
        if record.writes != writes.count:
            for name, value in vars(owner).items():
                if isinstance(value, Parameter) and value.written > record.writes:
                    self.forget()
                    raise RuntimeError(f"{name_of(owner)}: {name} {WRITTEN}")
        self.was_read = not self.backward_runs and not retaining.get() and self.forward is None
        return record.values

    def forget(self) -> None:
        """Drop what waits for a backward."""
        if self.record.pending:
            self.record = FORGOTTEN

    def run_forward(self, method: Method, owner: Any, inputs: tuple, options: dict[str, Any]) -> Any:
        """Call a class's ``forward``."""
        outer, before = self.forward, self.record
        if not recording.get() or (outer is not None and outer.method is not method):
            return method(owner, *inputs, **options)
        self.forward = Forward(method)
        try:
            return method(owner, *inputs, **options)
        except BaseException:
            self.record = before
            raise
        finally:
            self.forward = outer

    def run_backward(self, method: Method, owner: Any, grads: tuple, options: dict[str, Any]) -> Any:
        """Call a class's ``backward``."""
        if self.backward_runs or not self.record.pending or retaining.get():
            return method(owner, *grads, **options)
        self.backward_runs = True
        try:
            result = method(owner, *grads, **options)
        finally:
            self.backward_runs = False
        self.record = UNDONE
        return result


def around_forward(method: Method) -> Method:
    """Return a class's ``forward``, called by `Saving`."""

    @functools.wraps(method)
    def forward(self: Any, *inputs: Any, **options: Any) -> Any:
        return self._saving.run_forward(method, self, inputs, options)

    return forward


def around_backward(method: Method) -> Method:
    """Return a class's ``backward``, called by `Saving`."""

    @functools.wraps(method)
    def backward(self: Any, *grads: Any, **options: Any) -> Any:
        return self._saving.run_backward(method, self, grads, options)

    return backward


def _kept(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return owned(value)
    if type(value) in (tuple, list):
        return type(value)([_kept(one) for one in value])
    return value
