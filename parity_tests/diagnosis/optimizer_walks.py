"""Let somebody's optimizer take its steps, in the form that it has.

It may be ``step()`` on objects with ``.data`` and ``.grad``, ``update(params, grads)`` on dictionaries or lists, in
place or returning, ``update_params(layer)``, or ``update(w, grad)`` for one array. A function may take the step itself,
``f(w, dw, config)``, or return three functions, ``(init, update, get_params)``, as JAX's optimizers do.
"""

import copy
import inspect
import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.optimizer_functions import by_function, by_triple
from parity_tests.diagnosis.optimizer_options import options_of, renamed
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage

METHODS = ("step", "update", "update_params", "update_parameters", "apply_gradients", "optimize", "apply", "__call__")


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
    methods = (_by_objects, _by_dictionaries, _by_lists, _by_layer, _by_array)
    for drive in methods if isinstance(cls, type) else (by_triple, by_function):
        try:
            walk, form, options = drive(cls, args, copy.deepcopy(start), gradients, stage)
            if any(np.any(walk[0][key] != start[key]) for key in start):
                return walk, form, options
        except (LearnerRaisedError, TypeError, AttributeError, ValueError) as error:
            trouble = trouble or error
    wanted = (
        "neither step() on parameters, nor update(params, grads), nor update(w, grad) runs or moves anything"
        if isinstance(cls, type)
        else "expected f(w, dw, config) that returns (w, config), or f(options) that returns (init, update, get_params)"
    )
    raise NotUnderstoodError(f"{cls.__name__}: {wanted} ({trouble})")


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
        named = renamed(cls, named)
        inspect.signature(cls).bind(*first, *positional, **named)
    with stage(f"{cls.__name__}(...)"):
        return cls(*first, *positional, **named)


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
    return walk, f"{name}() on parameters with .data and .grad", options_of(optimizer)


def _by_dictionaries(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizer = _built(cls, args, stage)
    step, name = _method(optimizer)
    options, walk = options_of(optimizer), []
    for grads in gradients:
        with stage(name):
            returned = step(params, copy.deepcopy(grads))
        params = returned if isinstance(returned, dict) and set(returned) == set(params) else params
        walk.append({key: np.array(v) for key, v in params.items()})
    return walk, f"{name}(params, grads), dictionaries", options


def _by_lists(cls: type, args: tuple, params: dict, gradients: list, stage: Stage) -> tuple:
    optimizer = _built(cls, args, stage)
    step, name = _method(optimizer)
    options, walk, held = options_of(optimizer), [], list(params.values())
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
    options, walk = options_of(optimizer), []
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
    walk, options = [], options_of(next(iter(optimizers.values())))
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
