"""What forwards save for backwards, and for how long.

    with scratch.no_grad():         forwards save nothing, and leave alone what was saved before
    with scratch.retain_graph():    backwards use nothing up: one forward may have a second backward

PyTorch's counterparts: ``torch.no_grad()``, and ``loss.backward(retain_graph=True)``.

In training nobody needs the gradient with respect to the images, and the first layer can save that work. PyTorch knows,
since the images' ``requires_grad`` is False. Here a module that was told so (``requires_input_grad_(False)``) marks its
input as a constant during its forward. A layer whose input is a constant notes that it needs no gradient there, and if
the layer has no parameters, it marks its output as a constant too.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import numpy as np

recording: ContextVar[bool] = ContextVar("recording", default=True)
"""Whether forwards save what their backwards need."""
retaining: ContextVar[bool] = ContextVar("retaining", default=False)
"""Whether backwards leave in place what their forwards saved."""
constants: ContextVar[dict[int, np.ndarray] | None] = ContextVar("constants", default=None)
"""The arrays whose gradients nobody needs, by their ``id``."""


@contextmanager
def _set(variable: ContextVar, value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Let the forwards inside the ``with`` block save nothing for backward."""
    return _set(recording, False)


def retain_graph() -> AbstractContextManager[None]:
    """Let the backwards inside the ``with`` block leave in place what their forwards saved."""
    return _set(retaining, True)
