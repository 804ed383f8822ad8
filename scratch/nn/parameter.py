"""Parameter: an array that an optimizer changes, with its gradient.

A backward may read a parameter's values, and they are those of its forward only if nobody has written to them since. So
optimizers and ``load_state_dict`` note each write: the writes are numbered, and a parameter keeps the number of its
last one.
"""

from collections.abc import Iterable
from threading import Lock, get_ident
from typing import Any, NoReturn, Self

import numpy as np

from scratch import dispatch
from scratch.checks import FLOAT_DTYPES, check_is_array

ndarray = np.ndarray


class Writes:
    """The number of writes to parameters in the whole process."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def note(self, parameters: "Iterable[Parameter]") -> None:
        """Count a write, and give its number to the parameters that it changes."""
        with self._lock:
            self.count = number = self.count + 1
        for parameter in parameters:
            parameter.written = number


writes = Writes()


def clear_grads(parameters: "Iterable[Parameter]", set_to_none: bool) -> None:
    """Set the gradient of each parameter to None, or fill it with zeros."""
    for parameter in parameters:
        grad = None if set_to_none else parameter.hold_arrays().grad
        if grad is None:
            parameter.grad = None
        else:
            grad.fill(0)


class Parameter:
    """An array that an optimizer changes, with its gradient.

    A program may set attributes of its own. NumPy's functions and operators take ``data``, not the parameter.

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

    Raises
    ------
    TypeError
        If ``data`` is not an array, or where the parameter itself stands for its values.
    """

    # Slots are faster than a dictionary, which only a program's own attributes need.
    __slots__ = ("__dict__", "_taken", "_thread", "data", "grad", "requires_grad", "written")

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        array = np.asarray(data) if isinstance(data, np.generic) else data
        self.data = check_is_array("Parameter", array, "data", FLOAT_DTYPES[0])
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

    @property
    def ndim(self) -> int:
        """The number of axes of ``data``."""
        return self.data.ndim

    def dim(self) -> int:
        """Return the number of axes of ``data``."""
        return self.data.ndim

    def numel(self) -> int:
        """Return how many numbers ``data`` has."""
        return self.data.size

    def size(self, dim: int | None = None) -> Any:
        """Return the shape of ``data``, or the length of one axis.

        Raises
        ------
        IndexError
            If there is no such axis.
        """
        if dim is None:
            return self.data.shape
        if not -self.data.ndim <= dim < self.data.ndim:
            raise IndexError(f"Parameter: expected dim to be one of the {self.data.ndim} axes, got {dim}")
        return self.data.shape[dim]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether backward adds to ``grad``; return the parameter."""
        self.requires_grad = requires_grad
        return self

    def __len__(self) -> int:
        if not self.data.ndim:
            raise TypeError("Parameter: expected an axis whose length to return, got a number without axes")
        return len(self.data)

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise RuntimeError(
                f"Parameter: the truth value of {self.data.size} numbers is not clear; ask whether it `is None`"
            )
        return bool(self.data)

    def __array__(self, *options: Any, **more: Any) -> NoReturn:
        raise TypeError("Parameter: expected a numpy.ndarray here, got the Parameter that holds one; use its .data")

    def add_grad(self, grad: np.ndarray) -> None:
        """Add ``grad`` to ``self.grad``, or set that to a copy if it is None; do neither unless ``requires_grad``.

        Raises
        ------
        TypeError
            If ``grad`` is not an array.
        RuntimeError
            If ``grad`` has another shape or dtype than ``data``, or another thread has added to it before.
        """
        if not isinstance(grad, np.generic):
            check_is_array("Parameter", grad, "grad", self.data.dtype)
        if grad.shape != self.data.shape or grad.dtype != self.data.dtype:
            raise RuntimeError(
                f"Parameter: expected a gradient of shape {self.data.shape} and dtype {self.data.dtype}, "
                f"got {grad.shape} and {grad.dtype}"
            )
        if self.requires_grad:
            self.take_grad(grad.copy() if self.grad is None else grad)

    def take_grad(self, grad: np.ndarray) -> None:
        """Do the same with an array that the caller gives away: it becomes ``self.grad`` itself if that is None.

        The caller has asked whether the parameter requires a gradient, and has computed none otherwise.

        Raises
        ------
        RuntimeError
            If another thread has added to it before.
        """
        if self.grad is None:
            if type(grad) is not ndarray:
                grad = np.asarray(grad)  # NumPy's arithmetic turns an array without axes into a number
            self.grad = self._taken = grad
            self._thread = get_ident()
        else:
            self.check_thread()
            self._accumulate(grad)

    @dispatch.quiet
    def _accumulate(self, grad: np.ndarray) -> None:
        self.grad += grad

    def check_thread(self) -> None:
        """Raise ``RuntimeError`` if a backward in another thread made the gradient that is there."""
        if self.grad is self._taken and self.grad is not None and self._thread != get_ident():
            raise RuntimeError(
                "Parameter: its gradient was made by a backward in another thread; two threads that train one model "
                "would mix their gradients: give each thread a copy of the model (copy.deepcopy), or take turns with a "
                "lock and call zero_grad() in between"
            )

    def hold_arrays(self) -> Self:
        """Make arrays again of assigned numbers, into which NumPy turns arrays without axes; return the parameter."""
        if isinstance(self.data, np.generic):
            self.data = np.asarray(self.data)
        if isinstance(self.grad, np.generic):
            self.grad = np.asarray(self.grad)
        return self

    def __getstate__(self) -> tuple:
        return self.data, self.grad, self.requires_grad, self.__dict__

    def __setstate__(self, state: tuple) -> None:
        self.data, self.grad, self.requires_grad, own = state
        self.__dict__.update(own)
        self._taken, self._thread = None, 0
        self.written = 0

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"
