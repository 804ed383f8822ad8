"""Let an optimizer that is a function take its steps: one that steps itself, or one that returns three functions."""

import inspect
import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.optimizer_options import options_of, renamed
from parity_tests.diagnosis.reading.running import Stage


def by_function(cls: Callable, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    """Walk with a function ``f(w, dw, config)`` that returns ``(w, config)``."""
    configs = {key: dict(args[1]) for key in params}
    walk = []
    for grads in gradients:
        for key in params:
            with stage(cls.__name__):
                made = cls(params[key], np.array(grads[key]), configs[key])
            moved, configs[key] = made if isinstance(made, tuple) and len(made) == 2 else (made, configs[key])
            params[key] = _moved(cls.__name__, moved, params[key])
        walk.append({key: np.array(v) for key, v in params.items()})
    holder = types.SimpleNamespace(**next(iter(configs.values())))
    return walk, f"{cls.__name__}(w, dw, config) -> (w, config)", options_of(holder)


def by_triple(cls: Callable, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    """Walk with a function of the options that returns ``(init, update, get_params)``."""
    named = renamed(cls, args[1])
    inspect.signature(cls).bind(*args[0], **named)
    with stage(cls.__name__):
        made = cls(*args[0], **named)
    if not (isinstance(made, tuple) and len(made) == 3 and all(map(callable, made))):
        raise TypeError(f"{cls.__name__}({', '.join(map(repr, args[0]))}) returned {_kind(made)}")
    init, update, get_params = made
    with stage("init"):
        states = {key: init(values) for key, values in params.items()}
    walk = []
    for number, grads in enumerate(gradients):
        for key, state in states.items():
            with stage("update"):
                states[key] = update(number, np.array(grads[key]), state)
            with stage("get_params"):
                params[key] = _moved("get_params", get_params(states[key]), params[key])
        walk.append({key: np.array(v) for key, v in params.items()})
    held = inspect.getclosurevars(update).nonlocals
    form = f"{cls.__name__}(...) -> (init, update, get_params); update(i, grad, state), the first i is 0"
    return walk, form, options_of(types.SimpleNamespace(**held))


def _moved(name: str, made: object, before: np.ndarray) -> np.ndarray:
    if not isinstance(made, np.ndarray) or made.shape != before.shape:
        raise TypeError(f"{name} returned {_kind(made)}, expected an array of shape {before.shape}")
    return made


def _kind(made: object) -> str:
    if isinstance(made, np.ndarray):
        return f"an array of shape {made.shape}"
    return f"{len(made)} values" if isinstance(made, tuple) else type(made).__name__
