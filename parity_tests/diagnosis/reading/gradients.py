"""Decide which array that backward wrote or returned is whose gradient: by name, by its numbers, by its shape."""

import itertools
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.places import Place
from parity_tests.diagnosis.reading.plans import RATE
from parity_tests.diagnosis.reading.steps import rate_of


@dataclass(frozen=True)
class Source:
    """Where a gradient is read: at a place, in what backward returned, or from the step that backward took."""

    place: Place | None = None
    leaf: str | None = None
    step: bool = False
    rate: float = 1.0
    optimizer: Place | None = None
    transposed: bool = False

    def words(self, world: object, backward: str) -> str:
        """Return it in words."""
        if self.step:
            return f"gradient from the step that {backward} takes"
        if self.place is not None:
            return f"gradient in {world.words(self.place)}"
        name = f"{self.leaf} of " if self.leaf else ""
        return f"gradient in {name}what {backward} returns"


INPUT_GRADIENTS = words.listed(
    "dinputs dinput dx dX dA dA_prev grad_input grad_inputs input_gradient grad_x dZ_prev din d_input d_inputs d_x "
    "input_grad gradient_input delta_prev dprev grad_in dI"
)


def assign(
    learner: object,
    inputs: tuple[np.ndarray, ...],
    wanted: dict[Place, np.ndarray],
    written: dict[Place, np.ndarray],
    leaves: dict[str, np.ndarray | None],
) -> tuple[dict[Place, Source | None], dict[int, Source]]:
    """Return the source of each parameter's gradient, and of each input's.

    Names come first: an array called ``dW`` is W's gradient even where its numbers are wrong. Then comes the order, for
    gradients returned as (dx, dW, db); then the shapes.
    """
    free_leaves = {name: values for name, values in leaves.items() if values is not None}
    free_written = dict(written)
    sources: dict[Place, Source | None] = {}
    for place, values in wanted.items():
        if place in free_written and free_written[place].shape == values.shape and not _named(place, free_written):
            sources[place] = Source(None, None, True, *rate_of(learner, place, RATE))
            free_written.pop(place)
    for place in wanted:
        if place in sources:
            continue
        if (name := next((n for n in free_leaves if _is_of(n, place)), None)) is not None:
            sources[place] = Source(leaf=name)
            free_leaves.pop(name)
        elif (other := _named(place, free_written)) is not None:
            sources[place] = Source(place=other)
            free_written.pop(other)
    if learner.plan.parameters_first:
        _in_order(wanted, sources, free_leaves)
    found_inputs = _inputs(learner, inputs, free_leaves, free_written)
    for name in [source.leaf for source in found_inputs.values() if source.leaf is not None]:
        free_leaves.pop(name, None)
    for source in found_inputs.values():
        free_written.pop(source.place, None)
    _in_order(wanted, sources, free_leaves)
    used = {source.place for source in sources.values() if source is not None and source.place is not None}
    for place in [place for place in wanted if place not in sources]:
        shape = wanted[place].shape
        fits = [p for p, v in free_written.items() if p not in used and _fits(v.shape, shape) and v.dtype.kind == "f"]
        rivals = [p for p in wanted if p not in sources and _fits(wanted[p].shape, shape)]
        if len(fits) == 1 == len(rivals) and len(shape) > 0 and _looks_like_gradient(fits[0]):
            sources[place] = Source(place=fits[0])
            used.add(fits[0])
        else:
            sources[place] = _by_list(place, free_written, used, shape)
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


def _by_list(place: Place, written: dict[Place, np.ndarray], used: set, shape: tuple) -> Source | None:
    # self.weights[2] and self.grad_weights[2], self.params[0] and self.grads[0].
    numbers = [key for _, key in place.steps if isinstance(key, int)]
    for other, values in written.items():
        if other in used or not _fits(values.shape, shape) or not numbers:
            continue
        if [key for _, key in other.steps if isinstance(key, int)] == numbers and _looks_like_gradient(other):
            used.add(other)
            return Source(place=other)
    return None


def _named(place: Place, written: dict[Place, np.ndarray]) -> Place | None:
    """Return what is called the gradient of ``place``: in the same holder, or in a holder beside it."""
    candidates = []
    for other in written:
        if other == place or other.root != place.root:
            continue
        near = _common(place, other)
        if _is_of(other.last, place, other):
            candidates.append((-near, len(other.steps), other))
    return min(candidates, key=lambda c: c[:2])[2] if candidates else None


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
    learner: object,
    inputs: tuple[np.ndarray, ...],
    leaves: dict[str, np.ndarray],
    written: dict[Place, np.ndarray],
) -> dict[int, Source]:
    names = learner.input_names(len(inputs))
    order = [i for i in learner.plan.order if inputs[i].dtype.kind == "f" and names[i] not in learner.constants]
    target = learner.plan.options.target
    order = [i for i in order if i != target]
    found: dict[int, Source] = {}
    left = dict(leaves)
    shapes = {i: learner.plan._dressed(inputs[i], i).shape for i in order}
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
