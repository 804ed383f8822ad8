"""Time limits: a loop without an end is stopped in the line where it is."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

CALL, WITNESSES, WHOLE = 10, 120, 300
"""Seconds: a call on a few numbers; all that the witnesses ask (both of processor time); the child process."""


class TookTooLongError(BaseException):
    """As with KeyboardInterrupt, an ``except Exception`` of the learner's does not catch it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TookTooLongError` inside of the ``with`` block after so much processor time, where the system can."""
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
