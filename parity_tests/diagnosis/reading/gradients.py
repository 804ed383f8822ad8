"""Decide which array that backward wrote or returned is whose gradient: by name, by its numbers, by its shape."""

import itertools
import re
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading import tied
from parity_tests.diagnosis.reading.places import Place
from parity_tests.diagnosis.reading.plans import RATE, Plan
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.steps import rate_of
from parity_tests.diagnosis.reading.trials import Trials, Written

INPUT_GRADIENTS = words.listed(
    "dinputs dinput dx dX dA dA_prev grad_input grad_inputs input_gradient grad_x dZ_prev din d_input d_inputs d_x "
    "input_grad gradient_input delta_prev dprev grad_in dI"
)


def assign(
    trials: Trials,
    constants: tuple[str, ...],
    wanted: dict[Place, np.ndarray],
    written: Written,
    slope: Callable[[Place, np.ndarray], float],
) -> tuple[dict[Place, Source | None], dict[int, Source]]:
    """Return the source of each parameter's gradient, and of each input's.

    Names come first: an array called ``dW`` is W's gradient even where its numbers are wrong. Then comes the order, for
    gradients returned as (dx, dW, db); then the shapes. An array that is held at several places goes by all its names.
    Inputs among the ``constants`` have none. ``slope`` returns the derivative along a direction, with respect to the
    array at a place.
    """
    plan, aliases, identities = trials.plan, trials.world.aliases, written.identities
    free_leaves = {name: values for name, values in written.leaves.items() if values is not None}
    free_written = dict(written.arrays)
    sources: dict[Place, Source | None] = {}
    used: set[object] = set()  # arrays; each may have several places, and be by name the gradient of two parameters

    def take(source: Source) -> Source:
        for place in source.places:
            used.add(identities[place])
            free_written.pop(place, None)
        return source

    for place, values in wanted.items():
        named = any(_named(alias, free_written) for alias in aliases(place))
        if place in free_written and free_written[place].shape == values.shape and not named:
            rate, optimizer = rate_of(plan.found, place, RATE)
            sources[place] = Source(step=True, rate=rate, optimizer=optimizer)
            take(Source(place=place))
    for place in wanted:
        if place in sources:
            continue
        named = [other for alias in aliases(place) if (other := _named(alias, free_written)) is not None]
        once = list({identities[other]: other for other in named}.values())
        if (name := _leaf_of(place, aliases(place), free_leaves, wanted)) is not None:
            sources[place] = Source(leaf=name)
            free_leaves.pop(name)
            take(Source(place=once[0], more=tuple(once[1:]))) if once else None
        elif once:
            sources[place] = take(tied.source(place, once, free_written, slope))
    of_data = plan.found.of_data and any(trials.world.prefixes[place.root] == "self" for place in wanted)
    if plan.parameters_first or of_data:
        _in_order(wanted, sources, free_leaves)
    offered = free_leaves
    if of_data:
        shapes = [x.shape for x in trials.inputs]
        offered = {name: values for name, values in free_leaves.items() if values.shape in shapes}
    found_inputs = _inputs(plan, trials.inputs, constants, offered, free_written)
    for name in [source.leaf for source in found_inputs.values() if source.leaf is not None]:
        free_leaves.pop(name, None)
    for source in found_inputs.values():
        take(source)
    _in_order(wanted, sources, free_leaves)
    for place in [place for place in wanted if place not in sources]:
        shape = wanted[place].shape
        unused = {p: v for p, v in free_written.items() if identities[p] not in used}
        fits = {identities[p]: p for p, v in unused.items() if _fits(v.shape, shape) and v.dtype.kind == "f"}
        rivals = [p for p in wanted if p not in sources and _fits(wanted[p].shape, shape)]
        only = next(iter(fits.values())) if len(fits) == 1 == len(rivals) and len(shape) > 0 else None
        if only is None or not _looks_like_gradient(only):
            only = next((p for p in (_by_list(one, unused, shape) for one in aliases(place)) if p), None)
        sources[place] = None if only is None else take(Source(place=only))
    return sources, found_inputs


def _in_order(
    wanted: dict[Place, np.ndarray], sources: dict[Place, Source | None], leaves: dict[str, np.ndarray]
) -> None:
    """Give the parameters that have none a gradient that was returned without a name, in order: (dx, dW, db)."""
    left = [place for place in wanted if place not in sources]
    if not left or len(leaves) < len(left):
        return
    for order in itertools.islice(itertools.permutations(list(leaves), len(left)), 720):
        if all(_fits(leaves[n].shape, wanted[p].shape) for n, p in zip(order, left, strict=True)):
            for name, place in zip(order, left, strict=True):
                sources[place] = Source(leaf=name)
                leaves.pop(name)
            return


