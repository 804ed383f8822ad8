"""Find out what a layer learns, and where the gradients are.

What a layer learns is what its output depends on: every array that can be reached from it is changed a little, and
forward is run again. An array that backward writes or returns is a parameter's gradient if its name, its numbers or its
shape fit. What changes the output and has no gradient is named.
"""

import numpy as np

from parity_tests.diagnosis.reading import beside, flushes, lazy_parameters, outside
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.gradients import assign
from parity_tests.diagnosis.reading.influences import Influences, influences
from parity_tests.diagnosis.reading.learned import Learned, Reading
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.steps import Optimizers, velocities
from parity_tests.diagnosis.reading.trials import Trials, Written
from parity_tests.diagnosis.reading.views import parts, same
from parity_tests.diagnosis.reading.world import World


def explore(trials: Trials, constants: tuple[str, ...] = ()) -> tuple[Reading, Optimizers]:
    """Return what was found out about a layer, and the optimizers with which its backward takes steps.

    ``constants`` are names of arrays, or of inputs, that should have no gradient. Parameters that the first forward
    creates belong to the layer's start from now on (`lazy_parameters`).
    """
    trials.outputs({})
    trials.world.look_again()
    flush = flushes.method_of(trials)
    created = lazy_parameters.start_with_them(trials, flush)
    with outside.read() as outer:
        found = influences(trials)
    written = trials.written(found.drawn)
    reading, optimizers = _sorted(trials, found, written, constants)
    reading.flush, reading.outside = flush, list(outer)
    caches = trials.overwritten([place for place, _ in reading.state if place in created])
    reading.state = [one for one in reading.state if one[0] not in caches]
    if trials.plan.beside():
        reading.beside = beside.not_compared(trials, found.drawn)
    return reading, optimizers


def _sorted(
    trials: Trials, found: Influences, written: Written, constants: tuple[str, ...]
) -> tuple[Reading, Optimizers]:
    world, arrays, moving = trials.world, found.arrays, found.moving
    kept = trials.left_alone(arrays)
    unmoved = [p for p in kept if p not in moving and written.has_gradient_of(world.aliases(p))]
    copies = trials.overwritten(unmoved) if unmoved else set()  # of parameters: forward puts them there
    wanted = _wanted(world, found, written, kept - copies)
    learned = {p: v for p, v in wanted.items() if not _is_constant(world, p, constants)}

    def slope(place: Place | int, along: np.ndarray) -> float:
        if isinstance(place, int):
            return trials.slope_of_input(place, along, found.drawn)
        return trials.slope(place, found.drawn.get(place, wanted[place]), along, found.drawn)

    sources, input_sources = assign(trials, constants, learned, written, slope)
    optimizers, adaptive = _optimizers(trials, sources, written, set(moving))
    sources |= dict.fromkeys(adaptive)
    reading = Reading(inputs=input_sources, adaptive=adaptive)
    if trials.plan.returns_gradients and trials.plan.outputs[0].ndim == 0:
        taken = {source.leaf for source in [*sources.values(), *input_sources.values()] if source is not None}
        reading.beside = [(n, v.shape) for n, v in written.leaves.items() if v is not None and n not in taken]
    elif not constants:
        used = [source.leaf for source in [*sources.values(), *input_sources.values()] if source is not None]
        reading.strays = _strays(trials, written, used)
    for place, values in wanted.items():
        if place not in learned:
            reading.constants.append((place, values.shape))
        elif sources.get(place) is not None:
            view = (parts if values.dtype.kind == "c" else same)(values.shape)
            one = Learned(place, values.shape, view, sources[place], place.name, place in moving)
            one.integer = values.dtype.kind in "iu"
            reading.learned.append(one)
        elif place not in moving:
            continue
        elif words.is_running_statistic(*place.spellings) or (place not in kept and trials.follows_input(place)):
            reading.state.append((place, values.shape))
        elif values.dtype.kind in "iu" and not trials.fractions_matter(place, values):
            reading.constants.append((place, values.shape))
        else:
            reading.unseen.append((place, values.shape))
    for place, values in arrays.items():
        if place in wanted or place in written.arrays or place in copies:
            continue
        if place not in kept:
            reading.state.append((place, values.shape))
        elif _is_weight(world, place, values):
            reading.unused.append((place, values.shape))
    looked_at = {place for place, _ in [*reading.state, *reading.unseen, *reading.constants]}
    world.release(set(moving) | set(written.arrays) | looked_at)
    return reading, optimizers


def _strays(trials: Trials, written: Written, used: list[str | None]) -> list[str]:
    """Return the names of what backward returns and what is no gradient of anything that was found.

    Such are the gradients of hidden layers. Backward may also return a gradient that is read elsewhere, and the arrays
    that it was given, once more.
    """
    known = [*written.arrays.values(), *trials.inputs, *(values for _, values in trials.world.places())]
    known += [written.leaves[name] for name in used if name is not None]
    return [
        name
        for name, values in written.leaves.items()
        if name not in used
        and values is not None
        and values.dtype.kind in "fc"
        and np.any(values)
        and not any(one.shape == values.shape and np.array_equal(one, values, equal_nan=True) for one in known)
    ]


def _wanted(world: World, found: Influences, written: Written, kept: set[Place]) -> dict[Place, np.ndarray]:
    """Return the arrays of which there should be a gradient, or of which there is one."""
    owners = {
        p: v
        for p, v in found.arrays.items()
        if p in found.moving or (v.dtype.kind in "fc" and p in kept and written.has_gradient_of(world.aliases(p)))
    }
    gradients_of_others = {
        p for p in owners if p not in found.moving and any(words.undressed(p.last)) and _is_gradient(p, owners)
    }
    return {p: v for p, v in owners.items() if p not in gradients_of_others}


def _optimizers(
    trials: Trials, sources: dict[Place, Source | None], written: Written, moving: set[Place]
) -> tuple[Optimizers, dict[Place, Place]]:
    """Return the optimizers, and the parameters whose step is not the rate times the gradient, with their optimizers.

    Such a step does not tell the gradient: it does not double with it.
    """
    steps = {place: one for place, one in sources.items() if one is not None and one.step}
    kept = velocities(trials, set(steps), written, moving) if steps else []
    taken = {place: one.optimizer or next(iter(kept), None) for place, one in steps.items()}
    taken = {place: by for place, by in taken.items() if by is not None}
    trials.world.restore()
    optimizers = Optimizers(trials.world, dict.fromkeys(one.optimizer for one in steps.values() if one.optimizer), kept)
    moved = [trials.moved_by_backward(list(taken), factor) for factor in (1.0, 2.0)] if taken else []
    adaptive = {}
    for place, optimizer in taken.items():
        once, twice = (one[place] for one in moved)
        if not np.allclose(twice, 2 * once, rtol=1e-6, atol=1e-9 * np.abs(twice).max(initial=0)):
            adaptive[place] = optimizer
    return optimizers, adaptive


def _is_weight(world: World, place: Place, values: np.ndarray) -> bool:
    return values.dtype.kind in "fc" and world.prefixes[place.root] == "self" and words.is_weight(place.last)


def _is_constant(world: World, place: Place, constants: tuple[str, ...]) -> bool:
    return any(p.last in constants or p.name in constants for p in world.aliases(place))


def _is_gradient(place: Place, owners: dict[Place, np.ndarray]) -> bool:
    return any(
        other != place and any(words.alike(other.last, name) for name in words.undressed(place.last))
        for other in owners
    )
