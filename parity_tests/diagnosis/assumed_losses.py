"""The loss of a network whose file leaves it to the caller: its own where the object has one, else one of the usual."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis import soft_predictions
from parity_tests.diagnosis.loss_arguments import has_prediction, is_target, needed, orders, prediction_first
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.function_contents import FUNCTIONS
from parity_tests.diagnosis.reading.names import listed
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.world import World
from parity_tests.diagnosis.trial_inputs import SHARES

OWN = ("loss", "compute_loss", "cost", "loss_fn", "evaluate_loss", "objective")
OF_LISTS = ("calculate_total_loss", "calculate_loss", "total_loss", *OWN)
"""Of a list of examples or sequences: a network's backward takes one of them."""
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


USUAL = "the usual losses"
OF_NETWORK = "the losses of the network"
ORDERS = "the orders of its arguments"


@dataclass
class Loss:
    """A loss of a network's inputs and target, and what it is if not a method.

    ``among``: of which losses one is to be assumed; empty where the file says which it is. ``fallback`` if it is to be
    assumed where nothing is right.
    """

    function: Callable
    words: str
    among: str = ""
    fallback: bool = False

    @property
    def assumed(self) -> bool:
        """Whether nobody says that it is this one."""
        return bool(self.among)


def losses(network: object, inputs: tuple[np.ndarray, ...], stage: Stage, but: str = "") -> Iterator[Loss]:
    """Yield the network's own loss, in each order that its arguments may be meant in; else the usual losses.

    ``but`` is the name of a method that is none of it.
    """
    made = prediction(network, inputs[0], stage, but) if len(inputs) == 2 else None
    for name in OWN:
        method = getattr(network, name, None)
        if name == but or not inspect.ismethod(method) or (made is not None and has_prediction(method)):
            continue
        if _is_loss_of_data(network, method, inputs, stage):
            yield Loss(method, "")
            return
    of_lists = list(_of_lists(network, inputs, stage, but))
    yield from of_lists
    if of_lists:
        return
    for index in _last_ones(network, getattr(network, made[1]), inputs[0], stage) if made is not None else ():
        yield from _of_prediction(network, getattr(network, made[1]), index, inputs, stage)
    predict = getattr(network, "predict", None)
    if len(inputs) == 2 and (made is None or made[1] == "predict") and inspect.ismethod(predict) and but != "predict":
        returned = _tried(predict, (inputs[0],), stage)
        if np.size(returned) and np.array_equal(returned, np.round(returned)):
            for soft, said in soft_predictions.of(predict, inputs[0], stage):
                yield from _of_prediction(network, soft, 0, inputs, stage, said)


def _of_lists(network: object, inputs: tuple[np.ndarray, ...], stage: Stage, but: str) -> Iterator[Loss]:
    """Yield the network's own losses of a list of sequences, for the list of one; which is meant, nobody says."""
    for name in OF_LISTS:
        method = getattr(network, name, None)
        if name == but or not inspect.ismethod(method) or len(inputs) != 2:
            continue

        def loss(x: np.ndarray, y: np.ndarray, method: Callable = method) -> object:
            return method([x], [y])

        own = Called(loss, method)
        if _is_loss_of_data(network, own, inputs, stage):
            yield Loss(own, f"{name} of a list of one", among=OF_NETWORK, fallback=True)


