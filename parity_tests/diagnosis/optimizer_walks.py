"""Let somebody's optimizer take its steps, in the form that it has.

It may be ``step()`` on objects with ``.data`` and ``.grad``, ``update(params, grads)`` on dictionaries or lists, in
place or returning, ``update_params(layer)``, or ``update(w, grad)`` for one array.
"""

import copy
import inspect
import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage

METHODS = ("step", "update", "update_params", "update_parameters", "apply_gradients", "optimize", "apply", "__call__")
OPTIONS = {
    "lr": ("lr", "learning_rate", "eta", "alpha", "current_learning_rate", "step_size", "l_rate"),
    "beta1": ("beta1", "beta_1", "b1", "beta1_"),
    "beta2": ("beta2", "beta_2", "b2"),
    "eps": ("eps", "epsilon", "e"),
    "momentum": ("momentum", "mu", "beta", "gamma"),
    "alpha": ("rho", "decay_rate", "decay", "alpha_", "gamma", "beta"),
    "weight_decay": ("weight_decay", "wd", "l2"),
    "nesterov": ("nesterov",),
}


class Variable:
    """A parameter as PyTorch's optimizers and ours take it, under the names that a toy framework's layer uses."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.grad, self.requires_grad = data, None, True
        self.value = self.w = data

    shape = property(lambda self: self.data.shape)


def walk_of(cls: type, args: tuple, start: dict, gradients: list, stage: Stage) -> tuple[list, str, dict]:
    """Return the parameters after each step, the form in which the optimizer was called, and the options that it holds.

    Raises
    ------
    NotUnderstoodError
        If no form runs and moves anything.
    """
    trouble: Exception | None = None
    for drive in (_by_objects, _by_dictionaries, _by_lists, _by_layer, _by_array, _by_function):
        try:
            walk, form, options = drive(cls, args, copy.deepcopy(start), gradients, stage)
        except (LearnerRaisedError, TypeError, AttributeError) as error:
            trouble = trouble or error
            continue
        if any(np.any(walk[0][key] != start[key]) for key in start):
            return walk, form, options
    raise NotUnderstoodError(
        f"{cls.__name__}: neither step() on parameters, nor update(params, grads), nor update(w, grad) runs or moves "
        f"anything ({trouble})",
        ADAPTER.format(name=cls.__name__, module=cls.__module__),
    )


def _method(optimizer: object) -> tuple[Callable, str]:
    for name in METHODS:
        if callable(getattr(type(optimizer), name, None)):
            return getattr(optimizer, name), name
    raise AttributeError("no method that steps")


def _built(cls: type, args: tuple, stage: Stage, *first: object) -> object:
    if not isinstance(cls, type):
        raise TypeError("a function")
    positional, named = args
    try:
        inspect.signature(cls).bind(*first, *positional, **named)
    except TypeError:
        named = _renamed(cls, named)
        inspect.signature(cls).bind(*first, *positional, **named)
    with stage(f"{cls.__name__}(...)"):
        return cls(*first, *positional, **named)


def _renamed(cls: type, named: dict) -> dict:
    accepted = list(inspect.signature(cls).parameters)
    found = {}
    for key, value in named.items():
        if key == "betas":
            for one, name in zip(value, ("beta1", "beta2"), strict=True):
                found[next((p for p in accepted if p in OPTIONS[name]), name)] = one
        else:
            found[next((p for p in accepted if p in OPTIONS.get(key, (key,))), key)] = value
    return found


def _by_objects(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    variables = {key: Variable(values) for key, values in params.items()}
    optimizer = _built(cls, args, stage, list(variables.values()))
    step, name = _method(optimizer)
    walk = []
    for grads in gradients:
        for key, variable in variables.items():
            variable.grad = np.array(grads[key])
        with stage(name):
            step()
        walk.append({key: np.array(v.data) for key, v in variables.items()})
    return walk, f"{name}() on parameters with .data and .grad", _options(optimizer)


def _by_dictionaries(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizer = _built(cls, args, stage)
    step, name = _method(optimizer)
    options, walk = _options(optimizer), []
    for grads in gradients:
        with stage(name):
            returned = step(params, copy.deepcopy(grads))
        params = returned if isinstance(returned, dict) and set(returned) == set(params) else params
        walk.append({key: np.array(v) for key, v in params.items()})
    return walk, f"{name}(params, grads), dictionaries", options


def _by_lists(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizer = _built(cls, args, stage)
    step, name = _method(optimizer)
    options, walk, held = _options(optimizer), [], list(params.values())
    for grads in gradients:
        with stage(name):
            returned = step(held, [np.array(g) for g in grads.values()])
        held = list(returned) if isinstance(returned, list | tuple) and len(returned) == len(held) else held
        walk.append({key: np.array(v) for key, v in zip(params, held, strict=True)})
    return walk, f"{name}(params, grads), lists", options


def _by_layer(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizer = _built(cls, args, stage)
    step, name = _method(optimizer)
    layer = types.SimpleNamespace(weights=params["W"], biases=params["b"], W=params["W"], b=params["b"])
    layer.params = layer.parameters = params
    options, walk = _options(optimizer), []
    before, after = (getattr(optimizer, f"{when}_update_params", None) for when in ("pre", "post"))
    for grads in gradients:
        layer.dweights, layer.dbiases = np.array(grads["W"]), np.array(grads["b"])
        layer.dW, layer.db, layer.grads = layer.dweights, layer.dbiases, grads
        with stage(name):
            if before:
                before()
            step(layer)
            if after:
                after()
        moved = {"W": (layer.weights, layer.W), "b": (layer.biases, layer.b)}
        walk.append({key: np.array(pair[0]) for key, pair in moved.items()})
        if all(np.array_equal(walk[-1][key], params[key]) for key in params) and len(walk) == 1:
            raise TypeError("a layer's weights did not move")
    return walk, f"{name}(layer), on layer.weights, layer.biases with layer.dweights, layer.dbiases", options


def _by_array(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizers = {key: _built(cls, args, stage) for key in params}
    walk, options = [], _options(next(iter(optimizers.values())))
    for grads in gradients:
        for key, optimizer in optimizers.items():
            step, name = _method(optimizer)
            held = np.array(params[key])
            with stage(name):
                returned = step(held, np.array(grads[key]))
            params[key] = np.array(held if returned is None else returned)
            if params[key].shape != held.shape:
                raise TypeError("update returned another shape")
        walk.append({key: np.array(v) for key, v in params.items()})
    return walk, f"{name}(w, grad), an optimizer for each array", options


def _by_function(cls: Callable, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    if isinstance(cls, type):
        raise TypeError("a class")
    configs = {key: dict(args[1]) for key in params}
    walk = []
    for grads in gradients:
        for key in params:
            with stage(cls.__name__):
                made = cls(params[key], np.array(grads[key]), configs[key])
            params[key], configs[key] = made if isinstance(made, tuple) else (made, configs[key])
        walk.append({key: np.array(v) for key, v in params.items()})
    holder = types.SimpleNamespace(**next(iter(configs.values())))
    return walk, f"{cls.__name__}(w, dw, config) -> (w, config)", _options(holder)


def _options(optimizer: object) -> dict:
    held = {**getattr(optimizer, "__dict__", {}), **getattr(optimizer, "defaults", {})}
    found = {}
    for option, names in OPTIONS.items():
        for name in names:
            if isinstance(held.get(name), float | int | bool):
                found[option] = held[name]
                break
    if isinstance(held.get("betas"), tuple):
        found["beta1"], found["beta2"] = held["betas"]
    return found


ADAPTER = '''\
from {module} import {name}


class Adapter:
    def __init__(self, params, **options):  # objects with .data and .grad
        self.params, self.optimizer = params, {name}(**options)

    def step(self):
        for p in self.params:
            p.data = ...  # what self.optimizer makes of p.data and p.grad


# backprop check my_adapter.py:Adapter --against torch.optim.Adam --args "lr=1e-3"'''
