"""A learner's forward on the tape, and its backward line by line."""

import inspect
import itertools
import types

import numpy as np

from parity_tests.diagnosis.lines import python_numbers
from parity_tests.diagnosis.lines.backward import (
    Backward,
    Computed,
    TooLongError,
    recorded,
    refuse_many,
    tracing,
    varied,
)
from parity_tests.diagnosis.lines.forward import Forward, Names, bind, name_locals
from parity_tests.diagnosis.lines.layers import Layers
from parity_tests.diagnosis.lines.new_arrays import on_tape
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.running import LearnerRaisedError, is_theirs
from scratch.tape import Node, NotFollowedError, Tape, Value


def forward_on_the_tape(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Forward:
    """Run a learner's forward on the tape, with random upstream gradients, in the learner's layout.

    Raises
    ------
    NotFollowedError
        If the tape cannot follow it.
    LearnerRaisedError
        If forward does not run on the tape.
    """
    learner.forward(*inputs)
    rng = np.random.default_rng(3)
    upstream = tuple(
        np.asarray(rng.uniform(0.5, 2, np.shape(y)) * rng.choice([-1, 1], np.shape(y))) for y in learner.outputs
    )
    scalar = float(upstream[0]) if len(upstream) == 1 and upstream[0].ndim == 0 else None
    if scalar is None and len(upstream) == 1 and learner.plan.convention != "upstream":
        # One loss for each example, and a backward that gets no gradient: that of their sum, or of their mean.
        upstream = (np.full(upstream[0].shape, 1 / upstream[0].size if learner.plan.mean else 1.0),)
        scalar = 1.0
    try:
        return _followed(learner, inputs, upstream, scalar, [])
    except TooLongError:
        raise
    except (NotFollowedError, LearnerRaisedError, TypeError, ValueError, AttributeError, LookupError):
        files = [root for root in learner.world.roots if isinstance(root, types.ModuleType)]
        return _followed(learner, inputs, upstream, scalar, files)


def _followed(
    learner: Learner,
    inputs: tuple[np.ndarray, ...],
    upstream: tuple[np.ndarray, ...],
    scalar: float | None,
    files: list[types.ModuleType],
) -> Forward:
    # New arrays that these files make are on the tape, too.
    tape, names, functions = Tape(), {}, set()
    layers = Layers(tape)
    bound: dict[str, set[Node]] = {}
    with on_tape(tape, files), python_numbers.on_tape(files):
        returned = _run(learner, inputs, tape, names, functions, bound, layers)
    outputs = _values_of(learner, returned, names)
    upstream = tuple(np.asarray(learner.plan.undressed(g)) for g in upstream)
    has_gradients = learner.plan.returns_gradients
    return Forward(
        tape, outputs, upstream, names, scalar, frozenset(functions), bound, bool(files), has_gradients, layers
    )


def _run(
    learner: Learner,
    inputs: tuple[np.ndarray, ...],
    tape: Tape,
    names: Names,
    functions: set[types.CodeType],
    bound: dict[str, set[Node]],
    layers: Layers,
) -> object:
    plan, found = learner.plan, learner.found
    learner.world.restore()
    learner.write()
    front = learner.input_names(len(inputs))
    passed = []
    for i, values in enumerate(inputs):
        dressed = plan.dressed(values, i)
        if dressed.dtype.kind == "f" and i != plan.options.target:
            dressed = tape.watch(dressed)
            names[dressed.node] = front[i]
        passed.append(dressed)
    for one in learner.reading.learned:
        if learner.world.is_fixed(one.place):
            raise NotFollowedError(f"{learner.world.words(one.place)} can only be written to")
        value = tape.watch(np.array(learner.world.get(one.place), np.float64))
        names[value.node] = one.own_name
        learner.world.put(one.place, value)

    def watch(frame: types.FrameType, event: str, argument: object) -> None:
        refuse_many(len(tape.nodes), frame.f_code)
        functions.add(frame.f_code)
        name_locals(names, frame, found.forward_name)
        bind(bound, frame, found.forward_name)
        layers(frame, event, argument)

    held = plan.inputs
    try:
        plan.inputs = passed
        arguments = plan.arguments(passed)
        context = (plan.context,) if found.has_context(found.forward) else ()
        with learner.stage("forward", reseed=True), tracing(watch):
            return found.forward(*context, *arguments[0], **arguments[1])
    except LearnerRaisedError as error:
        if isinstance(error.__cause__, NotFollowedError):
            raise error.__cause__ from None
        raise
    finally:
        plan.inputs = held
        _name_attributes(names, found.owner)
        learner.world.restore()


def _name_attributes(names: Names, owner: object) -> None:
    for name, value in getattr(owner, "__dict__", {}).items():
        if isinstance(value, Value) and (value.node not in names or " in " in names[value.node]):
            names[value.node] = f"self.{name}" if name in names.values() else name


def _values_of(learner: Learner, returned: object, names: Names) -> list[Value]:
    parts = learner.plan.chosen(returned)
    count = len(learner.outputs)
    if returned is None:
        name = learner.plan.output_name
        node = next((n for n, named in names.items() if named == name), None)
        parts = (Value(node),) if node is not None else ()
    found = [one for one in parts if isinstance(one, Value)][:count]
    if len(found) < count:
        raise NotFollowedError("forward's output does not come from the tape")
    return found


def backward_by_lines(learner: Learner, inputs: tuple[np.ndarray, ...], forward: Forward) -> Backward:
    """Run a learner's backward line by line, with the upstream gradients of ``forward``, and with others."""
    plan, found = learner.plan, learner.found
    upstream = tuple(plan.undressed(grad) for grad in forward.upstream)  # in our layout

    def followed(frame: types.FrameType) -> bool:
        # What an optimizer computes is no gradient.
        return is_theirs(frame.f_code.co_filename) and not learner.optimizers.have(frame.f_locals.get("self"))

    code = _code(plan.pulled or found.backward or found.forward)
    returned = _returned(learner, len(inputs), forward)

    layers = Layers()

    def run(grads: tuple[np.ndarray, ...], layers: Layers) -> list[Computed]:
        if plan.returns_gradients:
            computed = recorded(lambda: learner.forward(*inputs), followed)
            return [one for one in computed if one.function is not code or one.number in (None, *returned)]
        with tracing(layers):
            learner.forward(*inputs)
        return recorded(lambda: plan.backward(grads), followed)

    first = run(upstream, layers)
    owners = _owners(learner)
    runs = first, run(tuple(map(varied, upstream)), Layers())
    steps = {}
    for one in learner.reading.learned:
        if one.gradient.step:
            steps[learner.world.words(one.place)] = forward.named(one.own_name), one.gradient.rate
    return Backward(
        code,
        found.backward_name,
        runs,
        returned,
        steps,
        plan.convention == "upstream" and not plan.returns_gradients,
        owners,
        layers,
        found.owner,
        _stored(learner, forward),
    )


def _stored(learner: Learner, forward: Forward) -> dict[str, Node]:
    found = {}
    for one in learner.reading.learned:
        node = forward.named(one.own_name)
        if one.gradient is not None and node is not None:
            found |= {learner.world.words(place): node for place in one.gradient.places}
    return found


def _owners(learner: Learner) -> dict[int, str]:
    """Return the paths to the objects that hold parameters, as they are after a backward."""
    found = {}
    for one in learner.reading.learned:
        for count in range(1, len(one.place.steps)):
            path = Place(one.place.root, one.place.steps[:count])
            found[id(learner.world.get(path))] = path.name
    return found


def _returned(learner: Learner, count: int, forward: Forward) -> dict[int, Node]:
    found, front = {}, learner.input_names(count)
    # Behind a nested container, a gradient's place among all is not its place among what is returned.
    leaves = list(itertools.takewhile(lambda leaf: "." not in leaf, learner.plan.leaf_names))
    beside = int(learner.plan.returns_gradients)  # the loss
    sources = [(front[i], source) for i, source in learner.reading.inputs.items()]
    sources += [(one.own_name, one.gradient) for one in learner.reading.learned if one.gradient is not None]
    for name, source in sources:
        node = forward.named(name)
        if source.leaf in leaves and node is not None:
            found[leaves.index(source.leaf) + beside] = node
    return found


def _code(function: object) -> types.CodeType:
    function = undecorated(function)
    inner = getattr(function, "__func__", function)
    inner = inner if hasattr(inner, "__code__") else type(inner).__call__
    return inspect.unwrap(inner).__code__
