"""Probabilities that a loss cuts off near 0 and 1, as ``np.clip(p, 1e-7, 1 - 1e-7)``: beyond, the loss is flat.

The clip guards against log(0), and backward is that of the loss without it. So it differs where the clip is reached.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError

NEAR = 1e-3
CUTTING = ("clip", "maximum", "minimum", "fmax", "fmin", "where")


class Watched(np.ndarray):
    """An array that notes at which limits it is cut off, as does all that is computed from it, in ``reached``."""

    reached: list[float]

    def __array_finalize__(self, made_of: object) -> None:
        """Note what follows where the array came from notes it."""
        self.reached = getattr(made_of, "reached", [])

    def __array_ufunc__(self, ufunc: Callable, method: str, *inputs: Any, out: tuple = (), **options: Any) -> Any:
        """Do what NumPy does."""
        if out:
            options["out"] = tuple(map(_plain, out))
        plain = [_plain(one) for one in inputs]
        options = {name: _plain(option) for name, option in options.items()}
        made = self._noted(ufunc.__name__, plain, {}, getattr(ufunc, method)(*plain, **options))
        return out[0] if len(out) == 1 else made

    def __array_function__(self, function: Callable, types: Any, args: tuple, options: dict) -> Any:
        """Do what NumPy does; what it is made of goes to `__array_ufunc__`, but for ``where``."""
        return self._noted(function.__name__, args, options, super().__array_function__(function, types, args, options))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write; ``p[p < 1e-7] = 1e-7`` cuts off, too."""
        if np.any(np.asarray(self)[index]):
            self._note([value])
        super().__setitem__(index, value)

    def _noted(self, name: str, args: Any, options: dict, made: Any) -> Any:
        if name in CUTTING:
            limits = [one for one in (*args, *options.values()) if np.ndim(one) == 0]
            self._note([one for one in limits if np.any(np.asarray(made) == one)])
        if type(made) is not np.ndarray:
            return made
        made = made.view(Watched)
        made.reached = self.reached
        return made

    def _note(self, limits: list) -> None:
        self.reached += [float(one) for one in limits if is_guard(one)]


def _plain(one: Any) -> Any:
    return one.view(np.ndarray) if isinstance(one, Watched) else one


def is_guard(limit: object) -> bool:
    """Return whether a number is nearly 0 or 1, as the smallest and the largest probability that a loss takes."""
    if not isinstance(limit, float | np.floating):
        return False
    return bool(0 < limit <= NEAR or 1 - NEAR <= limit < 1)


def is_network(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether forward gives a loss of data and weights, which may be inputs, too."""
    weights = set(learner.reading.inputs) - set(learner.data(inputs))
    return np.ndim(learner.outputs[0]) == 0 and bool(learner.parameters or weights)


def cut(learner: Learner, inputs: tuple[np.ndarray, ...]) -> float | None:
    """Return a limit near 0 or 1 at which a network's loss cuts something off; None for none, and for a layer."""
    if not is_network(learner, inputs):
        return None
    found: list[float] = []

    def watched(values: np.ndarray) -> np.ndarray:
        made = values.view(Watched)
        made.reached = found
        return made

    usual = {name: parameter.data for name, parameter in learner.parameters.items()}
    try:
        for name, parameter in learner.parameters.items():
            parameter.data = watched(usual[name])
        learner.forward(*(watched(x) if x.dtype.kind == "f" else x for x in inputs))
    except (LearnerRaisedError, TypeError, ValueError):
        return None
    finally:
        for name, parameter in learner.parameters.items():
            parameter.data = usual[name]
        learner.forward(*inputs)
    return next(iter(found), None)
