"""Which of the values that forward returns are outputs, and which arguments of backward get their gradients."""

import ast
import functools
import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading import nested, scores


@dataclass(frozen=True)
class Split:
    """One way to read the values that forward returns.

    Attributes
    ----------
    outputs : tuple of int
        The values that have an upstream gradient; a value that holds several arrays is several outputs.
    takers : dict
        The arguments of backward that get an upstream gradient, each with a place in ``outputs``.
    packed : str
        The argument that gets all upstream gradients, in such a container as forward returns.
    keeps : bool
        Whether an array is taken to be kept for backward although its name does not say so. That is only true if
        backward uses it.
    probabilities : tuple of int
        The values that are the softmax or the sigmoid of the only output, whose gradient is the error p - y.
    """

    outputs: tuple[int, ...]
    takers: dict[str, int] = field(default_factory=dict)
    packed: str = ""
    keeps: bool = False
    probabilities: tuple[int, ...] = ()


@dataclass(eq=False)
class Values:
    """What forward returned: its values, their names in the code ("" where there is none), and the container.

    ``paths`` lead to the values, where some lie within others that were taken apart.
    """

    names: list[str]
    values: list
    kind: type
    paths: list[tuple] | None = None

    def name(self, index: int) -> str:
        """Return a value's name, y0, y1, ... where the code has none."""
        return self.names[index] or (f"y{index}" if len(self.values) > 1 else "y")

    def output_names(self, indices: tuple[int, ...]) -> list[str]:
        """Return the names of the arrays within values, in order."""
        counts = {index: len(nested.leaves(self.values[index])) for index in indices}
        return [
            f"{self.name(index)}[{place}]" if count > 1 else self.name(index)
            for index, count in counts.items()
            for place in range(count)
        ]

    def grouped(self, indices: tuple[int, ...], grads: list) -> list:
        """Return gradients of the arrays within values as such containers as the values are."""
        left = iter(grads)
        return [nested.like(self.values[index], left) for index in indices]

    def pack(self, indices: tuple[int, ...], grads: list) -> object:
        """Return gradients of values in such a container as forward's."""
        if self.kind is dict:
            return {self.names[i]: grad for i, grad in zip(indices, grads, strict=True)}
        return self.kind(grads)

    def same_places(self, returned: object) -> list:
        """Return the values in what forward returned another time."""
        if self.paths is None:
            return list(returned.values()) if isinstance(returned, dict) else list(returned)
        return [functools.reduce(lambda held, key: held[key], path, returned) for path in self.paths]

    def flat(self, nests: list[int]) -> "Values":
        """Return the values with those of the nests among them, one by one and each once."""
        found = Values([], [], self.kind, [])
        for index, (name, value) in enumerate(zip(self.names, self.values, strict=True)):
            keys = (list(value) if isinstance(value, dict) else range(len(value))) if index in nests else [None]
            for key in keys:
                one = value if key is None else value[key]
                if not any(one is other for other in found.values):
                    found.names.append(name if key is None else "")
                    found.values.append(one)
                    found.paths.append((index,) if key is None else (index, key))
        return found


def values_of(returned: object, found: list[str]) -> Values | None:
    """Return the values in a tuple, a dictionary or a list of arrays; None for anything else.

    ``found`` are the names in the return statement.
    """
    if isinstance(returned, dict) and any(isinstance(v, np.ndarray) for v in returned.values()):
        return Values(list(returned), list(returned.values()), dict)
    arrays = isinstance(returned, list) and all(isinstance(v, np.ndarray) for v in returned)
    if not (isinstance(returned, tuple) or arrays) or not len(returned):
        return None
    names = found if len(found) == len(returned) else [""] * len(returned)
    return Values(names, list(returned), list if arrays else tuple)