def _looks_like_gradient(place: Place) -> bool:
    return bool(words.undressed(place.last)) or any("grad" in str(key).lower() for _, key in place.steps)


def _by_list(place: Place, written: dict[Place, np.ndarray], shape: tuple) -> Place | None:
    # self.weights[2] and self.grad_weights[2], self.params[0] and self.grads[0].
    numbers = [key for _, key in place.steps if isinstance(key, int)]
    for other, values in written.items():
        if not _fits(values.shape, shape) or not numbers:
            continue
        if [key for _, key in other.steps if isinstance(key, int)] == numbers and _looks_like_gradient(other):
            return other
    return None


def _leaf_of(place: Place, aliases: tuple[Place, ...], leaves: dict[str, np.ndarray], wanted: dict) -> str | None:
    """Return which of the returned gradients is that of ``place``: called "dW1", or "W1" as the parameter itself."""
    marked = next((name for name in leaves if any(_is_of(name, alias) for alias in aliases)), None)
    if marked is not None:
        return marked

    def ends(one: Place, name: str) -> bool:
        return isinstance(one.steps[-1][1], str) and f".{one.name}".endswith(f".{name}")

    for name in leaves:
        if name and any(ends(alias, name) for alias in aliases) and sum(ends(one, name) for one in wanted) <= 1:
            return name
    return None


def _named(place: Place, written: dict[Place, np.ndarray]) -> Place | None:
    """Return what is called the gradient of ``place``: in the same holder, or in a holder beside it."""
    candidates = []
    for other in written:
        if other == place or other.root != place.root:
            continue
        near = _common(place, other)
        if _is_of(other.last, place, other):
            elsewhere = _prefix(other) != _prefix(place) or other.private_to != place.private_to
            candidates.append((-near, elsewhere, len(other.steps), other))
    return min(candidates, key=lambda c: c[:3])[3] if candidates else None


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
        holder = [str(key) for _, key in other.steps[:-1]]
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


def _fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    bare = [n for n in found if n != 1], [n for n in shape if n != 1]
    return bare[0] == bare[1] or found == shape[::-1]


def _inputs(
    plan: Plan,
    inputs: tuple[np.ndarray, ...],
    constants: tuple[str, ...],
    leaves: dict[str, np.ndarray],
    written: dict[Place, np.ndarray],
) -> dict[int, Source]:
    names = plan.input_names(len(inputs))
    order = [i for i in plan.order if inputs[i].dtype.kind == "f" and names[i] not in constants]
    target = plan.options.target
    order = [i for i in order if i != target]
    found: dict[int, Source] = {}
    left = dict(leaves)
    shapes = {i: plan.dressed(inputs[i], i).shape for i in order}
    for i in order:
        name = next((n for n in left if names[i] in words.undressed(n.rpartition(".")[2])), None)
        if name is not None and len(leaves) > 1:
            found[i] = Source(leaf=name)
            left.pop(name)
    waiting = [i for i in order if i not in found]
    likely = [i for i in waiting if not words.TARGETS.match(names[i])] or waiting
    for name in [n for n in left if n.rpartition(".")[2] in INPUT_GRADIENTS]:
        at = next((i for i in likely if i not in found), None)
        if at is not None and len(leaves) > 1:
            found[at] = Source(leaf=name)
            left.pop(name)
    waiting = [i for i in likely if i not in found]
    if left and waiting:
        if not found and (len(leaves) == 1 or len(left) >= len(waiting)):
            for i, name in zip(waiting, list(left), strict=False):
                if len(leaves) == 1 or _fits(left[name].shape, shapes[i]) or len(leaves) == len(order):
                    found[i] = Source(leaf=name)
                    left.pop(name)
        for i in [i for i in waiting if i not in found]:
            name = next((n for n in left if left[n].shape == shapes[i]), None)
            if name is not None and len(leaves) > 1:
                found[i] = Source(leaf=name)
                left.pop(name)
    for i in [i for i in likely if i not in found]:
        wanted = {f"d{names[i]}", f"grad_{names[i]}", f"d_{names[i]}", f"{names[i]}_grad"}
        by_name = [p for p in written if p.last in wanted or p.last in INPUT_GRADIENTS]
        by_name = [p for p in by_name if p not in {s.place for s in found.values()} and len(p.steps) == 1]
        if by_name and not leaves:
            found[i] = Source(place=by_name[0])
    return found
