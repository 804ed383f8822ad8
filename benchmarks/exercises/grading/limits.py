"""Time limits: an endless loop is stopped on the line where it is."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

CALL, WITNESSES, WHOLE = 10, 120, 300
"""Limits in seconds: one call on a few numbers, and all the witnesses (both in processor time); the child process."""


class TookTooLongError(BaseException):
    """Raised when time is up. As with KeyboardInterrupt, a learner's ``except Exception`` does not catch it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TookTooLongError` inside the ``with`` block after this much processor time, if the system can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TookTooLongError(f"{seconds:g} seconds")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
