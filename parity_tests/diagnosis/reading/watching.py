"""Look at the frames of functions as they return, while somebody else's code runs."""

import contextlib
import sys
import types
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def returns(look: Callable[[types.FrameType, object], None]) -> Iterator[None]:
    """Call ``look`` with the frame of each function that returns, and with what it returns."""

    def watch(frame: types.FrameType, event: str, returned: object) -> None:
        if event == "return":
            look(frame, returned)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
