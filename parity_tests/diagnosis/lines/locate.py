"""Backward's source with a remark beside each line, and the first wrong line in words."""

import inspect
import textwrap
import types
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.lines import made_of, operations, statements, wrong_layer
from parity_tests.diagnosis.lines.backward import RETURNED, Computed, TooLongError
from parity_tests.diagnosis.lines.first_wrong import FirstWrong
from parity_tests.diagnosis.lines.forward import LATER
from parity_tests.diagnosis.lines.gradients import cosine
from parity_tests.diagnosis.lines.learner import backward_by_lines, forward_on_the_tape
from parity_tests.diagnosis.lines.recognize import Recognized
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError, is_theirs
from parity_tests.harness.report import Report
from scratch.tape import Node, NotFollowedError

MAXIMA = ("amax", "max")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass
class Located:
    """Backward's source with a remark beside each line, and the first wrong line."""

    line: int = 0
    wrong: str = ""
    right: str = ""
    sure: bool = False
    remarks: dict[int, str] = field(default_factory=dict)
    text: str = ""


def located(learner: Learner, report: Report, inputs: tuple[np.ndarray, ...]) -> str:
    """Return the annotated source of backward, or why there is none."""
    if not any("grad_" in q.name for q in report.wrong):
        return ""
    if learner.averages:
        return "Lines are not looked at where gradients are means over the examples."
    try:
        return _locate(learner, inputs).text
    except TooLongError as error:
        return f"Cannot tell which line is wrong: {error}."
    except Exception as error:  # a failure here must not lose the report above
        return f"Cannot tell which line is wrong: {type(error).__name__}: {error}"


