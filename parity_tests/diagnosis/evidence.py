"""What a guess at the mistake starts from, and the list of guesses that `parity_tests.diagnosis.diagnose` tries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from parity_tests.harness.report import AGAIN


@dataclass
class Case:
    """A wrong quantity, and what a guess may need to explain it.

    Attributes
    ----------
    name, kind : str
        The quantity's name, and "output", "grad_input", "grad_parameter" or "buffer".
    again : bool
        Whether it is the quantity after a second backward.
    expected, got : numpy.ndarray
        What it should be and what it is.
    first : numpy.ndarray
        What it should have been after the first backward; ``expected`` unless ``again``.
    inputs, grads : tuple of numpy.ndarray
        What forward and backward were called with.
    state : dict
        The parameters and buffers before the forward pass.
    layer : object
        The PyTorch layer, for its options; None with finite differences.
    output : numpy.ndarray or None
        What the output should be; None with finite differences.
    rerun : callable
        ``rerun(inputs=..., grads=..., state=..., training=..., options=...)`` returns what this quantity would be if
        those were replaced; with ``name=...``, another quantity.
    columns : bool
        Whether the examples are the columns of a matrix.
    names : list of str
        Forward's names of the inputs.
    parts : bool
        Whether it is a complex array's gradient, with the real and the imaginary part on the last axis.
    another : callable
        Returns the same quantity's case for a batch of another size; None if there is none.
    """

    name: str
    kind: str
    again: bool
    expected: np.ndarray
    got: np.ndarray
    first: np.ndarray
    inputs: tuple[np.ndarray, ...]
    grads: tuple[np.ndarray, ...]
    state: dict[str, np.ndarray]
    layer: object
    output: np.ndarray | None
    rerun: Callable[..., np.ndarray]
    columns: bool = False
    names: Sequence[str] = ()
    parts: bool = False
    another: Callable[[], "Case | None"] = lambda: None

    @property
    def parameter(self) -> np.ndarray | None:
        """The parameter whose gradient this is."""
        return self.state.get(self.name.removesuffix(AGAIN).replace("grad_", ""))

    def option(self, name: str) -> object:
        """Return one of the PyTorch layer's options, None if it has no such option."""
        return getattr(self.layer, name, None)


GRADIENTS = ("grad_input", "grad_parameter")
EVERYTHING = ("output", *GRADIENTS, "buffer")

Pairs = Iterator[tuple[str, np.ndarray]]
Guess = Callable[[Case], Pairs]
GUESSES: list[tuple[tuple[str, ...], Guess]] = []


def guess(*kinds: str) -> Callable[[Guess], Guess]:
    """Register a guess for quantities of these kinds; "again" is any of them after a second backward."""

    def register(function: Guess) -> Guess:
        GUESSES.append((kinds, function))
        return function

    return register
