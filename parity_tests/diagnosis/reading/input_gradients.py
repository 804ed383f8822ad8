"""Decide which array that backward returned or wrote is the gradient of which input."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading import tied
from parity_tests.diagnosis.reading.moving import drawn
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import Plan
from parity_tests.diagnosis.reading.shapes import fits
from parity_tests.diagnosis.reading.source import Source
from parity_tests.diagnosis.reading.trials import Trials

INPUT_GRADIENTS = words.listed(
    "dinputs dinput dx dX dA dA_prev grad_input grad_inputs input_gradient grad_x dZ_prev din d_input d_inputs d_x "
    "input_grad gradient_input delta_prev dprev grad_in dI"
)


def named(trials: Trials, constants: tuple[str, ...], leaves: dict[str, np.ndarray]) -> set[str]:
    """Return the leaves named as the gradient of an input, and of its shape: db of ``forward(a, b)``."""
    plan, inputs = trials.plan, trials.inputs
    found = set()
    for i, name in enumerate(plan.input_names(len(inputs))):
        if inputs[i].dtype.kind == "f" and i != plan.options.target and name not in constants:
            shape = np.shape(plan.dressed(inputs[i], i))
            found |= {
                n for n, v in leaves.items() if v.shape == shape and name in words.undressed(n.rpartition(".")[2])
            }
    return found


def without_others(
    trials: Trials,
    leaves: dict[str, np.ndarray | None],
    free: dict[str, np.ndarray],
    slope: Callable[[Place | int, np.ndarray], float],
) -> dict[str, np.ndarray]:
    """Return the gradients among what is returned with a loss: (loss, dWh, dbh, h) has the last hidden state, too.

    Beside others that are called gradients, what is not is one only if its numbers are those of an input's gradient.
    """
    plan = trials.plan
    if not plan.returns_gradients or not any(map(_is_marked, leaves)):
        return free
    return {name: values for name, values in free.items() if _is_marked(name) or is_right(trials, values, slope)}


def is_right(trials: Trials, values: np.ndarray, slope: Callable[[Place | int, np.ndarray], float]) -> bool:
    """Return whether an array is an input's gradient by its numbers; that of a network's data may lack the 1/m."""
    for i, x in enumerate(trials.inputs):
        if x.dtype.kind == "f" and x.shape == values.shape:
            along = drawn(x, seed=7)
            true, found = slope(i, along), (values * along).sum() * float(trials.plan.factor)
            counts = (1, *x.shape) if trials.plan.found.of_data else (1,)
            if any(abs(found - count * true) <= tied.CLOSE * (1 + abs(true)) for count in counts):
                return True
    return False


def _is_marked(name: str) -> bool:
    return any(words.undressed(part) or words.UPSTREAM.match(part) for part in name.split("."))


def assign(
    plan: Plan,
    inputs: tuple[np.ndarray, ...],
    constants: tuple[str, ...],
    leaves: dict[str, np.ndarray],
    written: dict[Place, np.ndarray],
) -> dict[int, Source]:
    """Return where the gradient of each input is, among the ``leaves`` and what was ``written``."""
    names = plan.input_names(len(inputs))
    order = [i for i in plan.order if inputs[i].dtype.kind == "f" and names[i] not in constants]
    target = plan.options.target
    order = [i for i in order if i != target]
    shapes = {i: np.shape(plan.dressed(inputs[i], i)) for i in order}
    later = _later_input(plan, {i: names[i] for i in _likely(order, names)}, shapes, leaves)
    if later is not None:
        return {later: Source(leaf=next(iter(leaves)))}
    found: dict[int, Source] = {}
    left = dict(leaves)
    for i in order:
        name = next((n for n in left if names[i] in words.undressed(n.rpartition(".")[2])), None)
        if name is not None and len(leaves) > 1:
            found[i] = Source(leaf=name)
            left.pop(name)
    for i, name in _by_ending({i: names[i] for i in order if i not in found}, left).items():
        found[i] = Source(leaf=name)
        left.pop(name)
    waiting = [i for i in order if i not in found]
    likely = _likely(waiting, names)
    for name in [n for n in left if n.rpartition(".")[2] in INPUT_GRADIENTS]:
        at = next((i for i in likely if i not in found), None)
        if at is not None and len(leaves) > 1:
            found[at] = Source(leaf=name)
            left.pop(name)
    waiting = [i for i in likely if i not in found]
    if left and waiting:
        if not found and (len(leaves) == 1 or len(left) >= len(waiting)):
            for i, name in zip(waiting, list(left), strict=False):
                if len(leaves) == 1 or fits(left[name].shape, shapes[i]) or len(leaves) == len(order):
                    found[i] = Source(leaf=name)
                    left.pop(name)
        for i in [i for i in waiting if i not in found]:
            name = next((n for n in left if left[n].shape == shapes[i]), None)
            if name is not None and len(leaves) > 1:
                found[i] = Source(leaf=name)
                left.pop(name)
    for i in [i for i in likely if i not in found]:
        by_name = [p for p in written if names[i] in words.undressed(p.last) or p.last in INPUT_GRADIENTS]
        by_name = [p for p in by_name if p not in {s.place for s in found.values()} and len(p.steps) == 1]
        if by_name and not leaves:
            found[i] = Source(place=by_name[0])
    return found


def _later_input(
    plan: Plan, names: dict[int, str], shapes: dict[int, tuple], leaves: dict[str, np.ndarray]
) -> int | None:
    """Return the input, not the first, whose gradient is the only one of a loss: W of grad(X, y, W); X is data.

    It is the only one of the gradient's shape, or of those the weight by its name. A layer's only gradient is its first
    input's.
    """
    of_loss = plan.outputs[0].ndim == 0 and (plan.convention != "upstream" or plan.returns_gradients)
    if len(leaves) != 1 or len(names) < 2 or not of_loss:
        return None
    ((leaf, values),) = leaves.items()
    first, *others = names
    fitting = [i for i in others if shapes[i] == values.shape and not words.MAYBE_TARGETS.match(names[i])]
    weights = [i for i in fitting if words.meaning(names[i]) in ("weight", "bias")]
    if shapes[first] == values.shape:
        named = [i for i in weights if names[i] in words.undressed(leaf.rpartition(".")[2])]
        return named[0] if len(named) == 1 and words.DATA.match(names[first]) else None
    return next((some[0] for some in (fitting, weights) if len(some) == 1), None)


def _likely(waiting: list[int], names: list[str]) -> list[int]:
    """Return the inputs that may have a gradient, by their names: not a target, nor y beside a prediction."""
    patterns = [words.TARGETS]
    if any(words.PREDICTIONS.match(names[i]) for i in waiting):
        patterns.append(words.MAYBE_TARGETS)
    return [i for i in waiting if not any(pattern.match(names[i]) for pattern in patterns)] or waiting


def _by_ending(names: dict[int, str], leaves: dict[str, np.ndarray]) -> dict[int, str]:
    """Return which gradient is called as the end of one input's name, and of no other's: dLogVar of t_log_var."""
    found: dict[int, list[str]] = {}
    for leaf in leaves if len(names) > 1 else ():
        owners = words.undressed(leaf.rpartition(".")[2])
        fitting = [i for i, name in names.items() if any(words.ends_alike(name, one) for one in owners)]
        if len(fitting) == 1:
            found.setdefault(fitting[0], []).append(leaf)
    return {i: some[0] for i, some in found.items() if len(some) == 1}