def _locate(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Located:
    try:
        forward = forward_on_the_tape(learner, inputs)
    except TooLongError:
        raise
    except NotFollowedError as error:
        return Located(text=f"Cannot tell which line is wrong: the tape does not follow forward ({error}).")
    except (LearnerRaisedError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        return Located(text=f"Cannot tell which line is wrong: forward does not run on the tape ({error}).")
    try:
        backward = backward_by_lines(learner, inputs, forward)
    except LearnerRaisedError as error:
        return Located(text=f"Cannot tell which line is wrong: {error}")
    found = verdict(Recognized(forward, backward))
    axis = learner.example_axes(inputs)[0]
    summed = axis is not None and found.right.startswith(f"this is {inputs[0].shape[axis]} times the gradient of ")
    if summed and any(
        found.wrong in (name, f"{found.wrong.partition('[')[0]}['{name}']") for name in learner.reading.strays
    ):
        # Right by the convention that the 1/m of the loss is put in for the parameters alone.
        return Located(text=f"Cannot tell which line is wrong: {found.wrong} is that of the loss's sum.")
    return found


def verdict(recognized: Recognized) -> Located:
    """Return the annotated source, with the first line that computes the gradient of nothing."""
    looked = FirstWrong(recognized)
    first = looked.find()
    handed = wrong_layer.handed(recognized, first) if first is not None else None
    first = handed or first
    said: dict[types.CodeType, dict[int, list[str]]] = {}
    for one in recognized.computed:
        shown = one is first or not one.is_argument
        if shown and one.follows and (one.words or one in looked.suspicious):
            words = one.words or "<- not the gradient of anything in forward"
            said.setdefault(one.function, {}).setdefault(one.line, []).append(words)
    code = recognized.backward.code if first is None else first.function
    found = Located()
    if first is not None:
        found.line, found.wrong = first.line, first.name
        found.right, found.sure = right(looked, first), looked.is_sure(first)
    if handed is not None:
        found.right, found.sure = wrong_layer.words(handed), True
    found.remarks = {n: "; ".join(_whole(words)) for n, words in said.get(code, {}).items()}
    found.text = _text(code, found, first) if is_theirs(code.co_filename) else ""
    return found


def _once(words: list[str]) -> list[str]:
    # A loop does the same with a value and with the later ones.
    return list({one.replace(LATER, ""): one for one in reversed(words)}.values())[::-1]


def _whole(words: list[str]) -> list[str]:
    # In a loop, parts add up to the whole.
    wholes = {one for one in words if one.startswith("the gradient of ")}
    return [w for w in _once(words) if w.removeprefix("part of ").partition(":")[0] not in wholes or w in wholes]


def _meant(recognized: Recognized, one: Computed) -> Node | None:
    # Of the values that a loop calls by one name, that whose gradient is nearest. A line that changes what was the
    # gradient of its name means another value.
    node, grads = recognized.meant(one), recognized.forward.grads
    versions = recognized.forward.versions(node) if node is not None else []
    others = [other.values for other in recognized.computed if other.name == one.name and other is not one]
    if len(versions) == 1 and any(recognized.forward.is_gradient(values, versions[0]) for values in others):
        return None
    fitting = [version for version in versions if version.data.size == one.values.size]
    nearest = max(fitting, key=lambda version: cosine(grads[version], one.values), default=None)
    return node if nearest is None and not recognized.forward.fills else nearest


def right(looked: FirstWrong, one: Computed) -> str:
    """Return what a wrong array is, and what it should be; "" if that cannot be told."""
    recognized, forward = looked.recognized, looked.forward
    node = recognized.end(one) or recognized.returned_as(one) or _meant(recognized, one)
    node = node or one.node or looked.instead.needed(one) or forward.multiple_of(one.values)
    if node is None and (part := looked.instead.needed_part(one)) is not None:
        return f"it should be {part.words}"
    if node is None and not forward.fills:  # a loop has gradients of any direction
        node = forward.closest(one.values)
    if node is None or not forward.grads.contributions(node):
        return ""
    said = []
    size = np.abs(forward.grads[node]).max(initial=0)
    for use in forward.grads.contributions(node):
        # The largest element that a softmax subtracts changes nothing: its path adds up to 0, and needs no line.
        nothing = use.user is not None and use.user.operation in MAXIMA and np.abs(use.grad).max() <= 1e-12 * size
        if use.user is not None and not nothing:
            said.append(operations.rule(use.user, use.place, forward.word, node))
    joined = " + ".join(_once(said))
    named = {node: forward.names[node]} | forward.names if node in forward.names else forward.names
    values = recognized.applied(one)
    values = values.reshape(node.data.shape) if values.size == node.data.size else values
    words = (
        made_of.multiple(values, forward.grads, node, forward.word(node))
        or one.words
        or made_of.describe(values, forward.grads, named, forward.same)
    )
    here = f"this is {words}; " if words else ""
    to_step = bool(recognized.backward.steps) and not one.is_returned and not recognized.is_stored(one)
    wanted = "the step should be along" if to_step else "it should be"
    return f"{here}{wanted} the gradient of {forward.word(node)}: {joined}" if joined else ""


def _called(one: Computed) -> str:
    if one.number is not None and statements.returns_several(one.function, one.line):
        ordinal = ORDINALS[one.number] if one.number < len(ORDINALS) else f"number {one.number + 1}"
        return f"the {ordinal} value that it returns"
    if one.name.startswith(RETURNED):
        return f"what it returns as {one.name.removeprefix(RETURNED)[1:-1]}"
    return "what it returns" if one.is_returned else one.name


def _text(code: types.CodeType, found: Located, first: Computed | None) -> str:
    try:
        source, start = inspect.getsourcelines(code)
    except OSError:
        return ""
    width = min(76, max(len(line.rstrip()) for line in source))
    shown = []
    for number, line in enumerate(textwrap.dedent("".join(source)).splitlines(), start):
        remark = found.remarks.get(number, "")
        mark = ">" if number == found.line else " "
        shown.append(f"{mark} {number:4}  {line.ljust(width)}  {remark}".rstrip())
    if not found.wrong:
        head = "Which line it is cannot be told: the remarks say what is a gradient, or a part of one."
        return "\n".join([head, "", *shown])
    head = f"The first wrong line is line {found.line}, {_called(first)}"
    if first.words.startswith("part of ") and statements.returns_a_name(code, first.line, first.number):
        head = f"Something is missing in what line {found.line} returns"
    elif not found.sure or not (found.right or first.is_returned):
        head = f"The first line that may be wrong is line {found.line}, {_called(first)}"
    head += f": {found.right}" if found.right else ": it is not the gradient of anything in forward"
    return "\n".join([f"{head}.", "", *shown])
