"""A method of a network, named as CLASS.METHOD: it takes a step, or it gives the loss, the gradients or the output.

The class is constructed with ``--args``, and the method is run once to see what it does. Where it gives gradients, or
takes a step, without the loss, the loss is the network's own, else one of the usual losses of its prediction: the one
under which most is right.
"""

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis import candidates, fits, lists_of_pairs, one_hot_rows, targets, training_step
from parity_tests.diagnosis.assumed_losses import Loss, is_number, losses
from parity_tests.diagnosis.candidates import Candidate, is_nearly_right
from parity_tests.diagnosis.method_arguments import in_one_step, takes_what_forward_returns, with_target_drawn
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.find import Found, constructed, method_called, owner_of_method
from parity_tests.diagnosis.reading.forward_arguments import forward_arguments
from parity_tests.diagnosis.reading.leaves import leaves_of
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import RATE
from parity_tests.diagnosis.reading.read import read
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.world import World
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.diagnosis.trained import Trained
from parity_tests.diagnosis.trial_inputs import with_indices_if_wanted
from parity_tests.harness import arrays
from parity_tests.harness.compare import check
from parity_tests.harness.report import AGAIN


@dataclass
class Method:
    """What a method is: a training step with its verdict, or what to compare; ``said``: what was assumed.

    ``right``: how many gradients are right where, by the loss that was assumed or by the verdict, not all are.
    """

    verdict: Verdict | None = None
    found: Found | None = None
    said: list[str] = field(default_factory=list)
    right: int | None = None


def is_named(module: types.ModuleType, names: str) -> bool:
    """Return whether ``names`` is a method that needs an object."""
    return "," not in names and owner_of_method(module, names) is not None


def examine(
    request: Request, module: types.ModuleType, args: tuple[list, dict], stage: Stage
) -> tuple[Request, Method | None]:
    """Construct the class, run the method once, and return what it is; None if it is the backward of its class.

    The request comes with a shape for the target, where only that of the data was given.
    """
    if not request.inputs:
        raise NotUnderstoodError("--input SHAPE is needed: the shape of the input, such as --input 4,3")
    name = request.names.rpartition(".")[2]

    def made() -> object:
        return constructed(owner_of_method(module, request.names), args, stage, request.path.name)

    network = made()
    method = getattr(network, name)
    drawn, said = with_target_drawn(request, network, method, stage)
    found = _examined(drawn, module, network, method, said, stage)
    if found is None:
        return request, None
    in_rows = one_hot_rows.asked(drawn) if found.right is not None else None
    if in_rows is not None:
        network, also = made(), [*said, one_hot_rows.WORDS]
        other = _examined(in_rows, module, network, getattr(network, name), also, stage)
        if other is not None and (other.right is None or other.right > found.right):
            drawn, found, said = in_rows, other, also
    found.said = [*said, *found.said]
    return drawn, found


