"""A value that forward computes and that is meant as a constant: an advantage, a target network's value.

It may be a constant in one use and not in another (the actor's loss multiplies by the advantage, the critic's squares
it), so each use is tried: the tape gives the gradient minus what the path through that use contributes.
"""

import itertools
import re
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.lines.forward import Forward, same
from parity_tests.diagnosis.lines.learner import forward_on_the_tape
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError
from parity_tests.harness.report import Report
from scratch.tape import NotFollowedError, Value

USUAL = re.compile(r"^(adv(antages?)?|td_?errors?|td_?targets?|baselines?)$", re.I)


def usual(learner: Learner, inputs: tuple[np.ndarray, ...], report: Report) -> tuple[str, str]:
    """Return a note or a fault about a value that is a constant wherever its name is used: an advantage."""
    if any(np.ndim(y) for y in learner.outputs) or not report.quantities:
        return "", ""
    try:
        forward = forward_on_the_tape(learner, inputs)
    except (NotFollowedError, LearnerRaisedError, TypeError, ValueError, AttributeError, IndexError, KeyError):
        return "", ""
    node, name = next(((n, w) for n, w in forward.names.items() if USUAL.match(w) and n.edges), (None, ""))
    if node is None:
        return "", ""
    if report.differs:
        note, _ = settle(learner, inputs, (name,))
        return (f"{note}, as it should be in a policy gradient: no gradient flows through it" if note else ""), ""
    for one in forward.grads.contributions(node):
        if (
            one.user is not None
            and one.user.operation == "multiply"
            and len({edge.operand for edge in one.user.edges}) > 1
        ):
            lost = forward.tape.gradients(Value(node), one.grad)
            for other, word in forward.names.items():
                if word in learner.input_names(len(inputs)) and lost.contributions(other) and np.any(lost[other]):
                    return "", (
                        f"the gradient of {word} flows through {name} in {forward.word(one.user)}: it is forward's "
                        f"derivative, but {name}, which weights a policy gradient, is a constant; leave this path out"
                    )
    return "", ""


def settle(learner: Learner, inputs: tuple[np.ndarray, ...], names: tuple[str, ...]) -> tuple[str, str]:
    """Return a note if the gradients are right with the named values constant in some use, else what is wrong."""
    fronts = learner.input_names(len(inputs))
    known = {place.last for place, _ in learner.reading.constants} | set(fronts)
    known |= {name for name, _ in learner.reading.beside} | set(learner.reading.outside)
    for name in [name for name in names if name not in known]:
        try:
            forward = forward_on_the_tape(learner, inputs)
        except (NotFollowedError, LearnerRaisedError) as error:
            said = f"cannot tell whether {name} is a constant: the tape does not follow forward ({error})"
            written = name in {place.last for place, _ in learner.reading.state}
            return "", said + "; forward writes it anew: does it leave it alone in evaluation mode (--eval)?" * written
        node = next((n for n, word in forward.names.items() if word == name), None)
        if node is None:
            held = ", ".join(sorted(set(forward.names.values())))
            raise NotUnderstoodError(f"--constant: forward computes no {name}; it computes {held}")
        found = list(_got(learner, forward, inputs))
        uses = [one for one in forward.grads.contributions(node) if one.user is not None]
        for count in range(1, len(uses) + 1):
            for cut in itertools.combinations(uses, count):
                lost = [forward.tape.gradients(Value(node), one.grad) for one in cut]
                if all(same(got, forward.grads[n] - sum(grads[n] for grads in lost)) for n, got in found):
                    said = " and ".join(forward.word(one.user) for one in cut)
                    return f"right with {name} as a constant in {said}", ""
        return (
            "",
            f"{name} is declared a constant, but treating it as one in any of its uses does not make the gradients "
            "right",
        )
    return "", ""


def _got(learner: Learner, forward: Forward, inputs: tuple[np.ndarray, ...]) -> Iterator[tuple[object, np.ndarray]]:
    outputs = learner.forward(*inputs)
    scalar = np.ndim(outputs[0] if isinstance(outputs, tuple) else outputs) == 0
    returned = learner.backward(*[float(g) if scalar else g for g in map(learner.plan.undressed, forward.upstream)])
    grads = returned if isinstance(returned, tuple) else (returned,)
    fronts = learner.input_names(len(inputs))
    nodes = {word: node for node, word in reversed(forward.names.items())}
    for name, grad in zip(fronts, grads, strict=False):
        if grad is not None and name in nodes:
            yield nodes[name], grad
    for one in learner.reading.learned:
        grad = learner.parameters[one.name].grad
        if grad is not None:
            yield nodes[one.own_name], one.view.back(grad, one.shape)
