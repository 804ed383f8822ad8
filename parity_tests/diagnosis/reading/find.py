"""What to call: forward and backward among what a file offers, by the names that people give them."""

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.reading import adapters, holders, parted
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.flagged import Flagged, with_flag
from parity_tests.diagnosis.reading.function_contents import FUNCTIONS
from parity_tests.diagnosis.reading.lookup import named_in
from parity_tests.diagnosis.reading.names import BACKWARD, BACKWARD_PARTS, CONTEXTS, DERIVATIVES, FORWARD, RATES
from parity_tests.diagnosis.reading.of_functions import by_keyword, pair_of, partners
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.signatures import parameters_of
from parity_tests.diagnosis.reading.world import World
from scratch.nn import Module


@dataclass
class Found:
    """The two functions to call, what they belong to, and what they are called.

    ``backward`` is None where forward returns its own: a function, or the gradients beside the loss. ``of_data``: the
    inputs of forward, a network's loss, are data and need no gradient.
    """

    title: str
    forward: Callable
    backward: Callable | None
    owner: object = None
    module: types.ModuleType | None = None
    roots: list = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    of_data: bool = False

    def __post_init__(self) -> None:
        """Collect the roots under which to look for numbers."""
        if self.owner is not None:
            self.roots.append(self.owner)
            self.prefixes.append("self")
        for function in (self.forward, self.backward):
            inner = getattr(function, "__func__", function)
            bound = getattr(function, "__self__", None)
            for one, prefix in ((bound, "self"), (inner, "")):
                if one is not None and not any(one is root for root in self.roots) and _holds_data(one):
                    self.roots.append(one)
                    self.prefixes.append(prefix)
        if self.module is not None and not isinstance(self.owner, Module):
            self.roots.append(self.module)
            self.prefixes.append("")
        self.world = World(self.roots, self.prefixes)

    def __deepcopy__(self, memo: dict) -> "Found":
        # A stand-in that holds it is copied before each forward. It says where to look, and no forward changes it.
        return self

    def hand(self, extras: dict[str, object]) -> dict[str, object]:
        """Look for numbers in forward's further arguments, too; return the arguments as they are from now on."""
        holder = types.SimpleNamespace(**extras)
        self.roots.append(holder)
        self.prefixes.append("")
        self.world = World(self.roots, self.prefixes)
        return vars(holder)

    @property
    def forward_name(self) -> str:
        """Forward's own name."""
        return getattr(undecorated(self.forward), "__name__", "forward")

    @property
    def backward_name(self) -> str:
        """Backward's own name; empty where there is none."""
        return getattr(undecorated(self.backward), "__name__", "") if self.backward else ""

    @property
    def derivative(self) -> bool:
        """Whether backward's name says that it returns the derivative alone."""
        name = self.backward_name.lower()
        if isinstance(self.backward, Flagged):
            return True
        return name in DERIVATIVES or name.endswith(tuple(f"_{word}" for word in DERIVATIVES)) or name.startswith("d_")

    def is_rate(self, parameter: inspect.Parameter) -> bool:
        """Return whether backward's argument is a learning rate; alpha is, if nothing else of the layer is alpha.

        An alpha that is None by default may be left out, and a rate not: it is a penalty's.
        """
        name, fronts = parameter.name, [one.name for one in self.parameters(self.forward)]
        alpha = name == "alpha" and self.owner is not None and not hasattr(self.owner, name) and name not in fronts
        return bool(RATES.match(name)) or (alpha and parameter.default is not None)

    def parameters(self, function: Callable | None) -> list[inspect.Parameter]:
        """Return a function's parameters, without a context."""
        if function is None:
            return []
        try:
            found = parameters_of(undecorated(function))
        except (TypeError, ValueError):
            return []
        return found[1:] if found and CONTEXTS.match(found[0].name) else found

    def has_context(self, function: Callable) -> bool:
        """Return whether a function's first parameter is a context."""
        try:
            found = parameters_of(undecorated(function))
        except (TypeError, ValueError):
            return False
        return bool(found) and bool(CONTEXTS.match(found[0].name))


