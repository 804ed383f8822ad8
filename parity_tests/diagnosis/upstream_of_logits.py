"""A network that ends in a softmax or a sigmoid, and whose backward expects the upstream gradient of the logits, p - y.

That is right with a cross-entropy after it, and wrong with any other loss. It cannot be seen without the loss, so the
gradients differ, and what the caller would have to hand in is said.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity_tests.diagnosis.constants import got
from parity_tests.diagnosis.lines.forward import Forward
from parity_tests.diagnosis.lines.gradients import same
from parity_tests.diagnosis.lines.learner import forward_on_the_tape
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.harness.report import Report
from scratch.tape import Node, NotFollowedError, Value

LOSSES = {
    "softmax": ("the cross-entropy -sum(y log p)", "-np.sum(y * np.log(p))"),
    "sigmoid": ("the binary cross-entropy", "-np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))"),
}


def told(learner: Learner, report: Report, inputs: tuple[np.ndarray, ...], file: str) -> str:
    """Return what to hand in to a backward that is right for the gradient of the logits; nothing for any other."""
    gradients_alone = not any(q.name.startswith(("output", "buffer")) or q.fault for q in report.wrong)
    if not (report.differs and learner.parameters and gradients_alone):
        return ""
    try:
        forward = forward_on_the_tape(learner, inputs)
        found = list(got(learner, forward, inputs))
    except (NotFollowedError, LearnerRaisedError, TypeError, ValueError, AttributeError, LookupError):
        return ""
    if len(learner.outputs) != 1 or not learner.outputs[0].ndim:
        return ""
    made = np.asarray(learner.plan.undressed(learner.outputs[0]))
    axis = learner.example_axes(inputs)[0]
    count = inputs[0].shape[axis] if axis is not None else 1
    data = set(learner.input_names(len(inputs)))
    for node, activation in _before(forward, made):
        grads = forward.tape.gradients(Value(node), forward.upstream[0])
        for share in dict.fromkeys((1, count)):
            if all(same(grad * (1 if forward.names[n] in data else share), grads[n]) for n, grad in found):
                return _words(learner, forward.names.get(node, "the logits"), activation, share, axis or 0, file)
    return ""


def _before(forward: Forward, made: np.ndarray) -> Iterator[tuple[Node, str]]:
    """Yield the values of which the output is a softmax or a sigmoid, those with a name first."""
    for node in sorted(forward.tape.nodes, key=lambda one: one not in forward.names):
        if node.data.shape != made.shape:
            continue
        powers = np.exp(node.data)
        if any(np.allclose(powers / powers.sum(axis=axis, keepdims=True), made) for axis in range(made.ndim)):
            yield node, "softmax"
        elif np.allclose(powers / (1 + powers), made):
            yield node, "sigmoid"


def _words(learner: Learner, logits: str, activation: str, share: int, axis: int, file: str) -> str:
    (words, loss), found = LOSSES[activation], learner.found
    averaged = f", each parameter's as a mean over the {share} examples" if share > 1 else ""
    said = (
        f"-> {found.backward_name} leaves out the {activation}: its gradients are right for an upstream gradient of "
        f"{logits} in place of that of what {found.forward_name} returns{averaged}. The caller has to hand in p - y, "
        f"which is the gradient of {words} with respect to {logits}, and no other loss's"
    )
    wanted = [p for p in found.parameters(found.backward) if p.default is p.empty]
    if found.owner is None or len(wanted) != 1:
        return f"{said}. Check both together: a forward that returns the loss, and a backward that hands p - y in"
    name, stem = type(found.owner).__name__, Path(file).stem
    mean = f" / y.shape[{axis}]" if share > 1 else ""
    target = "one-hot" if activation == "softmax" else "binary"
    return f"""{said}. To check it so, as {stem}_loss.py with --target {target}:

import numpy as np
from {stem} import {name}


class WithLoss({name}):
    def loss(self, p, y):
        return {loss}{mean}

    def {found.backward_name}(self, p, y):
        return super().{found.backward_name}(p - y)"""
