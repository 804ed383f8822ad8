"""Decide which array that backward wrote or returned is whose gradient: by name, by its numbers, by its shape."""

import itertools
import re
from collections.abc import Callable, Iterable

import numpy as np

from parity_tests.diagnosis.reading import input_gradients, tied
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.moving import drawn
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import RATE
from parity_tests.diagnosis.reading.shapes import fits
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.steps import rate_of
from parity_tests.diagnosis.reading.trials import Trials, Written


def assign(
    trials: Trials,
    constants: tuple[str, ...],
    wanted: dict[Place, np.ndarray],
    written: Written,
    slope: Callable[[Place | int, np.ndarray], float],
) -> tuple[dict[Place, Source | None], dict[int, Source]]:
    """Return the source of each parameter's gradient, and of each input's.

    Names come first: an array called ``dW`` is W's gradient even where its numbers are wrong. Then comes the order, for
    gradients returned as (dx, dW, db); then the shapes. An array that is held at several places goes by all its names.
    Inputs among the ``constants`` have none. ``slope`` returns the derivative along a direction, with respect to the
    array at a place, or to an input.
    """
    plan, aliases, identities = trials.plan, trials.world.aliases, written.identities

    def gradient_of(alias: Place) -> Place | None:
        labels = trials.world.labels(alias)
        found = (_named(one, free_written, wanted, anywhere=labels != [alias]) for one in labels)
        return next((one for one in found if one is not None), None)

    free_leaves = {name: values for name, values in written.leaves.items() if values is not None}
    free_written = dict(written.arrays)
    sources: dict[Place, Source | None] = {}
    of_inputs = input_gradients.named(trials, constants, free_leaves)
    used: set[object] = set()  # arrays; each may have several places, and be by name the gradient of two parameters

    def take(source: Source) -> Source:
        for place in source.places:
            used.add(identities[place])
            free_written.pop(place, None)
        return source

    for place, values in wanted.items():
        named = any(gradient_of(alias) for alias in aliases(place))
        if place in free_written and free_written[place].shape == values.shape and not named:
            rate, optimizer = rate_of(plan.found, place, RATE)
            sources[place] = Source(step=True, rate=rate, optimizer=optimizer)
            take(Source(place=place))
    for place, shape in {place: values.shape for place, values in wanted.items()}.items():
        if place in sources:
            continue
        named = [other for alias in aliases(place) if (other := gradient_of(alias)) is not None]
        once = list({identities[other]: other for other in named}.values())
        own = {n: v for n, v in free_leaves.items() if n not in of_inputs or (not once and fits(v.shape, shape))}
        if (name := _leaf_of(place, aliases(place), own, wanted)) is not None:
            sources[place] = Source(leaf=name)
            free_leaves.pop(name)
            take(Source(place=once[0], more=tuple(once[1:]))) if once else None
        elif once:
            sources[place] = take(tied.source(place, once, free_written, slope))
    of_data = plan.found.of_data and any(trials.world.prefixes[place.root] == "self" for place in wanted)
    if plan.parameters_first or of_data:
        _in_order(wanted, sources, free_leaves)
    offered = _beside_hidden_layers(trials, sources, written.leaves, free_leaves, of_inputs, slope)
    if of_data:
        shapes = [x.shape for i, x in enumerate(trials.inputs) if i != plan.options.target]
        offered = {name: values for name, values in offered.items() if values.shape in shapes}
    gradients = input_gradients.without_others(trials, written.leaves, offered, slope)
    found_inputs = input_gradients.assign(plan, trials.inputs, constants, gradients, free_written)
    for name in [source.leaf for source in found_inputs.values() if source.leaf is not None]:
        free_leaves.pop(name, None)
    for source in found_inputs.values():
        take(source)
    _in_order(wanted, sources, free_leaves)
    _all_but_one(wanted, sources, free_leaves)
    for place in [place for place in wanted if place not in sources]:
        shape = wanted[place].shape
        unused = {p: v for p, v in free_written.items() if identities[p] not in used}
        fitting = {identities[p]: p for p, v in unused.items() if fits(v.shape, shape) and v.dtype.kind in "fc"}
        rivals = [p for p in wanted if p not in sources and fits(wanted[p].shape, shape)]
        only = next(iter(fitting.values())) if len(fitting) == 1 == len(rivals) and len(shape) > 0 else None
        if only is None or not _looks_like_gradient(only):
            only = next((p for p in (_by_list(one, unused, shape) for one in aliases(place)) if p), None)
        only = only or _by_numbers(place, wanted[place], fitting, unused, slope)
        sources[place] = None if only is None else take(Source(place=only))
    return sources, found_inputs


