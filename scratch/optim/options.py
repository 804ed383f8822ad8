"""The checks of an optimizer's options: each returns a Python number, or says which option of which optimizer is wrong.

A NumPy scalar counts as a number. It is converted, because float32 arrays times an ``np.float64`` would be float64.
"""

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from scratch.checks import name_of


def check_number(owner: object, name: str, value: Any, at_least: float | None = 0) -> float:
    """Return ``value`` as a float, or raise unless it is a finite number of ``at_least`` or more."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name_of(owner)}: expected {name} to be a number, got {value!r}")
    if at_least is not None and not float(value) >= at_least:
        raise ValueError(f"{name_of(owner)}: expected {name} of {at_least} or more, got {value}")
    if not math.isfinite(value):
        raise ValueError(f"{name_of(owner)}: expected {name} to be finite, got {value}")
    return float(value)


def check_bool(owner: object, name: str, value: Any) -> bool:
    """Return ``value`` as a bool, or raise unless it is one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name_of(owner)}: expected {name} to be a bool, got {value!r}")
    return bool(value)


def check_betas(owner: object, betas: Any) -> tuple[float, float]:
    """Return ``betas`` as a tuple, or raise unless it is a pair of floats within [0, 1)."""
    if not isinstance(betas, Sequence) or isinstance(betas, str):
        raise TypeError(f"{name_of(owner)}: expected betas to be a pair of floats, got {betas!r}")
    if len(betas) != 2:
        raise ValueError(f"{name_of(owner)}: expected betas to be a pair of floats, got {len(betas)} values: {betas}")
    if not all(isinstance(beta, float) and 0 <= beta < 1 for beta in betas):
        raise ValueError(f"{name_of(owner)}: expected betas to be floats within [0, 1), got {betas}")
    return float(betas[0]), float(betas[1])


def check_each(owner: object, options: Mapping, numbers: Iterable[str], flags: Iterable[str]) -> dict[str, Any]:
    """Return the options of these names as Python's own numbers and bools, and the betas if there are any."""
    checked: dict[str, Any] = {name: check_number(owner, name, options[name]) for name in numbers}
    if "betas" in options:
        checked["betas"] = check_betas(owner, options["betas"])
    return checked | {name: check_bool(owner, name, options[name]) for name in flags}