def _examined(
    request: Request, module: types.ModuleType, network: object, method: Callable, said: list[str], stage: Stage
) -> Method | None:
    cls, name, file = type(network), request.names.rpartition(".")[2], request.path.name
    one_pair, _ = targets.draw(request, arrays.array)
    in_pairs = len(one_pair) == 2 and bool(lists_of_pairs.names_in_pairs(method))
    if in_pairs:
        method = lists_of_pairs.of_arrays(method)
        request = lists_of_pairs.of_several(request)
    inputs, target = targets.draw(request, arrays.array)
    method, once = in_one_step(network, method, inputs[0].shape[-1 if request.columns else 0])
    if name in words.BACKWARD and takes_what_forward_returns(network, method):
        return None
    world = World([network, module], ["self", ""])
    options = Options(training=request.training, file=file)
    fit = fits.resumed(network, method, [inputs, targets.others(request, inputs)], world, stage) if once else None
    if fit is not None:
        method, once = fit.step, [*once, fit.words]

    def run(values: tuple) -> tuple:
        world.restore()
        return _run(method, values, options, world, stage)

    try:
        (returned, changed, gradients), inputs = with_indices_if_wanted(run, inputs, target, world, request.seed)
    except LearnerRaisedError:
        if name not in (*words.BACKWARD, *words.FORWARD):
            raise
        return None  # backward before any forward
    except NotUnderstoodError:
        if name not in words.BACKWARD or method_called(network, words.FORWARD) is None:
            raise
        return None  # it takes what forward returns
    finally:
        world.restore()
    returned = None if returned is network or (changed and _is_history(returned)) else returned
    gives = Giving(network, method, module, inputs, stage, request, options, world, [*once, *said], fit)
    if is_number(returned):
        loss = Loss(method, "")
        if (taken := gives.step([loss], changed)) is not None:
            return taken
        backward = method_called(network, words.BACKWARD, *words.BACKWARD_PARTS)
        if backward is None or backward == method or gradients:
            return Method(found=gives.compared(gives.called(gives.undone), gives.called(gives.without_result)))
        return Method(found=gives.compared(method, backward))
    at = _loss_among(returned)
    if at is not None:
        front = method if at == 0 else gives.called(lambda *given: method(*given)[::-1])
        return Method(found=gives.compared(front, None))
    if returned is not None and not _gives_gradients(name) and leaves_of(returned, []):
        backward = method_called(network, words.BACKWARD, *words.BACKWARD_PARTS)
        if backward is None or backward == method:
            raise NotUnderstoodError(
                f"{cls.__name__}.{name} returns no loss, and {cls.__name__} has no backward beside it: name a method "
                "that returns the loss with its gradients, or both as CLASS.FORWARD,CLASS.BACKWARD"
            )
        return Method(found=Found(cls.__name__, method, backward, owner=network, module=module))
    found = list(losses(network, one_pair if in_pairs else inputs, stage, name))
    found = list(lists_of_pairs.of_all(found)) if in_pairs else found
    world.restore()
    if fit is not None and all(one.assumed for one in found):
        own = fit.recorded([inputs, targets.others(request, inputs)], stage, request.constants)
        found = [own] if own is not None else found
    if not found:
        raise NotUnderstoodError(
            f"{cls.__name__}.{name} {'returns gradients' if returned is not None else 'returns nothing'}, and there is "
            f"no loss to compare with: expected a method loss({', '.join(_fronts(method)) or 'x, y'}) that returns a "
            "number, or forward(x) and two inputs, the second for the target"
        )
    taken = gives.step(found, changed)
    return gives.gradients(found) if taken is None else taken


def _run(
    method: Callable, inputs: tuple, options: Options, world: World, stage: Stage
) -> tuple[object, dict[Place, np.ndarray], bool]:
    """Return what a method returns, the arrays that it changes, as they were, and whether it leaves gradients."""
    bound = Found("", method, None)
    rates = {p.name: RATE for p in bound.parameters(method) if words.RATES.match(p.name) and p.default is p.empty}
    taken = forward_arguments(bound, Options(rates, options.training, file=options.file), list(map(np.copy, inputs)))
    before = {place: np.array(values) for place, values in world.places()}
    with stage(method.__name__, reseed=True):
        returned = method(*taken.given, **taken.named)
    after = dict(world.places())
    changed = {
        place: values
        for place, values in before.items()
        if values.dtype.kind == "f" and place in after and not np.array_equal(values, after[place], equal_nan=True)
    }
    written = [place for place in after if place not in before or place in changed]
    owners = {owner for place in written for owner in words.undressed(place.last)}
    return returned, changed, any(words.alike(owner, place.last) for owner in owners for place in before)


def _is_history(returned: object) -> bool:
    """Return whether a method returns the losses of its steps."""
    return isinstance(returned, list) and bool(returned) and all(np.ndim(one) == 0 for one in returned)


def _loss_among(returned: object) -> int | None:
    """Return the place of the loss in (loss, gradients) or (gradients, loss), None if it is neither."""
    if not isinstance(returned, tuple | list) or len(returned) < 2:
        return None
    if is_number(returned[0]) and leaves_of(list(returned[1:]), []):
        return 0
    return 1 if len(returned) == 2 and is_number(returned[1]) and leaves_of(returned[0], []) else None