def _beside_hidden_layers(
    trials: Trials,
    sources: dict[Place, Source | None],
    written: dict[str, np.ndarray],
    leaves: dict[str, np.ndarray],
    of_inputs: set[str],
    slope: Callable[[Place | int, np.ndarray], float],
) -> dict[str, np.ndarray]:
    """Return the gradients that may be an input's: dA1 beside dW1 and db1 is one if it is no array of that layer's."""
    layers: dict[str, list[np.ndarray]] = {}
    for source in sources.values():
        if source is not None and source.leaf and _number(source.leaf) not in ("", "0"):
            layers.setdefault(_number(source.leaf), []).append(written[source.leaf])

    def is_hidden(name: str) -> bool:
        own, stem = layers[_number(name)], name.removesuffix(_number(name))
        if any(
            name != other == stem + _number(other) and int(_number(other) or 0) < int(_number(name)) for other in leaves
        ):
            return True  # the data's comes last
        return len(own) == 1 or _can_be_added(min(own, key=np.size).shape, leaves[name].shape)

    numbered = {name for name in leaves if _number(name) in layers and name not in of_inputs}
    right = {name for name in numbered if input_gradients.is_right(trials, leaves[name], slope)}
    others = numbered - (right or {name for name in numbered if not is_hidden(name)})
    return {name: values for name, values in leaves.items() if name not in others}


def _can_be_added(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) <= len(to) and all(one in (1, other) for one, other in zip(shape[::-1], to[::-1], strict=False))


def _number(name: str) -> str:
    found = re.search(r"\d+$", name)
    return found[0] if found else ""


def _in_order(
    wanted: dict[Place, np.ndarray], sources: dict[Place, Source | None], leaves: dict[str, np.ndarray]
) -> None:
    """Give the parameters that have none a gradient that was returned without a name, in order: (dx, dW, db)."""
    left = [place for place in wanted if place not in sources]
    if not left or len(leaves) < len(left):
        return
    for order in itertools.islice(itertools.permutations(list(leaves), len(left)), 720):
        if all(fits(leaves[n].shape, wanted[p].shape) for n, p in zip(order, left, strict=True)):
            for name, place in zip(order, left, strict=True):
                sources[place] = Source(leaf=name)
                leaves.pop(name)
            return


def _all_but_one(
    wanted: dict[Place, np.ndarray], sources: dict[Place, Source | None], leaves: dict[str, np.ndarray]
) -> None:
    """Pair what is left one by one if there are as many gradients as parameters, and a single one has a wrong shape."""
    pairs = list(zip([place for place in wanted if place not in sources], leaves, strict=False))
    left = len(wanted) - len(sources)
    fitting = [fits(leaves[name].shape, wanted[place].shape) for place, name in pairs]
    if left == len(leaves) > 2 and sum(fitting) == left - 1:
        for place, name in pairs:
            sources[place] = Source(leaf=name)
            leaves.pop(name)


def _looks_like_gradient(place: Place) -> bool:
    return bool(words.undressed(place.last)) or any("grad" in str(key).lower() for _, key in place.steps)


def _by_numbers(
    place: Place,
    wanted: np.ndarray,
    fitting: dict[object, Place],
    written: dict[Place, np.ndarray],
    slope: Callable[[Place | int, np.ndarray], float],
) -> Place | None:
    """Return which of the arrays that fit is the gradient of ``place`` by finite differences, whatever it is called."""
    for other in fitting.values():
        values = written[other]
        if not values.any() or values.dtype.kind != "f" or values.size != wanted.size:
            continue
        along = drawn(wanted, seed=7)
        if tied.is_close(float(np.vdot(along, values)), slope(place, along)):
            return other
    return None


def _by_list(place: Place, written: dict[Place, np.ndarray], shape: tuple) -> Place | None:
    # self.weights[2] and self.grad_weights[2], self.params[0] and self.grads[0].
    numbers = [key for _, key in place.steps if isinstance(key, int)]
    for other, values in written.items():
        if not fits(values.shape, shape) or not numbers:
            continue
        if [key for _, key in other.steps if isinstance(key, int)] == numbers and _looks_like_gradient(other):
            return other
    return None


