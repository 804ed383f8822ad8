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

recording: ContextVar[bool] = ContextVar("recording", default=True)
"""Whether forwards keep what their backwards need."""
retaining: ContextVar[bool] = ContextVar("retaining", default=False)
"""Whether backwards leave what their forwards kept."""
constants: ContextVar[dict[int, np.ndarray] | None] = ContextVar("constants", default=None)
"""The arrays whose gradients nobody will read, by their ``id``."""


@contextmanager
def _set(variable: ContextVar, value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Keep nothing of the forwards inside of the ``with`` block."""
    return _set(recording, False)


def retain_graph() -> AbstractContextManager[None]:
    """Let the backwards inside of the ``with`` block leave what their forwards kept."""
    return _set(retaining, True)
