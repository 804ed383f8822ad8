"""Parameter: an array that an optimizer changes, with its gradient.

A backward may read a parameter's values, and they are those of its forward only if nobody has written to them since. So
optimizers and ``load_state_dict`` note each write: the writes are numbered, and a parameter keeps the number of its
last one.
"""

import threading
from collections.abc import Iterable

import numpy as np

from scratch import dispatch


class Writes:
    """The number of writes to parameters in the whole process."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def note(self, parameters: "Iterable[Parameter]") -> None:
        """Count a write, and give its number to the parameters that it changes."""
        with self._lock:
            self.count = number = self.count + 1
        for parameter in parameters:
            parameter.written = number


writes = Writes()


class Parameter:
    """An array that an optimizer changes, with its gradient.

    Parameters
    ----------
    data : numpy.ndarray
        The values. Kept as given, not copied.
    requires_grad : bool
        Whether backward adds to ``grad``.

    Attributes
    ----------
    data : numpy.ndarray
        The values, of any shape.
    grad : numpy.ndarray or None
        The gradient of the loss with respect to ``data``, of the same shape and dtype; None until the first backward.
    requires_grad : bool
        Whether backward adds to ``grad``. May be changed at any time.
    written : int
        The number of the last write to ``data`` that was noted.
    """

    __slots__ = ("_taken", "_thread", "data", "grad", "requires_grad", "written")

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        self.data = data
        self.grad: np.ndarray | None = None
        self.requires_grad = requires_grad
        self._taken: np.ndarray | None = None
        self._thread = 0
        self.written = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ``data``."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of ``data``."""
        return self.data.dtype

    def add_grad(self, grad: np.ndarray) -> None:
        """Add ``grad`` to ``self.grad``, or set that to a copy if it is None.

        Raises
        ------
        RuntimeError
            If ``grad`` has another shape or dtype than ``data``, or another thread has added to it before.
        """
        if grad.shape != self.data.shape or grad.dtype != self.data.dtype:
            raise RuntimeError(
                f"Parameter: expected a gradient of shape {self.data.shape} and dtype {self.data.dtype}, "
                f"got {grad.shape} and {grad.dtype}"
            )
        self.take_grad(grad.copy() if self.grad is None else grad)

    def take_grad(self, grad: np.ndarray) -> None:
        """Do the same with an array that the caller gives away: it becomes ``self.grad`` itself if that is None.

        Raises
        ------
        RuntimeError
            If another thread has added to it before.
        """
        if self.grad is None:
            self.grad = self._taken = grad
            self._thread = threading.get_ident()
        else:
            self.check_thread()
            self._accumulate(grad)

    @dispatch.quiet
    def _accumulate(self, grad: np.ndarray) -> None:
        self.grad += grad

    def check_thread(self) -> None:
        """Raise ``RuntimeError`` if a backward in another thread made the gradient that is there."""
        if self.grad is self._taken and self.grad is not None and self._thread != threading.get_ident():
            raise RuntimeError(
                "Parameter: its gradient was made by a backward in another thread; two threads that train one model "
                "would mix their gradients: give each thread a copy of the model (copy.deepcopy), or take turns with a "
                "lock and call zero_grad() in between"
            )

    def __getstate__(self) -> tuple:
        return self.data, self.grad, self.requires_grad

    def __setstate__(self, state: tuple) -> None:
        self.data, self.grad, self.requires_grad = state
        self._taken, self._thread = None, 0
        self.written = 0

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"
