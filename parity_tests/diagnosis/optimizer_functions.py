"""Let an optimizer that is a function take its steps: one that steps itself, or one that returns three functions."""

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.optimizer_options import options_of, renamed
from parity_tests.diagnosis.optimizer_stand_ins import Network
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.running import Stage

COUNTS = re.compile(r"^(t|step|i|it|iters?|iteration|epoch|count)$")
RATE = 1e-3

STATES: dict[str, Callable[[np.ndarray], object]] = {
    "{}": lambda w: {},
    "None": lambda w: None,
    "zeros": lambda w: np.zeros_like(w),
    "(zeros, zeros)": lambda w: (np.zeros_like(w), np.zeros_like(w)),
    "(zeros, zeros, 0)": lambda w: (np.zeros_like(w), np.zeros_like(w), 0),
}
"""What a state may be before the first step."""


def ways(cls: Callable, args: tuple, stage: Stage) -> Iterator[Callable]:
    """Yield the ways to walk with a function of an array or of all of them, their gradients, and states.

    It returns the states, too. They come between the gradients and the options: ``f(w, dw, config) -> (w, config)``,
    ``f(w, g, m, v, t, lr) -> (w, m, v)``, ``f(parameters, grads, v, s, t) -> (parameters, v, s, ...)``.
    """
    names = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    named = renamed(cls, args[1])
    config = list(inspect.signature(cls).parameters)[2:3] if len(names) == 2 else []
    has_config = bool(config) and bool(words.CONFIGS.match(config[0]))
    states = [name for name in names[2:] if not (COUNTS.match(name) or name in named or words.RATES.match(name))]
    if has_config:
        yield functools.partial(_one_by_one, cls, {}, config, lambda w: dict(named), stage)
    for begin in STATES.values() if states else [STATES["{}"]]:
        yield functools.partial(_one_by_one, cls, named, states, begin, stage)
    for numbered in (False, True):
        yield functools.partial(_all, cls, named, states, numbered, stage)
    yield functools.partial(_lists, cls, named, states, stage)


def _arguments(cls: Callable, named: dict, number: int) -> dict[str, object]:
    """Return what a function's step takes beside arrays and states: options, the count of steps, the learning rate."""
    given = dict(named)
    for p in inspect.signature(cls).parameters.values():
        if p.name in given or p.default is not p.empty:
            continue
        if COUNTS.match(p.name):
            given[p.name] = number + 1
        elif words.RATES.match(p.name):
            given[p.name] = RATE
    return given


def _one_by_one(
    cls: Callable, named: dict, states: list[str], begin: Callable, stage: Stage, start: dict, gradients: list
) -> tuple:
    params = {key: np.array(values) for key, values in start.items()}
    held = {key: {name: begin(values) for name in states} for key, values in params.items()}
    walk = []
    for number, grads in enumerate(gradients):
        for key in params:
            given = _arguments(cls, named, number) | held[key]
            w = np.array(params[key])
            with stage(cls.__name__):
                made = cls(w, np.array(grads[key]), **given)
            moved, *after = made if isinstance(made, tuple) else (w if made is None else made,)
            held[key] |= dict(zip(states, after, strict=False))
            params[key] = _moved(cls.__name__, moved, params[key])
        walk.append({key: np.array(v) for key, v in params.items()})
    first = next(iter(held.values()))
    config = next((one for one in first.values() if isinstance(one, dict)), {})
    form = f"{cls.__name__}({', '.join(['w', 'dw', *states])}) -> " + (
        f"({', '.join(['w', *states])})" * bool(states) or "w"
    )
    return walk, form, _options(cls, named, config)


def _all(
    cls: Callable, named: dict, states: list[str], numbered: bool, stage: Stage, start: dict, gradients: list
) -> tuple:
    """Walk with a function of dictionaries; numbered ones as in a course, W1 and dW1, with states by the latter."""
    network = Network(start)
    params = network.numbered if numbered else network.by_key
    own = (lambda key: f"d{key}1") if numbered else (lambda key: key)
    held = {name: {own(key): np.zeros_like(values) for key, values in start.items()} for name in states}
    walk = []
    for number, grads in enumerate(gradients):
        given = {own(key): np.array(values) for key, values in grads.items()}
        with stage(cls.__name__):
            made = cls(params, given, **_arguments(cls, named, number) | held)
        if isinstance(made, tuple):
            held |= dict(zip(states, made[1:], strict=False))
        walk.append(network.after(made))
        params = network.numbered if numbered else network.by_key
    form = f"{cls.__name__}({', '.join(['params', 'grads', *states])}), dictionaries" + " of W1 and dW1" * numbered
    return walk, form, _options(cls, named, {})


def _lists(cls: Callable, named: dict, states: list[str], stage: Stage, start: dict, gradients: list) -> tuple:
    network = Network(start)
    held = {name: [np.zeros_like(values) for values in start.values()] for name in states}
    walk = []
    for number, grads in enumerate(gradients):
        with stage(cls.__name__):
            made = cls(network.arrays, [np.array(g) for g in grads.values()], **_arguments(cls, named, number) | held)
        if isinstance(made, tuple) and states:
            held |= dict(zip(states, made[1:], strict=False))
        walk.append(network.after(made))
    return walk, f"{cls.__name__}({', '.join(['params', 'grads', *states])}), lists", _options(cls, named, {})


def _options(cls: Callable, named: dict, config: dict) -> dict:
    parameters = inspect.signature(cls).parameters.values()
    rate = {p.name: RATE for p in parameters if words.RATES.match(p.name) and p.default is p.empty}
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return options_of(types.SimpleNamespace(**rate | defaults | named | config))


def by_triple(cls: Callable, args: tuple, stage: Stage, start: dict, gradients: list) -> tuple:
    """Walk with a function of the options that returns ``(init, update, get_params)``."""
    params = {key: np.array(values) for key, values in start.items()}
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
