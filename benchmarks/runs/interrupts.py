"""Ctrl-C and SIGTERM: they end a command at once or, in a training loop, after the current step."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from benchmarks.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, both signals raise `Interrupted`; within `deferred`, the first of them is only noted.

    A second one is raised at once even there: whoever sends it does not want to wait. A signal that the process ignores
    stays ignored (a shell makes its background jobs ignore Ctrl-C).

    Attributes
    ----------
    received : int or None
        The signal that was noted.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._deferring = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._deferring or self.received is not None:
            raise Interrupted(number)
        self.received = number

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Note the first signal; the body checks ``received`` where it can stop. At the end it is raised."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self.stop_if_received()

    def stop_if_received(self) -> None:
        """Raise `Interrupted` if a signal was noted."""
        if self.received is not None:
            raise Interrupted(self.received)
