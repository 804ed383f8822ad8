"""A network whose forward takes the data, and whose backward takes the target: the loss is between the two."""

import dataclasses
import inspect
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import target_shapes, targets
from parity_tests.diagnosis.assumed_losses import OF_PREDICTIONS, Loss, losses, prediction
from parity_tests.diagnosis.methods import Giving, Method
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import is_upstream, return_names
from parity_tests.diagnosis.reading.running import Stage
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays


def completed(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> tuple[Request, Method | None, tuple[np.ndarray, ...]]:
    """Return the network with its loss, None if it is not of this kind; the request and the inputs fit its target."""
    fronts = [p.name for p in found.parameters(found.forward) if p.default is p.empty]
    backs = [p.name for p in found.parameters(found.backward) if p.default is p.empty]
    rates = [p for p in found.parameters(found.backward) if found.is_rate(p)]
    target = next((name for name in backs if words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name)), "")
    if found.owner is None or not target or len(fronts) != 1:
        return request, None, inputs
    data = next((name for name in backs if name == fronts[0] or words.DATA.match(name)), "")
    kept = [name for name in backs if name not in (target, data, *(p.name for p in rates))]
    asked, said = request, []
    own = _loss_after_forward(found, target)
    takes_target_alone = own is not None or words.TARGETS.match(target) or (data and not kept)
    if takes_target_alone and not any(map(is_upstream, kept)):
        asked, said = target_shapes.drawn(request, found.owner, stage, target)
        found.world.restore()
    shaped = targets.with_shape_of_target(asked, 1)
    if len(shaped.inputs) + (shaped.target is not None) != 2:
        return request, None, inputs
    places = _places(found, kept, inputs[0], stage)
    if None in places.values():
        return request, None, inputs
    made = prediction(found.owner, inputs[0], stage)
    found.world.restore()
    if asked.target is not None and made is not None:
        asked = dataclasses.replace(shaped, target_shape=shaped.target_shape or made[0].shape)
    drawn, options.target = targets.draw(asked, arrays.array) if asked != request else (inputs, options.target)
    front, back = (
        found.parameters(found.forward)[0],
        next(p for p in found.parameters(found.backward) if p.name == target),
    )

    def backward(x: object, y: object, *rate: object, **named: object) -> object:
        given = {target: y} | ({data: x} if data else {}) | {p.name: one for p, one in zip(rates, rate, strict=False)}
        made = _as_tuple(found.forward(x)) if places else ()
        return found.backward(**given, **named, **{name: made[place] for name, place in places.items()})

    method = Called(backward, found.backward).taking([front, back, *rates])
    gives = Giving(found.owner, method, found.module, drawn, stage, asked, options, found.world)
    known = [own] if own is not None else list(losses(found.owner, drawn, stage))
    found.world.restore()
    if not known:
        return request, None, inputs
    read = gives.gradients(known)
    read.said += said
    read.said.append(f"{found.backward_name} takes {target}, the target, which {found.forward_name} does not take")
    return asked, read, drawn


def _loss_after_forward(found: Found, target: str) -> Loss | None:
    """Return the network's own loss of the target alone, which goes with what forward has left: ``loss(y)``."""
    for name in OF_PREDICTIONS:
        own = getattr(found.owner, name, None)
        wanted = [p.name for p in found.parameters(own) if p.default is p.empty] if inspect.ismethod(own) else []
        if wanted == [target]:

            def loss(x: object, y: object, own: Callable = own) -> object:
                found.forward(x)
                return own(y)

            return Loss(Called(loss, own), f"the loss is {name}, after {found.forward_name}")
    return None


def _places(found: Found, kept: list[str], x: np.ndarray, stage: Stage) -> dict[str, int | None]:
    """Return which of forward's values each of these arguments of backward gets, by name; None for none."""
    if not kept:
        return {}
    with stage(found.forward_name, reseed=True):
        made = _as_tuple(found.forward(np.copy(x)))
    found.world.restore()
    count = len(made)
    names = return_names(undecorated(found.forward))
    if len(names) == count and set(kept) <= set(names):
        return {name: names.index(name) for name in kept}
    return {name: place if len(kept) == count else None for place, name in enumerate(kept)}


def _as_tuple(made: object) -> tuple:
    return made if isinstance(made, tuple) else (made,)
