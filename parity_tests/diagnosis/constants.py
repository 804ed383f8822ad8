"""A value that forward computes and that is meant as a constant: an advantage, a target network's value.

It may be a constant in one use and not in another (the actor's loss multiplies by the advantage, the critic's squares
it), so each use is tried: the tape gives the gradient minus what the path through that use contributes.
"""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from parity_tests.diagnosis.lines.forward import Forward
from parity_tests.diagnosis.lines.gradients import same
from parity_tests.diagnosis.lines.learner import forward_on_the_tape
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError
from parity_tests.harness.report import AGAIN, Report
from scratch.tape import Node, NotFollowedError, Value

MOST_USES = 10
AS_USUAL = ", as it should be in a policy gradient: no gradient flows through it"
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
        if not note:
            _leave_out_what_is_right(learner, inputs, forward, node, report)
        return (f"{note}{AS_USUAL}" if note else ""), ""
    differentiated = {name for i, name in enumerate(learner.input_names(len(inputs))) if i in learner.reading.inputs}
    for one in forward.grads.contributions(node):
        if (
            one.user is not None
            and one.user.operation == "multiply"
            and len({edge.operand for edge in one.user.edges}) > 1
        ):
            lost = forward.tape.gradients(Value(node), one.grad)
            for other, word in forward.names.items():
                if word in differentiated and lost.contributions(other) and np.any(lost[other]):
                    return "", (
                        f"the gradient of {word} flows through {name} in {forward.word(one.user)}: it is forward's "
                        f"derivative, but {name}, which weights a policy gradient, is a constant; leave this path out"
                    )
    return "", ""


def _leave_out_what_is_right(
    learner: Learner, inputs: tuple[np.ndarray, ...], forward: Forward, node: Node, report: Report
) -> None:
    """Say of a wrong report which inputs' gradients are right with a value constant in one use, and leave them out."""
    fronts = learner.input_names(len(inputs))
    wrong = {forward.names[n]: (n, g) for n, g in got(learner, forward, inputs) if not same(g, forward.grads[n])}
    for use in _uses(forward, [node]):
        lost = forward.tape.gradients(Value(use.node), use.grad)
        right = [word for word, (n, g) in wrong.items() if word in fronts and same(g, forward.grads[n] - lost[n])]
        if right:
            names = {f"grad_input[{fronts.index(word)}]" for word in right}
            report.quantities = [q for q in report.quantities if q.name.removesuffix(AGAIN) not in names]
            of = " and ".join(right)
            report.notes.append(
                f"the gradient of {of} is right with {forward.names[node]} as a constant in {use.words}"
            )
            return


def settle(learner: Learner, inputs: tuple[np.ndarray, ...], names: tuple[str, ...]) -> tuple[str, str]:
    """Return a note if the gradients are right with the named values constant in some uses, else what is wrong.

    A name is settled already if it is an input, or an array that forward leaves alone. Several are tried together: the
    vectors of a spectral norm depend on each other.
    """
    fronts = learner.input_names(len(inputs))
    alone = {place.last for place, _ in learner.reading.constants} | set(fronts)
    alone |= {name for name, _ in learner.reading.beside} | set(learner.reading.outside) | _handed(learner)
    missing = [name for name in names if name not in alone]
    if not names:
        return "", ""
    try:
        forward = forward_on_the_tape(learner, inputs)
    except (NotFollowedError, LearnerRaisedError, TypeError, ValueError, AttributeError, LookupError) as error:
        if not missing:
            return "", ""
        said = f"cannot tell whether {missing[0]} is a constant: the tape does not follow forward ({error})"
        rewritten = missing[0] in {place.last for place, _ in learner.reading.state}
        return "", said + "; forward writes it anew: does it leave it alone in evaluation mode (--eval)?" * rewritten
    nodes = [n for n, word in forward.names.items() if n.edges and not set(names).isdisjoint(_names_of(word))]
    if not missing and not nodes:
        return "", ""
    if unknown := [name for name in missing if not any(name in _names_of(word) for word in forward.names.values())]:
        computed = ", ".join(sorted(set(forward.names.values())))
        raise NotUnderstoodError(f"--constant: forward computes no {unknown[0]}; it computes {computed}")
    found = list(got(learner, forward, inputs))
    if not missing and all(same(grad, forward.grads[n]) for n, grad in found):
        return "", ""
    uses = _uses(forward, nodes)
    for count in range(1, len(uses) + 1) if len(uses) <= MOST_USES else ():
        for cut in itertools.combinations(uses, count):
            lost = [forward.tape.gradients(Value(use.node), use.grad) for use in cut]
            if all(same(grad, forward.grads[n] - sum(grads[n] for grads in lost)) for n, grad in found):
                said = " and ".join(dict.fromkeys(use.words for use in cut))
                cut_names = " and ".join(dict.fromkeys(forward.names[use.node] for use in cut))
                return f"right with {cut_names} as a constant in {said}", ""
    listed = " and ".join(missing or names)
    return "", (
        f"{listed} is declared a constant, but treating it as one in any of its uses does not make the gradients right "
        "(is another value one, too? --constant NAME for each)"
    )


def _handed(learner: Learner) -> set[str]:
    """Return the names of what forward returns and backward takes under the same name: no gradient is asked of it."""
    found, made = learner.found, learner.plan.made
    return {p.name for p in found.parameters(found.backward)} & set(made.names) if made is not None else set()


class _Use(NamedTuple):
    node: Node
    grad: np.ndarray
    words: str


def _names_of(word: str) -> tuple[str, str]:
    return word, word.removeprefix("the later ").rpartition(".")[2]


def _uses(forward: Forward, nodes: list[Node]) -> list[_Use]:
    """Return the uses in which a value can be a constant, each with what it adds to the value's gradient.

    Where a constant is only a step on the way to another, as a vector before it is normalized, it is one in all of the
    other's computation or in none. Half of it is no function's gradient, and may by chance be that of a wrong layer.
    """
    users: dict[Node, list[Node]] = {}
    ends: dict[Node, set[Node | None]] = {}
    for node in reversed(forward.tape.nodes):
        for edge in node.edges:
            users.setdefault(edge.operand, []).append(node)
        after = [ends[user] for user in users.get(node, ())]
        ends[node] = {node} if node in forward.names else set().union(*after) if after else {None}
    found = []
    for node in nodes:
        within = []
        for one in forward.grads.contributions(node):
            if one.user is not None and ends[one.user] <= set(nodes):
                within.append(one)
            elif one.user is not None:
                found.append(_Use(node, one.grad, forward.word(one.user)))
        if within:
            words = " and ".join(dict.fromkeys(forward.word(one.user) for one in within))
            found.append(_Use(node, sum(one.grad for one in within), words))
    return found


def got(learner: Learner, forward: Forward, inputs: tuple[np.ndarray, ...]) -> Iterator[tuple[Node, np.ndarray]]:
    """Yield the values on the tape that backward gives a gradient of, with that gradient."""
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
