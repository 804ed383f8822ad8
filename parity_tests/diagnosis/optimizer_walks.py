"""Let somebody's optimizer take its steps, in the form that it has.

Its constructor may take nothing but options, or the parameters as arrays, as a dictionary, as objects with ``.data``
and ``.grad``, or the network that has them. Its step may take nothing, the gradients, a layer, the network, pairs of
gradients and parameters, parameters and gradients, or one array and its gradient. It may write or return. Each way is
tried. A function may take the step itself, or return three (`parity_tests.diagnosis.optimizer_functions`).
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from parity_tests.diagnosis.optimizer_functions import by_triple, ways
from parity_tests.diagnosis.optimizer_options import is_option, options_of, renamed
from parity_tests.diagnosis.optimizer_stand_ins import Network
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage

METHODS = ("step", "update", "update_params", "update_parameters", "apply_gradients", "optimize", "apply", "__call__")
KEYS = re.compile(r"^(param_)?(name|key)$")

FIRST: dict[str, Callable[[Network], object]] = {
    "objects with .data and .grad": lambda net: net.variables,
    "arrays": lambda net: net.arrays,
    "a dictionary of arrays": lambda net: net.by_key,
    "a network": lambda net: net,
}
"""What a constructor may take first."""

STEP: dict[int, dict[str, Callable[[Network], tuple]]] = {
    0: {"()": lambda net: ()},
    1: {
        "(grads), a list": lambda net: (list(net.gradients.values()),),
        "(grads), a dictionary": lambda net: (net.gradients,),
        "(layer), on layer.weights, layer.biases with layer.dweights, layer.dbiases": lambda net: (net.layer,),
        "(network)": lambda net: (net,),
        "(pairs of a gradient and a parameter)": lambda net: (
            list(zip(net.gradients.values(), net.arrays, strict=True)),
        ),
        "(pairs of a parameter and a gradient)": lambda net: (
            list(zip(net.arrays, net.gradients.values(), strict=True)),
        ),
        "(objects with .data and .grad)": lambda net: (net.variables,),
    },
    2: {
        "(params, grads), dictionaries": lambda net: (net.by_key, net.gradients),
        "(params, grads), lists": lambda net: (net.arrays, list(net.gradients.values())),
        "(params, grads), dictionaries of W1 and dW1": lambda net: (
            net.numbered,
            {f"d{key}1": values for key, values in net.gradients.items()},
        ),
    },
}
"""What a step may take, by how many arguments it needs."""

Walk = tuple[list[dict[str, np.ndarray]], str, dict]


def walk_of(cls: Callable, args: tuple, start: dict, gradients: list, stage: Stage) -> Walk:
    """Return the parameters after each step, the form in which the optimizer was called, and the options that it holds.

    Raises
    ------
    NotUnderstoodError
        If no form runs and moves anything.
    """
    trouble: Exception | None = None
    found: Walk | None = None
    drives = _drives(cls, args, stage) if isinstance(cls, type) else _functions(cls, args, stage)
    while found is None or not _moves_all(found, start):
        try:
            drive = next(drives)
            walk = drive(start, gradients)
        except StopIteration:
            break
        except (LearnerRaisedError, TypeError, AttributeError, ValueError, KeyError) as error:
            trouble = trouble or error
            continue
        if any(np.any(walk[0][0][key] != start[key]) for key in start):
            found = found or walk
            found = walk if _moves_all(walk, start) else found
    if found is not None:
        return found
    wanted = (
        "expected step() on parameters, step(grads), update(params, grads), update(layer) or update(w, grad), and none "
        "runs or moves anything"
        if isinstance(cls, type)
        else "expected f(w, dw, config) that returns (w, config), or f(options) that returns (init, update, get_params)"
    )
    raise NotUnderstoodError(f"{cls.__name__}: {wanted} ({trouble})")


def _moves_all(walk: Walk, start: dict) -> bool:
    return all(np.any(walk[0][0][key] != values) for key, values in start.items())


def _functions(cls: Callable, args: tuple, stage: Stage) -> Iterator[Callable]:
    yield functools.partial(by_triple, cls, args, stage)
    yield from ways(cls, args, stage)


def takes_parameters(cls: type) -> bool:
    """Return whether a class's constructor takes something before its options."""
    first = next(iter(inspect.signature(cls).parameters.values()), None)
    return first is not None and not is_option(first.name) and first.kind is not first.VAR_KEYWORD


