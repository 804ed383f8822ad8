"""SequenceLayer: what RNN, GRU and LSTM are made of: their options, their parameters, and the shapes that they take.

`scratch.nn.recurrent` has their passes.
"""

import math
import warnings
from typing import ClassVar

import numpy as np

from scratch.checks import DType, check_float_dtype, name_of
from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter

DEFAULTS = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}


class SequenceLayer(Layer):
    """A layer of sequences, with weights of its own for each of several layers, in one direction or both.

    Attributes
    ----------
    gates : int
        How many rows of weights there are for each number of a state.
    """

    learned = ("weight_ih_l0",)  # and so on: their names depend on the options
    gates: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        name = name_of(self)
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: expected dropout to be a number within [0, 1], got {dropout!r}")
        for option, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise TypeError(f"{name}: expected {option} to be a bool, got {flag!r}")
        for option, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int):
                raise TypeError(f"{name}: expected {option} to be an integer, got {size!r}")
            if size <= 0:
                raise ValueError(f"{name}: expected {option} of 1 or more, got {size}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"{name}: dropout={dropout} acts between layers, and there is only one", stacklevel=3)
        dtype = check_float_dtype(self, dtype)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.directions = bool(bidirectional), 2 if bidirectional else 1
        rows = self.gates * hidden_size
        for place in range(num_layers * self.directions):
            width = input_size if place < self.directions else self.directions * hidden_size
            shapes = ((rows, width), (rows, hidden_size), (rows,), (rows,))
            for parameter, shape in zip(self.names_at(place), shapes, strict=False):
                setattr(self, parameter, Parameter(np.empty(shape, dtype)))
        self.reset_parameters()

    def names_at(self, place: int) -> list[str]:
        """Return the names of the parameters of one layer and direction; ``place`` counts the directions first."""
        layer, backwards = divmod(place, self.directions)
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if self.bias else 2]
        return [f"{kind}_l{layer}{'_reverse' * backwards}" for kind in kinds]

    def reset_parameters(self) -> None:
        """Draw new initial values from [-1/sqrt(H), 1/sqrt(H)), H being ``hidden_size``."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    # Shapes. The functions take (T, N, I); the caller has that, (N, T, I), or (T, I).

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is a sequence of one step or more, with a batch or without."""
        name = name_of(self)
        if x.ndim not in (2, 3):
            raise ValueError(f"{name}: expected input with 2 or 3 axes, got {x.shape}")
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"{name}: expected input of shape (..., {self.input_size}), got {x.shape}")
        if len(self.fold(x)) == 0:
            raise RuntimeError(f"{name}: expected a sequence of 1 step or more, got {x.shape}")

    def check_input(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is an array that the layer can take."""
        if hasattr(x, "batch_sizes"):
            raise TypeError(
                f"{name_of(self)}: packed sequences are not supported; expected an array, (T, N, I), of sequences of "
                "one length; or, in one direction only, a padded one, of which neither h_n nor an output after an end "
                "is read"
            )
        super().check_input(x)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Bring a sequence into the shape (T, N, ...)."""
        if x.ndim == 2:
            return x[:, None]
        return x.swapaxes(0, 1) if self.batch_first else x

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        if len(input_shape) == 2:
            return y[:, 0]
        return y.swapaxes(0, 1) if self.batch_first else y

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in DEFAULTS.items():
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value}"
        return text