def _leaf_of(place: Place, aliases: tuple[Place, ...], leaves: dict[str, np.ndarray], wanted: dict) -> str | None:
    """Return which of the returned gradients is that of ``place``: called "dW1", or "W1" as the parameter itself."""
    exact = [name for name in leaves if any(_is_exactly_of(name, alias) for alias in aliases)]
    others = [name for name in leaves if not any(_is_exactly_of(name, one) for one in wanted)]
    marked = next((name for name in (*exact, *others) if any(_is_of(name, alias) for alias in aliases)), None)
    if marked is not None:
        return marked

    def ends(one: Place, name: str) -> bool:
        holder, _, key = name.rpartition(".")
        own = key if words.HOLDERS.match(holder) else name  # in a dictionary of gradients, under the parameter's key
        return isinstance(one.steps[-1][1], str) and f".{one.name}".endswith(f".{own}")

    for name in leaves:
        if name and any(ends(alias, name) for alias in aliases) and sum(ends(one, name) for one in wanted) <= 1:
            return name
    return None


def _named(
    place: Place, written: dict[Place, np.ndarray], wanted: Iterable[Place], anywhere: bool = False
) -> Place | None:
    """Return what is called the gradient of ``place``: in the same holder, in one beside it, or ``anywhere``.

    What is rather that of another parameter, in that one's holder or under its very name, is none of this one's.
    """
    candidates = []
    for other in written:
        if other == place or (other.root != place.root and not anywhere) or not _is_of(other.last, place, other):
            continue
        rank = _rank(place, other)
        if any(_rank(one, other) > rank and _is_of(other.last, one, other) for one in wanted):
            continue
        elsewhere = _prefix(other) != _prefix(place) or other.private_to != place.private_to
        candidates.append((-rank[0], elsewhere, not rank[1], len(other.steps), other))
    return min(candidates, key=lambda c: c[:4])[4] if candidates else None


def _rank(place: Place, other: Place) -> tuple[int, bool]:
    return _common(place, other), _is_exactly_of(other.last, place)


def _is_exactly_of(name: str, place: Place) -> bool:
    """Return whether a name is that of the gradient of ``place`` as it is called, and not of what that means: gamma."""
    return any(words.alike(rest, place.last) for rest in words.undressed(name.rpartition(".")[2]))


def _common(one: Place, other: Place) -> int:
    count = 0
    for a, b in zip(one.steps, other.steps, strict=False):
        if a != b:
            break
        count += 1
    return count


def _is_of(name: str, place: Place, other: Place | None = None) -> bool:
    last = place.last
    if not name:
        return False
    leaf = name.rpartition(".")[2]
    numbers = [key for _, key in place.steps if isinstance(key, int)]
    if other is None and (held := re.fullmatch(r"(?:.*\.)?(\w+)\.\[(\d+)\]", name)):
        # nabla_w.[2], the third of a returned list, of weights[2].
        if numbers != [int(held[2])]:
            return False
        leaf = held[1] if words.undressed(held[1]) & {last} else held[1].removesuffix("s")
    if other is not None:
        if _prefix(other) != _prefix(place) and [k for _, k in other.steps if isinstance(k, int)] != numbers:
            return False
        grad_last = str(other.steps[-1][1])
        if grad_last in ("grad", "gradient", "g", "d") and other.steps[:-1] == place.steps[:-1]:
            return True
        holder = [str(key).lstrip("_") for _, key in other.steps[:-1]]
        if any(words.HOLDERS.match(key) for key in holder) and words.alike(
            str(other.steps[-1][1]), str(place.steps[-1][1])
        ):
            return True
        keys = place.steps[-1][1], other.steps[-1][1]
        if all(isinstance(key, int) for key in keys) and keys[0] != keys[1]:
            return False
    own = {last, words.meaning(last)}
    return any(
        words.alike(rest, one) or words.meaning(rest) == words.meaning(one)
        for rest in words.undressed(leaf)
        for one in own
    )


def _prefix(place: Place) -> tuple:
    # The objects on the way, without the dictionary or list that holds the arrays.
    steps = list(place.steps)
    while steps and steps[-1][0] != "attr":
        steps.pop()
    return tuple(steps[:-1])