def _drives(cls: type, args: tuple, stage: Stage) -> Iterator[Callable]:
    """Yield the ways to construct and to call an optimizer, the likeliest first."""
    methods = [name for name in METHODS if callable(getattr(cls, name, None))]
    firsts: dict[str, Callable | None] = {"": None} | (FIRST if takes_parameters(cls) else {})
    for first in reversed(firsts.values()) if _required(cls.__init__)[1:2] else firsts.values():
        for name in methods:
            needed = _required(getattr(cls, name))[1:]
            keyed = any(KEYS.match(one) for one in needed)
            count = len(needed) - keyed
            for words, given in STEP.get(count, {}).items() if not keyed else ():
                yield _Drive(cls, args, stage, first, name, words, given)
            if count == 2 and first is None:
                yield _ByArray(cls, args, stage, None, name, ", name" * keyed)


def _required(function: Callable) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def _built(cls: type, args: tuple, stage: Stage, *first: object) -> object:
    positional, named = args
    try:
        inspect.signature(cls).bind(*first, *positional, **named)
    except TypeError:
        named = renamed(cls, named)
        inspect.signature(cls).bind(*first, *positional, **named)
    with stage(f"{cls.__name__}(...)"):
        return cls(*first, *positional, **named)


class _Drive:
    """One way: what the constructor takes first, the method, and what that takes."""

    def __init__(
        self,
        cls: type,
        args: tuple,
        stage: Stage,
        first: Callable[[Network], object] | None,
        name: str,
        words: str,
        given: Callable[[Network], tuple] = lambda net: (),
    ) -> None:
        self.cls, self.args, self.stage, self.first, self.given = cls, args, stage, first, given
        self.name, self.words = name, words

    def __call__(self, start: dict, gradients: list) -> Walk:
        network = Network(start)
        network.give(gradients[0])
        optimizer = self._optimizer(network)
        options, walk = options_of(optimizer), []
        for grads in gradients:
            network.give(grads)
            with self.stage(self.name):
                _called(optimizer, "pre_update_params")
                returned = getattr(optimizer, self.name)(*self.given(network))
                _called(optimizer, "post_update_params")
            walk.append(network.after(returned))
        return walk, self._form(), options

    def _optimizer(self, network: Network) -> object:
        optimizer = _built(self.cls, self.args, self.stage, *([] if self.first is None else [self.first(network)]))
        if self.first is None and self.words == "()":
            # Handed the network afterwards, as by DeZero's setup, or by Seidman's trainer.
            setup = getattr(optimizer, "setup", None)
            if callable(setup):
                network.params = lambda: network.variables  # type: ignore[method-assign]
                setup(network)
            for name in ("net", "model", "network"):
                with suppress(AttributeError):
                    setattr(optimizer, name, network)
        return optimizer

    def _form(self) -> str:
        taken = next((words for words, first in FIRST.items() if first is self.first), "")
        if taken == "objects with .data and .grad" and self.words == "()":
            return f"{self.name}() on parameters with .data and .grad"
        return f"{self.name}{self.words}" + f"; the constructor takes {taken}" * bool(taken)


class _ByArray(_Drive):
    """``update(w, grad)``: an optimizer for each array, or one that is told the array's name."""

    def __call__(self, start: dict, gradients: list) -> Walk:
        keyed = bool(self.words)
        made = [self._optimizer(Network(start)) for _ in start] if not keyed else [self._optimizer(Network(start))]
        optimizers = dict(zip(start, made * len(start) if keyed else made, strict=True))
        params, walk, options = {key: np.array(v) for key, v in start.items()}, [], options_of(made[0])
        for grads in gradients:
            if keyed and self.name != "step" and not _required(getattr(self.cls, "step", self.__call__))[1:]:
                _called(made[0], "step")  # numpy-ml's: it counts the steps
            for key, optimizer in optimizers.items():
                held = np.array(params[key])
                with self.stage(self.name):
                    returned = getattr(optimizer, self.name)(held, np.array(grads[key]), *[key] * keyed)
                params[key] = np.array(held if returned is None else returned)
                if params[key].shape != held.shape:
                    raise TypeError(f"{self.name} returned another shape")
            walk.append(dict(params))
        count = "one optimizer" if keyed else "an optimizer for each array"
        return walk, f"{self.name}(w, grad{self.words}), {count}", options


def _called(optimizer: object, name: str) -> None:
    method = getattr(optimizer, name, None)
    if callable(method):
        method()
