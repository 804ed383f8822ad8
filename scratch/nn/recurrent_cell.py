"""What the recurrent cells share: their parameters, their checks, and states that may be left out.

    hx = cell(x, hx)                                            forward, once for each step
    grad_x, grad_hx = cell.backward(grad_hx)                    backward, once for each forward, the last one's first

A cell that runs over time is applied several times before the first backward. The model's code has to say so:
``self.cell = nn.Reused(nn.GRUCell(...))``.
"""

import math
from typing import Any, ClassVar

import numpy as np

from scratch.checks import DType, check_dtype, check_float_dtype, check_size, name_of
from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


class RecurrentCell(Layer):
    """Base of the cells. A subclass sets `functions` and `gates`, the rows of weights for each number of a state."""

    learned = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    inputs = grad_inputs = 2
    gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: DType = np.float32) -> None:
        super().__init__()
        check_size(self, "input_size", input_size)
        check_size(self, "hidden_size", hidden_size)
        dtype = check_float_dtype(self, dtype)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bool(bias)
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(np.empty((rows, input_size), dtype))
        self.weight_hh = Parameter(np.empty((rows, hidden_size), dtype))
        self.bias_ih = Parameter(np.empty(rows, dtype)) if bias else None
        self.bias_hh = Parameter(np.empty(rows, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values from [-1/sqrt(H), 1/sqrt(H)), H being ``hidden_size``."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has the shape (N, I) or (I,)."""
        if x.ndim not in (1, 2):
            raise ValueError(f"{name_of(self)}: expected input with 1 or 2 axes, got {x.shape}")
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"{name_of(self)}: expected input of shape (..., {self.input_size}), got {x.shape}")

    def check_state(self, x: np.ndarray, state: Any) -> None:
        """Raise unless ``state`` has the dtype and the batch of ``x``."""
        check_dtype(self, state, x.dtype, "hx")
        if state.ndim not in (1, 2):
            raise ValueError(f"{name_of(self)}: expected hx with 1 or 2 axes, got {state.shape}")
        shape = (*x.shape[:-1], self.hidden_size)
        if state.shape != shape:
            raise RuntimeError(f"{name_of(self)}: expected hx of shape {shape}, got {state.shape}")

    def zeros(self, x: np.ndarray) -> np.ndarray:
        """Return the state that is used where none is given."""
        return np.zeros((*x.shape[:-1], self.hidden_size), x.dtype)

    def arguments(self) -> tuple:
        """Return the function's arguments after the states."""
        return (
            self.weight_ih.data,
            self.weight_hh.data,
            self.value("bias_ih", absent=0.0),
            self.value("bias_hh", absent=0.0),
        )

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (I,) to a batch of one, (1, I)."""
        return x if x.ndim == 2 else x[None]

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        return y if len(input_shape) == 2 else y[0]

    def step(self, x: np.ndarray, *states: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the next states, given states that have been checked."""
        results = self.run(self.functions, x, *map(self.fold, states), *self.arguments())
        return (results[0], *[self.unfold(one, x.shape) for one in results[1:]])

    def step_back(self, *grads: np.ndarray | None) -> tuple[Any, ...]:
        """Return the gradients of ``x`` and of the previous states, given those of the next states."""
        input_shape = self.record().input_shape
        first, *others = grads
        found = super().backward(first, *[None if grad is None else self.fold(grad) for grad in others])
        return (
            found[0] if found[0] is None else found[0].reshape(input_shape),
            *[self.unfold(grad, input_shape) for grad in found[1:]],
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class CellOfOneState(RecurrentCell):
    """A cell whose only state is its output: `RNNCell`, `GRUCell`."""

    def forward(self, x: np.ndarray, hx: np.ndarray | None = None) -> np.ndarray:
        """Map the input and the previous state, zeros if it is left out, to the next state."""
        self.check_input(x)
        if hx is None:
            hx = self.zeros(x)
        self.check_state(x, hx)
        return self.step(x, hx)[0]

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Map the gradient of the next state to those of the input and of the previous state."""
        grad_x, grad_hx = self.step_back(grad_output)
        return grad_x, grad_hx


def pair_of(owner: Layer, hx: Any, name: str = "hx") -> tuple[Any, Any]:
    """Return a state and a memory; raise ``TypeError`` unless there are two."""
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        given = f"{len(hx)} of them" if isinstance(hx, (tuple, list)) else type(hx).__name__
        raise TypeError(f"{name_of(owner)}: expected {name} to be a pair of state and memory, got {given}")
    return hx[0], hx[1]
