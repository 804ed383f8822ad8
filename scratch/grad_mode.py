"""What forwards keep for backwards, and for how long.

    with scratch.no_grad():         forwards keep nothing, and leave alone what was kept before
    with scratch.retain_graph():    backwards use nothing up: a second backward of one forward is possible

PyTorch's counterparts: ``torch.no_grad()``, and ``loss.backward(retain_graph=True)``.

While a network is trained nobody reads how the loss would change with the images, and the first layer can save that
work. PyTorch knows, since the images' ``requires_grad`` is False. Here a module that was told so
(``requires_input_grad_(False)``) calls its input a constant for the time of its forward; a layer that meets a constant
notes that its input needs no gradient, and one that learns nothing calls its output a constant, too.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import numpy as np

_recording: ContextVar[bool] = ContextVar("recording", default=True)
_retaining: ContextVar[bool] = ContextVar("retaining", default=False)
_constants: ContextVar[list[np.ndarray] | None] = ContextVar("constants", default=None)


@contextmanager
def _set(variable: ContextVar, value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Keep nothing of the forwards inside of the ``with`` block."""
    return _set(_recording, False)


def retain_graph() -> AbstractContextManager[None]:
    """Let the backwards inside of the ``with`` block leave what their forwards kept."""
    return _set(_retaining, True)


def constants(arrays: tuple[np.ndarray, ...]) -> AbstractContextManager[None]:
    """Call ``arrays`` constants inside of the ``with`` block: nobody will read their gradients."""
    return _set(_constants, list(arrays))


def is_recording() -> bool:
    """Return whether forwards keep what their backwards need."""
    return _recording.get()


def is_retaining() -> bool:
    """Return whether backwards leave what their forwards kept."""
    return _retaining.get()


def is_constant(array: np.ndarray) -> bool:
    """Return whether nobody will read the array's gradient."""
    known = _constants.get()
    return known is not None and any(array is one for one in known)


def mark_constant(array: np.ndarray) -> None:
    """Call ``array`` a constant, too, until the ``with`` block of `constants` ends."""
    known = _constants.get()
    if known is not None:
        known.append(array)