def readings(
    made: Values,
    floating: list[int],
    nests: list[int],
    backward: Callable,
    backs: list[inspect.Parameter],
    fronts: list[str],
) -> list[tuple[Values, Split]]:
    """Return the ways to read the values, the likeliest first.

    Parameters
    ----------
    made : Values
        What forward returned.
    floating, nests : list of int
        The values that may be outputs: floating-point arrays that are not inputs, and what holds such arrays.
    backward : callable
    backs : list of inspect.Parameter
        The parameters of backward.
    fronts : list of str
        The names of forward's parameters.
    """
    apart = nested.opened(backward)
    plain = [(made, split) for split in splits(made, floating, backs, fronts, apart)]
    nests = nests if made.kind is not dict else []
    if not nests:
        return plain
    whole = [
        split
        for split in splits(made, sorted([*floating, *nests]), backs, fronts, apart)
        if set(nests) & set(split.outputs) and (not split.packed or split.packed in apart)
    ]

    def takers(split: Split) -> set[str]:
        return {taker for taker, place in split.takers.items() if split.outputs[place] in nests} or {split.packed}

    def means_several(taker: str) -> bool:
        return taker in apart or any(_is_gradient(taker, name) for name in (*fronts, *(made.names[i] for i in nests)))

    surely = [(made, split) for split in whole if all(map(means_several, takers(split)))]
    named = [(made, split) for split in whole if all(map(is_upstream, takers(split)))]
    flat = made.flat(nests)
    within = [i for i in range(len(flat.values)) if len(flat.paths[i]) > 1 or flat.paths[i][0] in floating]
    each = [(flat, split) for split in splits(flat, within, backs, fronts, apart) if len(split.takers) == len(within)]
    ordered = [*surely, *each, *named, *plain, *((made, split) for split in whole)]
    return [one for number, one in enumerate(ordered) if one not in ordered[:number]]


def splits(
    made: Values, floating: list[int], backs: list[inspect.Parameter], fronts: list[str], apart: frozenset[str]
) -> list[Split]:
    """Return the ways to tell outputs from the other values; ``apart`` are arguments that backward takes apart."""
    if any(p.kind is p.VAR_POSITIONAL for p in backs):
        return [Split(tuple(floating) or (0,))]
    sure, likely, own = _arguments(backs, fronts, made.names)
    if any(i not in floating and isinstance(value, dict | tuple | list) for i, value in enumerate(made.values)):
        likely = [name for name in likely if name not in apart]  # the cache, whatever it is called
    found = [_paired(backs, [*sure, *likely], made, floating)]
    one = [*sure, *likely]
    if len(one) == 1 and (len(floating) > 1 or made.kind is not tuple or len(made.values) == 1):
        packed = Split(tuple(floating), packed=one[0])
        likely_packed = made.kind is not tuple or _is_plural(one[0]) or one[0] in apart
        found.insert(0 if likely_packed else 1, packed)
    if own:
        found.append(_paired(backs, [*sure, *likely, *own], made, floating))
    if likely:
        found.append(_paired(backs, sure, made, floating, keeps=True))
    if len(one) == 1 and scores.ERRORS.match(one[0]):
        handed = {p.name for p in backs}
        found += [Split((i,), {one[0]: 0}) for i in floating if made.names[i] not in handed]
        found = [_of_scores(split, made, floating) for split in found]
    return [split for number, split in enumerate(found) if split not in found[:number]]


def _of_scores(split: Split, made: Values, floating: list[int]) -> Split:
    if split.packed or len(split.outputs) != 1:
        return split
    return replace(split, probabilities=scores.probabilities(made.values, floating, split.outputs[0]))


def alone(backs: list[inspect.Parameter], fronts: list[str]) -> Split:
    """Return how the gradient of a single output is handed over."""
    sure, _, _ = _arguments(backs, fronts, [])
    return Split((0,), dict.fromkeys(sure[:1], 0))


def is_upstream(name: str) -> bool:
    """Return whether an argument's name says that it is an upstream gradient."""
    return bool(words.UPSTREAM.match(name)) and not words.CACHES.search(name)


def _is_plural(name: str) -> bool:
    return name.endswith("s") and not name.endswith("ss")