def _is_loss_of_data(network: object, method: Callable, inputs: tuple[np.ndarray, ...], stage: Stage) -> bool:
    """Return whether a method gives a number that depends on the network's arrays; cost(prediction, y) does not."""
    base = _tried(method, inputs, stage)
    if not is_number(base):
        return False
    if not np.isfinite(base):  # the logarithm of what is no probability
        inputs = tuple(np.clip(np.abs(x), *SHARES) if x.dtype.kind == "f" else x for x in inputs)
        base = _tried(method, inputs, stage)
    world = World([network], ["self"])
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
    network: object, predict: Callable, index: int, inputs: tuple[np.ndarray, ...], stage: Stage, said: str = ""
) -> Iterator[Loss]:
    x, y = inputs
    made, name = _at(_tried(predict, (x,), stage), index), said or f"what {predict.__name__} returns"
    if index:
        own = return_names(predict)
        name = f"{own[index] if index < len(own) and own[index] else f'value {index}'} of {name}"
    for called, look_up in _own(network):
        found = _in_its_orders(called, look_up, (predict, index, name), inputs, stage)
        if found:
            yield from found
            return
    count = count_of_examples(x, y)
    target = _in_rows(made, _as_prediction(made, y))
    for one in LOSSES:
        if (count == 1 and "{m}" in one.words) or not np.isfinite(one.value(made, target, count)):
            continue  # the same as the sum; or a logarithm of what is no probability

        def usual(x: np.ndarray, y: np.ndarray, loss: Callable = one.value) -> object:
            p = _at(predict(x), index)
            return loss(p, _in_rows(p, _as_prediction(p, y)), count_of_examples(x, y))

        words = f"{one.words.format(m=count)}, of {name}"
        yield Loss(Called(usual, predict, "loss"), words, among=USUAL, fallback=one.fallback)


def _own(network: object) -> Iterator[tuple[str, Callable]]:
    """Yield what may be the network's loss of predictions: what it is called, and a function that looks it up.

    It is looked up in each call: at each return to the start, the network gets another copy of what it holds.
    """
    for held in HELD:
        thing = getattr(network, held, None)
        for way in ("fn", "forward", "loss", "calculate", "__call__") if not isinstance(thing, FUNCTIONS) else ():
            if callable(getattr(thing, way, None)):
                called = f"self.{held}" + f".{way}" * (way != "__call__")
                yield called, lambda held=held, way=way: getattr(getattr(network, held), way)
    for name in dict.fromkeys((*OF_PREDICTIONS, *HELD)):
        if isinstance(getattr(network, name, None), FUNCTIONS):
            called = f"self.{name}" if name in vars(network) else name
            yield called, lambda name=name: getattr(network, name)


def _in_its_orders(
    called: str,
    look_up: Callable,
    made: tuple[Callable, int, str],
    inputs: tuple[np.ndarray, ...],
    stage: Stage,
) -> list[Loss]:
    """Return a function as a loss of what the network makes, one for each order that its arguments may be meant in."""
    predict, index, name = made
    arguments = needed(look_up())
    if len(arguments) == 1 and is_target(arguments[0]):
        of_target = _of_output(predict, index, lambda p, y: look_up()(y))
        given = is_number(_tried(of_target, inputs, stage))
        return [Loss(of_target, f"the loss is {called}, after {predict.__name__}")] if given else []
    found = {}
    for turned in orders(look_up()):
        loss = _of_output(predict, index, lambda p, y, turned=turned: prediction_first(look_up(), turned)(p, y))
        if is_number(value := _tried(loss, inputs, stage)):
            found[turned] = loss, value
    finite = {turned: one for turned, one in found.items() if np.isfinite(one[1])} or found
    if len({f"{value:.12g}" for _, value in finite.values()}) < 2:
        return [Loss(loss, f"the loss is {called} of {name}") for loss, _ in list(finite.values())[:1]]
    words = [f"{called}({', '.join(arguments[:2])}), with {arguments[turned]} for {name}" for turned in finite]
    losses = [loss for loss, _ in finite.values()]
    return [
        Loss(loss, said, among=ORDERS, fallback=not i) for i, (loss, said) in enumerate(zip(losses, words, strict=True))
    ]


def _of_output(predict: Callable, index: int, loss: Callable) -> Called:
    def own(x: np.ndarray, y: np.ndarray) -> object:
        return loss(_at(predict(x), index), y)

    return Called(own, predict, "loss")


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
