"""The gradients of hidden layers among what backward returns, such as dA1 beside dW1, compared with those of the tape.

They are compared where they carry a layer's number, forward has a value of that name, and the tape finds the gradients
of the parameters as backward does.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.constants import got
from parity_tests.diagnosis.lines.forward import Forward
from parity_tests.diagnosis.lines.gradients import before, same
from parity_tests.diagnosis.lines.learner import forward_on_the_tape
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from scratch.tape import Node, NotFollowedError


@dataclass
class Hidden:
    """What there is to say about them."""

    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def compare(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Hidden:
    """Compare what can be, and strike it off what the reading says was not compared."""
    numbered = [name for name in learner.reading.strays if re.search(r"\d$", name)]
    if not numbered or learner.dtype != "float64":
        return Hidden()
    try:
        forward = forward_on_the_tape(learner, inputs)
        if not _finds_the_parameters(forward, learner, inputs):
            return Hidden()
        returned = _returned(forward, learner, inputs)
    except (NotFollowedError, LearnerRaisedError, TypeError, ValueError, AttributeError, LookupError):
        return Hidden()
    meant = {name: nodes for name in numbered if (nodes := _meant(forward, name))}
    learner.reading.strays = [name for name in learner.reading.strays if name not in meant]
    return _told(learner, inputs, forward, {name: (returned[name], nodes) for name, nodes in meant.items()})


def _told(
    learner: Learner,
    inputs: tuple[np.ndarray, ...],
    forward: Forward,
    found: dict[str, tuple[np.ndarray, list[Node]]],
) -> Hidden:
    right, of = _right(forward, found, 1), ""
    axis = learner.example_axes(inputs)[0]
    count = inputs[0].shape[axis] if axis is not None else 1
    if forward.scalar is not None and count > 1:
        # By the convention of some courses, the 1/m of the loss is put in for the parameters alone.
        summed = _right(forward, found, count)
        if len(summed) > len(right):
            right, of = summed, f" of the loss summed over the {count} examples"
    back, told = learner.found.backward_name, Hidden()
    if right:
        told.notes.append(f"{', '.join(right)} of what {back} returns: the tape finds the same gradients{of}")
    for name in [name for name in found if name not in right]:
        values, (node, *_) = found[name]
        said = f"has shape {values.shape}, expected {node.data.shape}" if values.shape != node.data.shape else "differs"
        told.faults.append(f"{name} of what {back} returns {said}: the tape finds another gradient{of}")
    return told


def _right(forward: Forward, found: dict[str, tuple[np.ndarray, list[Node]]], count: int) -> list[str]:
    """Return the names of what is right if the gradients are meant to be ``count`` times those of the tape."""
    return [name for name, (values, nodes) in found.items() if any(_is(values / count, forward, n) for n in nodes)]


def _meant(forward: Forward, name: str) -> list[Node]:
    """Return what forward has called by the name of which this is the gradient; nothing if a loop has several."""
    owners = words.undressed(_last(name))
    keys = [key for key in forward.bound if any(words.alike(key, one) for one in owners)]
    found = list(dict.fromkeys(node for key in keys for node in forward.bound[key]))
    filled = {before(node) for node in found if node.operation == "setitem"}
    found = [node for node in found if node not in filled]
    return found if len(found) == 1 or not forward.fills else []


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _finds_the_parameters(forward: Forward, learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    parameters = {forward.named(one.own_name) for one in learner.reading.learned}
    found = [(node, grad) for node, grad in got(learner, forward, inputs) if node in parameters]
    return bool(found) and all(_is(grad, forward, node) for node, grad in found)


def _returned(forward: Forward, learner: Learner, inputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    learner.forward(*inputs)
    leaves = learner.plan.backward(tuple(learner.plan.undressed(grad) for grad in forward.upstream))
    return {name: np.asarray(values * learner.plan.factor) for name, values in leaves.items() if values is not None}


def _is(values: np.ndarray, forward: Forward, node: Node) -> bool:
    true = forward.grads[node]
    return same(values, true) or (values.shape == true.shape and not np.any(values) and not np.any(true))