def _gives_gradients(name: str) -> bool:
    return any(part in name.lower() for part in (*words.BACKWARD_PARTS, "nabla", "delta"))


def _fronts(method: Callable) -> list[str]:
    return [p.name for p in Found("", method, None).parameters(method)]


@dataclass
class Giving:
    """A method that takes a step, or that gives gradients, and what is needed to see whether they are right."""

    network: object
    method: Callable
    module: types.ModuleType
    inputs: tuple[np.ndarray, ...]
    stage: Stage
    request: Request
    options: Options
    world: World
    said: list[str] = field(default_factory=list)
    fit: fits.Fit | None = None

    def called(self, body: Callable) -> Called:
        """Return a function that takes the method's first arguments, and has its name."""
        parameters = list(inspect.signature(self.method).parameters.values())
        return Called(body, self.method).taking(parameters[: len(self.inputs)])

    def undone(self, *inputs: np.ndarray) -> object:
        """Return what the method returns; nothing else is left of the call."""
        with self.world.starting_here():
            try:
                return self.method(*inputs)
            finally:
                self.world.restore()

    def without_result(self, *inputs: np.ndarray) -> None:
        """Call the method for the gradients that it leaves."""
        self.method(*inputs)

    def step(self, found: list[Loss], changed: dict[Place, np.ndarray]) -> Method | None:
        """Return the verdict on the method as a training step, None if it moves nothing that the loss depends on."""
        batches = [self.inputs, targets.others(self.request, self.inputs)]

        def trained(loss: Loss) -> Trained | None:
            constants = self.request.constants
            one = Trained(self.network, self.world, batches, self.stage, loss.function, self.method, constants)
            return one if set(one.parameters) & set(changed) else None

        tried = candidates.of_steps(found if changed else (), trained)
        self.world.restore()
        if not tried:
            return None
        best, said = candidates.best(tried, "the step of")
        is_unsure = self.fit is not None and best.loss.assumed and not best.right
        if is_unsure:
            multiple = next((one for one in tried if not self.fit.is_unsure(one.thing)), None)
            if multiple is not None:
                best, said = multiple, [f"the loss is not in the file: assumed to be {multiple.loss.words}"]
            is_unsure = multiple is None
        verdict = training_step.judged(self.request, best.thing, [*self.said, *said])
        if is_unsure:
            read, _, _ = verdict.text.partition("\n\n")
            verdict = Verdict(1, f"{read}\n\n{fits.UNSURE.format(self.method.__name__)}")
        return Method(verdict, right=len(best.thing.agreeing()) if verdict.status else None)

    def gradients(self, found: list[Loss]) -> Method:
        """Return what can be compared: the loss under which most gradients are right, and the method as backward."""
        tried: list[Candidate] = []
        parameters = list(inspect.signature(self.method).parameters.values())[: len(self.inputs)]
        for loss in found:
            front = Called(loss.function, loss.function, loss.function.__name__).taking(parameters)
            one = self.compared(front, self.method)
            if not loss.assumed:
                return Method(found=one, said=[loss.words] if loss.words else [])
            try:
                learner = read(one, self.inputs, self.options, self.stage)
                report = check(learner, None, *self.inputs, seed=self.request.seed, strict=False)
            except LearnerRaisedError:
                continue
            first = [q for q in report.quantities if not q.name.endswith(AGAIN)]
            right, nearly = [q.name for q in first if q.ok], sum(map(is_nearly_right, first))
            tried.append(Candidate(loss, right, len(first), one, nearly))
            if tried[-1].complete:
                break
        if not tried:
            raise NotUnderstoodError(f"{self.method.__name__}: it could be compared under none of the usual losses")
        best, said = candidates.best(tried, "")
        return Method(found=best.thing, said=said, right=None if best.complete else len(best.right))

    def compared(self, forward: Callable, backward: Callable | None) -> Found:
        """Return the two functions; the inputs are data, and need no gradient."""
        title = type(self.network).__name__
        return Found(title, forward, backward, owner=self.network, module=self.module, of_data=True)
