"""The loss of a network whose file leaves it to the caller: its own where the object has one, else one of the usual."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.names import MAYBE_TARGETS, TARGETS, listed
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.world import World

OWN = ("loss", "compute_loss", "cost", "loss_fn", "evaluate_loss", "objective")
OF_PREDICTIONS = (*OWN, "compute_cost", "cost_function", "loss_function", "calculate_loss", "calculate_cost")
HELD = ("loss", "cost", "criterion", "loss_fn", "loss_function", "loss_func", "cost_function", "cost_fn")
PREDICTIONS = listed(
    "forward feedforward feed_forward forward_pass forward_propagation forward_prop fprop predict_proba predict query "
    "scores run inference __call__"
)


def _cross_entropy(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))


@dataclass(frozen=True)
class Usual:
    """One of the usual losses of a prediction p with a target y, of m examples.

    ``of_rows`` is the loss of probabilities that sum to one. ``fallback`` is assumed where nothing is right.
    """

    words: str
    value: Callable
    of_rows: bool = False
    fallback: bool = False


LOSSES = (
    Usual(
        "the binary cross-entropy, its sum over the outputs averaged over the {m} examples",
        lambda p, y, m: _cross_entropy(p, y) / m,
    ),
    Usual("the binary cross-entropy, summed", lambda p, y, m: _cross_entropy(p, y)),
    Usual("the binary cross-entropy, averaged over all elements", lambda p, y, m: _cross_entropy(p, y) / y.size),
    Usual("-sum(y log p), averaged over the {m} examples", lambda p, y, m: -np.sum(y * np.log(p)) / m, of_rows=True),
    Usual("-sum(y log p)", lambda p, y, m: -np.sum(y * np.log(p)), of_rows=True),
    Usual(
        "the squared error, halved and averaged over the {m} examples",
        lambda p, y, m: np.sum((p - y) ** 2) / (2 * m),
        fallback=True,
    ),
    Usual("the squared error, averaged over the {m} examples", lambda p, y, m: np.sum((p - y) ** 2) / m),
    Usual("the squared error, halved", lambda p, y, m: np.sum((p - y) ** 2) / 2, fallback=True),
    Usual("the squared error, averaged over all elements", lambda p, y, m: np.sum((p - y) ** 2) / y.size),
    Usual("the squared error", lambda p, y, m: np.sum((p - y) ** 2)),
)


def count_of_examples(x: np.ndarray, y: np.ndarray) -> int:
    """Return how many examples there are: in the columns, where only those are as many in both."""
    if x.ndim != 2 or y.ndim != 2:
        return len(x) if x.ndim == 2 else 1
    return x.shape[1] if x.shape[1] == y.shape[1] and x.shape[0] != y.shape[0] else x.shape[0]


def is_number(value: object) -> bool:
    """Return whether a value may be a loss."""
    return (
        isinstance(value, float | np.ndarray | np.floating)
        and np.ndim(value) == 0
        and np.asarray(value).dtype.kind == "f"
    )


@dataclass
class Loss:
    """A loss of a network's inputs and target, and what it is if not a method.

    ``assumed`` if nobody says so; ``fallback`` if it is to be assumed where nothing is right.
    """

    function: Callable
    words: str
    assumed: bool = False
    fallback: bool = False


def losses(network: object, inputs: tuple[np.ndarray, ...], stage: Stage, but: str = "") -> Iterator[Loss]:
    """Yield the network's own loss; if it has none, the usual losses of its prediction.

    ``but`` is the name of a method that is none of it.
    """
    for name in OWN:
        method = getattr(network, name, None)
        if name != but and inspect.ismethod(method) and _is_loss_of_data(network, method, inputs, stage):
            yield Loss(method, "")
            return
    made = prediction(network, inputs[0], stage, but) if len(inputs) == 2 else None
    for index in _last_ones(network, getattr(network, made[1]), inputs[0], stage) if made is not None else ():
        yield from _of_prediction(network, getattr(network, made[1]), index, inputs, stage)


def _is_loss_of_data(network: object, method: Callable, inputs: tuple[np.ndarray, ...], stage: Stage) -> bool:
    """Return whether a method gives a number that depends on the network's arrays; cost(prediction, y) does not."""
    world = World([network], ["self"])
    base = _tried(method, inputs, stage)
    if not is_number(base):
        return False
    world.restore()
    for place, values in [(p, np.array(v)) for p, v in world.places() if v.ndim and v.dtype.kind == "f"]:
        world.restore()
        world.put(place, values + 0.1 * (1 + np.abs(values)))
        moved = _tried(method, inputs, stage)
        world.restore()
        if moved != base:
            return True
    return False


def prediction(network: object, x: np.ndarray, stage: Stage, but: str = "") -> tuple[np.ndarray, str] | None:
    """Return what the network makes of its input, and the name of the method; None if it has none."""
    names = [name for name in PREDICTIONS if name != but and inspect.ismethod(getattr(network, name, None))]
    for name in names:
        predict = getattr(network, name)
        returned = _tried(predict, (x,), stage)
        if _is_prediction(_at(returned, 0)):
            return _at(returned, _last_ones(network, predict, x, stage)[0]), name
    return None