def _holds_data(one: object) -> bool:
    # What a stand-in of ours calls belongs to the owner, which is a root. The rest of it would be copied for each run.
    return not isinstance(one, type | types.ModuleType | Called) and bool(holders.contents(one))


def find(module: types.ModuleType, names: str, args: tuple[list, dict], stage: Stage, file: str) -> Found:
    """Return what ``names`` of a module mean: a class, an object, a function, or two as FORWARD,BACKWARD."""
    parts = names.split(",")
    found = [named_in(module, name, file) for name in parts]
    if len(found) > 2:
        raise NotUnderstoodError(f"expected a class, a function, or two as FORWARD,BACKWARD; got {names!r}")
    if len(found) == 2:
        if not all(map(callable, found)):
            raise NotUnderstoodError(f"{file} has no class or function {names!r}")
        owner = owner_of_method(module, parts[0])
        if args[0] and owner is None:
            raise NotUnderstoodError(by_keyword(parts[0], found[0]))
        if owner is not None and owner is owner_of_method(module, parts[1]):
            made = constructed(owner, args, stage, file)
            methods = [getattr(made, part.rpartition(".")[2]) for part in parts]
            return Found(owner.__name__, *methods, owner=made, module=module)
        return Found(parts[0], *found, module=module)
    thing = found[0]
    if isinstance(thing, tuple | list) and len(thing) == 2 and all(map(callable, thing)):
        return Found(names, *thing, module=module)
    if isinstance(thing, type):
        return of_class(thing, args, stage, module, file)
    if isinstance(thing, types.FunctionType):
        return of_function(module, names, thing, args, stage, file)
    return of_object(thing, module, file)


def owner_of_method(module: types.ModuleType, dotted: str) -> type | None:
    """Return the class of a method that is called CLASS.METHOD and takes ``self``; None for anything else."""
    path, _, name = dotted.rpartition(".")
    owner: object = module
    for part in path.split("."):
        owner = getattr(owner, part, None)
    if not isinstance(owner, type):
        return None
    method = inspect.getattr_static(owner, name, None)
    if not isinstance(method, types.FunctionType):
        return None  # a static method, or a class method
    first = next(iter(inspect.signature(method).parameters), "")
    return owner if first == "self" or method.__name__ == "__call__" else None


def of_class(cls: type, args: tuple[list, dict], stage: Stage, module: types.ModuleType | None, file: str) -> Found:
    """Return what a class offers, constructed with ``args``."""
    static = vars(cls).get("forward")
    inner = getattr(static, "__func__", static)
    if callable(inner) and (names := list(inspect.signature(inner).parameters)) and CONTEXTS.match(names[0]):
        back = vars(cls).get("backward")
        return Found(cls.__name__, inner, getattr(back, "__func__", back), module=module)
    return of_object(constructed(cls, args, stage, file), module, file)


def constructed(cls: type, args: tuple[list, dict], stage: Stage, file: str) -> object:
    """Return an object of a class; raise `NotUnderstoodError` if it cannot be called with ``args``."""
    positional, named = args
    try:
        inspect.signature(cls).bind(*positional, **named)
    except TypeError as error:
        wants = inspect.signature(cls)
        scalar = "data" in wants.parameters and hasattr(cls, "backward") and not hasattr(cls, "forward")
        raise NotUnderstoodError(
            f"{cls.__name__} holds one number and is not a layer: its operations are checked through an adapter"
            if scalar
            else f"--args: {cls.__name__}{wants} cannot be called with these: {error}",
            adapters.of_scalars(cls, file) if scalar else "",
        ) from error
    if "dtype" in inspect.signature(cls).parameters and "dtype" not in named and stage.dtype:
        named = named | {"dtype": np.dtype(stage.dtype)}
    with stage(f"{cls.__name__}(...)", reseed=True):
        return cls(*positional, **named)