def _arguments(
    backs: list[inspect.Parameter], fronts: list[str], names: list[str]
) -> tuple[list[str], list[str], list[str]]:
    """Return the arguments that surely get upstream gradients, those that may, and those named as forward's values.

    An argument without a telling name may get one if it is required, or None by default.
    """
    own = [name for name in names if name]
    free = [p for p in backs if p.kind is not p.VAR_KEYWORD and p.name not in (*fronts, *own)]
    held = [*own, *(name for name in fronts if words.CACHES.search(name))]  # dcache is the gradient of such an input
    sure = [p.name for p in free if is_upstream(p.name) or any(_is_gradient(p.name, name) for name in held)]
    others = [p for p in free if p.name not in sure and (p.default is p.empty or p.default is None)]
    patterns = (words.CACHES.search, words.RATES.match, words.SWITCHES.match, words.TARGETS.match)
    likely = [p.name for p in others if not any(pattern(p.name) for pattern in patterns)]
    named = [p.name for p in backs if p.name in own and p.default is p.empty and not words.CACHES.search(p.name)]
    if not sure:
        sure = [p.name for p in backs if p.kind is not p.VAR_KEYWORD and not words.CACHES.search(p.name)][:1]
        likely = [name for name in likely if name not in sure]
    return sure, likely, [name for name in named if name not in sure]


def _is_gradient(argument: str, name: str) -> bool:
    return any(words.alike(rest, name) for rest in words.undressed(argument))


def _paired(
    backs: list[inspect.Parameter], takers: list[str], made: Values, floating: list[int], keeps: bool = False
) -> Split:
    """Pair arguments and values: dh with h where the code names it, the others in order."""
    takers = takers[: max(1, len(floating))]
    takers = [p.name for p in backs if p.name in takers]
    left, pairs = list(floating) or [0], {}
    for taker in takers:
        index = next((i for i in left if made.names[i] and _is_gradient(taker, made.names[i])), None)
        if index is not None:
            pairs[taker] = index
            left.remove(index)
    for taker in takers:
        if taker not in pairs:
            pairs[taker] = left.pop(0)
    outputs = tuple(sorted(pairs.values())) or (left[0],)
    return Split(outputs, {taker: outputs.index(index) for taker, index in pairs.items()}, keeps=keeps)


def return_names(function: Callable) -> list[str]:
    """Return the names in a function's last return statement, "" for what has none.

    Where that is a call of a function of the same file, or of a method of the same object, that returns several values,
    they are those of its return statement.
    """
    inner = inspect.unwrap(getattr(function, "__func__", function))
    inner = inner if hasattr(inner, "__code__") else getattr(type(inner).__call__, "__func__", type(inner).__call__)
    return _names_from(inner, getattr(function, "__self__", None), ())


def _names_from(function: object, owner: object, through: tuple[types.CodeType, ...]) -> list[str]:
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    names, called = _returned(code)
    holder, _, name = called.rpartition(".")
    other = getattr(type(owner), name, None) if holder else getattr(function, "__globals__", {}).get(name)
    other = getattr(other, "__func__", other)
    beyond = getattr(other, "__code__", None)
    if beyond is None or beyond.co_filename != code.co_filename or beyond in through:
        return names
    found = _names_from(other, owner, (*through, code))
    return found if len(found) > 1 else names


@functools.cache  # forward is called thousands of times
def _returned(code: types.CodeType) -> tuple[list[str], str]:
    """Return the names in the last return statement, and what it calls, a function or a method of ``self``."""
    tree = nested.parsed(code)
    returns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)] if tree is not None else []
    returns = [value for value in returns if value is not None]
    if not returns:
        return [], ""
    last = max(returns, key=lambda node: node.lineno)
    nodes = last.elts if isinstance(last, ast.Tuple | ast.List) else [last]
    names = [_node_name(node) for node in nodes]
    kept = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and [_node_name(one) for one in node.targets] == names
    ]
    if isinstance(last, ast.Name) and len(kept) == 1:
        last = kept[0]  # out = f(x); return out
    called = ast.unparse(last.func) if isinstance(last, ast.Call) else ""
    return names, called if re.fullmatch(r"(self\.)?\w+", called) else ""


def _node_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