def _is_prediction(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0 and value.size > 0


def _last_ones(network: object, predict: Callable, x: np.ndarray, stage: Stage) -> list[int]:
    """Return which of the arrays that are returned may be the prediction: those that depend on the most, last first.

    Of ``(a_h, a_out)`` it is ``a_out``: the hidden layer's activations depend on fewer parameters.
    """
    usual = _tried(predict, (x,), stage)
    places = [i for i, value in enumerate(usual) if _is_prediction(value)] if isinstance(usual, tuple) else []
    if len(places) < 2:
        return [0]
    world, counts = World([network], ["self"]), dict.fromkeys(reversed(places), 0)
    for place, values in [(p, np.array(v)) for p, v in world.places() if v.ndim and v.dtype.kind == "f"]:
        world.restore()
        world.put(place, values + 0.1 * (1 + np.abs(values)))
        moved = _tried(predict, (x,), stage)
        for i in counts if isinstance(moved, tuple) and len(moved) == len(usual) else ():
            counts[i] += not np.array_equal(moved[i], usual[i])
    world.restore()
    return [i for i, count in counts.items() if count == max(counts.values())]


def _of_prediction(
    network: object, predict: Callable, index: int, inputs: tuple[np.ndarray, ...], stage: Stage
) -> Iterator[Loss]:
    x, y = inputs
    made = _at(_tried(predict, (x,), stage), index)
    target, name = _as_prediction(made, y), f"what {predict.__name__} returns"
    if index:
        own = return_names(predict)
        name = f"{own[index] if index < len(own) and own[index] else f'value {index}'} of {name}"
    for held in HELD:
        for way in ("fn", "forward", "loss", "calculate", "__call__"):
            function = getattr(getattr(network, held, None), way, None)
            if not callable(function) or getattr(function, "__self__", None) is network:
                continue
            function = _of_held(network, held, way)
            if is_number(_tried(function, (made, target), stage)):
                called = f"self.{held}" + f".{way}" * (way != "__call__")
                yield Loss(_of_output(predict, index, function), f"the loss is {called} of {name}")
                return
    count = count_of_examples(x, y)
    for own_name in OF_PREDICTIONS:
        function = getattr(network, own_name, None)
        if not inspect.ismethod(function):
            continue
        function = prediction_first(function)
        if is_number(_tried(function, (made, target), stage)):
            yield Loss(_of_output(predict, index, function), f"the loss is {own_name} of {name}")
            return
    target = _in_rows(made, target)
    for one in LOSSES:
        if (count == 1 and "{m}" in one.words) or not np.isfinite(one.value(made, target, count)):
            continue  # the same as the sum; or a logarithm of what is no probability

        def usual(x: np.ndarray, y: np.ndarray, loss: Callable = one.value) -> object:
            p = _at(predict(x), index)
            return loss(p, _in_rows(p, _as_prediction(p, y)), count_of_examples(x, y))

        words = f"{one.words.format(m=count)}, of {name}"
        yield Loss(Called(usual, predict, "loss"), words, assumed=True, fallback=one.fallback)


def _of_held(network: object, held: str, way: str) -> Callable:
    def loss(p: np.ndarray, y: np.ndarray) -> object:
        # Looked up in each call: at each return to the start, the network gets another copy of what it holds.
        return prediction_first(getattr(getattr(network, held), way))(p, y)

    return loss


def _of_output(predict: Callable, index: int, loss: Callable) -> Called:
    def own(x: np.ndarray, y: np.ndarray) -> object:
        p = _at(predict(x), index)
        return loss(p, _as_prediction(p, y))

    return Called(own, predict, "loss")


def prediction_first(loss: Callable) -> Callable:
    """Return a loss that takes the prediction first, also where its first argument is the target by name."""
    try:
        names = [p.name for p in inspect.signature(loss).parameters.values() if p.default is p.empty]
    except (TypeError, ValueError):
        return loss
    first, second = [*names, "", ""][:2]
    turned = TARGETS.match(first) or (MAYBE_TARGETS.match(first) and not TARGETS.match(second))
    return (lambda p, y: loss(y, p)) if turned else loss


def _tried(function: Callable, inputs: tuple[np.ndarray, ...], stage: Stage) -> object:
    """Return what a function returns; an empty array if it raises or does not take these arguments."""
    try:
        inspect.signature(function).bind(*inputs)
        with stage(getattr(function, "__name__", "loss"), reseed=True):
            returned = function(*map(np.copy, inputs))
    except (LearnerRaisedError, TypeError, ValueError):
        return np.zeros(0)
    return np.zeros(0) if returned is None or isinstance(returned, str | dict | list) else returned


def _at(returned: object, index: int) -> object:
    return returned[index] if isinstance(returned, tuple) and len(returned) > index else returned


def _as_prediction(made: np.ndarray, target: np.ndarray) -> np.ndarray:
    # A target without the second axis of the prediction would be broadcast.
    return target.reshape(made.shape) if target.size == made.size else target


def _in_rows(made: np.ndarray, target: np.ndarray) -> np.ndarray:
    # Classes, of a network that makes one-hot rows of them itself.
    return np.eye(made.shape[1])[target] if target.dtype.kind in "iu" and made.ndim == target.ndim + 1 == 2 else target
