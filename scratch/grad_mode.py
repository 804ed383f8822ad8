"""What forwards save for backwards, and for how long.

    with scratch.no_grad():         forwards save nothing, and leave alone what was saved before
    @scratch.no_grad()              the same in a function
    with scratch.retain_graph():    backwards use nothing up: one forward may have a second backward

PyTorch's counterparts: ``torch.no_grad``, ``enable_grad``, ``set_grad_enabled`` and ``inference_mode``, which all work
as decorators, too; and ``loss.backward(retain_graph=True)``. Differs from PyTorch: a class cannot be decorated.

In training nobody needs the gradient with respect to the images, and the first layer can save that work. PyTorch knows,
since the images' ``requires_grad`` is False. Here a module that was told so (``requires_input_grad_(False)``) marks its
input as a constant during its forward. A layer whose input is a constant notes that it needs no gradient there, and if
the layer has no parameters, it marks its output as a constant too.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, overload

import numpy as np

Function = TypeVar("Function", bound=Callable)

recording: ContextVar[bool] = ContextVar("recording", default=True)
"""Whether forwards save what their backwards need."""
retaining: ContextVar[bool] = ContextVar("retaining", default=False)
"""Whether backwards leave in place what their forwards saved."""
constants: ContextVar[dict[int, np.ndarray] | None] = ContextVar("constants", default=None)
"""The arrays whose gradients nobody needs, by their ``id``."""


class GradMode:
    """Whether the forwards inside a ``with`` block, or inside a function that it decorates, save for backward.

    Parameters
    ----------
    mode : bool
        Whether they do.
    """

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"grad mode: expected mode to be True or False, got {mode!r}")
        self.mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(recording.get())
        recording.set(self.mode)

    def __exit__(self, *exception: object) -> None:
        recording.set(self._before.pop())

    def __call__(self, function: Function) -> Function:
        """Return a function that runs in this mode; a generator does so from each ``yield`` to the next."""
        if not callable(function) or isinstance(function, type):
            raise TypeError(f"grad mode: expected a function to decorate, got {function!r:.80}")
        mode = self.mode
        decorated: Any

        if inspect.isgeneratorfunction(function):

            @wraps(function)
            def decorated(*arguments: Any, **options: Any) -> Any:
                generator = function(*arguments, **options)
                proceed, sent = generator.send, None
                while True:
                    try:
                        with GradMode(mode):
                            value = proceed(sent)
                    except StopIteration as stop:
                        return stop.value
                    try:
                        proceed, sent = generator.send, (yield value)
                    except GeneratorExit:
                        with GradMode(mode):
                            generator.close()
                        raise
                    except BaseException as error:
                        proceed, sent = generator.throw, error

        else:

            @wraps(function)
            def decorated(*arguments: Any, **options: Any) -> Any:
                with GradMode(mode):
                    return function(*arguments, **options)

        return decorated


class SetNow(GradMode):
    """A mode that is set at once, and until the end of the ``with`` block, if there is one."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._outside = recording.get()
        recording.set(mode)

    def __enter__(self) -> None:
        recording.set(self.mode)

    def __exit__(self, *exception: object) -> None:
        recording.set(self._outside)

    def __call__(self, function: Function) -> Function:
        """Return a function that runs in this mode; outside of it the mode is what it was."""
        recording.set(self._outside)
        return super().__call__(function)


@overload
def no_grad() -> GradMode: ...
@overload
def no_grad(function: Function) -> Function: ...
def no_grad(function: Any = None) -> Any:
    """Let the forwards inside the ``with`` block, or inside the decorated function, save nothing for backward."""
    return GradMode(False) if function is None else GradMode(False)(function)


@overload
def enable_grad() -> GradMode: ...
@overload
def enable_grad(function: Function) -> Function: ...
def enable_grad(function: Any = None) -> Any:
    """Let the forwards inside the ``with`` block, or inside the decorated function, save what backward needs."""
    return GradMode(True) if function is None else GradMode(True)(function)


def set_grad_enabled(mode: bool) -> GradMode:
    """Set from here on whether forwards save what backward needs; in a ``with`` statement, until its block ends."""
    return SetNow(mode)


@overload
def inference_mode(mode: bool = True) -> GradMode: ...
@overload
def inference_mode(mode: Function) -> Function: ...
def inference_mode(mode: Any = True) -> Any:
    """Do what `no_grad` does; with ``mode=False``, what `enable_grad` does."""
    return GradMode(not mode) if isinstance(mode, bool) else GradMode(False)(mode)


@contextmanager
def retain_graph() -> Iterator[None]:
    """Let the backwards inside the ``with`` block leave in place what their forwards saved."""
    token = retaining.set(True)
    try:
        yield
    finally:
        retaining.reset(token)