def of_object(thing: object, module: types.ModuleType | None = None, file: str = "") -> Found:
    """Return what an object offers."""
    title = getattr(thing, "title", None) or type(thing).__name__
    if type(thing).__module__ == "builtins":
        raise NotUnderstoodError(f"expected a class, a function or an object of yours, got a {title}")
    forward, backward = method_called(thing, FORWARD, "forward"), method_called(thing, BACKWARD)
    backward = backward or parted.backward_of(thing) or method_called(thing, [], *BACKWARD_PARTS)
    if forward is not None and forward == backward:
        backward = None
    if forward is not None and backward is None and isinstance(forward, FUNCTIONS):
        backward = with_flag(forward)
    if forward is None or (
        backward is None and undecorated(forward).__name__ not in ("loss", "forward", "__call__", "compute_loss")
    ):
        wanted = "forward" if forward is None else "backward"
        raise NotUnderstoodError(f"{title} has no method {wanted}", adapters.of_object(thing, file))
    found = Found(title, forward, backward, owner=thing, module=module)
    wanted = [[p.name for p in found.parameters(one) if p.default is p.empty] for one in (forward, backward)]
    found.of_data = len(wanted[0]) > 1 and wanted[0] == wanted[1]  # loss(X, y) and gradient(X, y)
    return found


def method_called(thing: object, names: list[str], *parts: str) -> Callable | None:
    """Return a method with one of the names, or with one of the parts in its own."""
    held = getattr(thing, "__dict__", {})
    for name in names:
        if name == "__call__" and not any("__call__" in vars(cls) for cls in type(thing).__mro__):
            continue
        if callable(getattr(type(thing), name, None)) or isinstance(held.get(name), FUNCTIONS):
            return getattr(thing, name)
    for name in names:
        if callable(held.get(name)):
            return held[name]  # an object that is called, such as a loss
    own = [name for name in dir(type(thing)) if not name.startswith("__") and callable(getattr(thing, name, None))]
    for part in parts:
        for name in own:
            if part in name.lower() and not name.startswith(("zero", "clip", "reset", "check", "numerical")):
                return getattr(thing, name)
    return None


def of_function(
    module: types.ModuleType, name: str, function: Callable, args: tuple[list, dict], stage: Stage, file: str
) -> Found:
    """Return what a function offers: its partner in the module, what it builds, or what it returns."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    pair = pair_of(module, name)
    if pair is not None and args[0]:
        raise NotUnderstoodError(by_keyword(name, function))
    if pair is not None:
        return Found(name, *pair, module=module)
    if not (args[0] or args[1] or not parameters):
        return Found(name, function, with_flag(function), module=module)
    try:
        inspect.signature(function).bind(*args[0], **args[1])
        with stage(f"{name}(...)", reseed=True):
            made = function(*args[0], **args[1])
    except (TypeError, LearnerRaisedError) as error:
        if not args[0] or not parameters:
            raise
        raise NotUnderstoodError(f"{by_keyword(name, function)} (it gave: {error})") from error
    functions = [one for one in made if callable(one)] if isinstance(made, tuple) else []
    if len(functions) == 2 and functions == list(made[:2]):
        return Found(name, *functions, module=module)
    if isinstance(made, dict) and callable(made.get("forward")) and callable(made.get("backward")):
        return Found(name, made["forward"], made["backward"], module=module)
    if args[0] and isinstance(made, np.ndarray | float | int | np.generic | tuple | list):
        raise NotUnderstoodError(f"{by_keyword(name, function)} (it returned {type(made).__name__})")
    return of_object(made, module, file)


def of_module(module: types.ModuleType) -> Found:
    """Return a module's two functions."""
    pairs = [(vars(module).get(front), front) for front in FORWARD]
    for forward, name in pairs:
        back = next((vars(module)[b] for b in (*partners(name), *BACKWARD) if callable(vars(module).get(b))), None)
        if callable(forward) and back is not None:
            return Found(module.__name__, forward, back, module=module)
    raise NotUnderstoodError(f"{module.__name__} has no forward and backward")
