"""A loss that leaves out examples of a certain class, as PyTorch's ``ignore_index`` does: some targets are drawn as it.

The value is one that the code compares something with, or that is held under a telling name. It counts if forward does
leave out the examples: then predictions for them have no influence on the loss, and must get a gradient of zero.
"""

import ast
import re
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.reading import holders
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import outputs, repeat
from parity_tests.diagnosis.request import Request
from parity_tests.harness.report import Report

TELLING = re.compile(r"ignore|pad|void|skip|blank|unlabel", re.I)
EVERY = 3
"""One of so many targets is drawn as the ignored class."""
ADVICE = "an ignored example adds nothing to the loss: its gradient is zero, and a mean is taken over the others"


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, request: Request, names: set[str]
) -> Iterator[str | Report]:
    """Yield a report on what differs if some targets are the ignored class, or that nothing does."""
    for target in _targets(learner, inputs):
        for value in _values(learner, request, target):
            drawn = np.array(inputs[target])
            drawn.flat[::EVERY] = value
            changed = (*inputs[:target], drawn, *inputs[target + 1 :])
            if getattr(theirs, "ignore_index", None) != value and not _are_left_out(learner, changed, target, value):
                continue
            try:
                report = repeat(learner, theirs, changed, request.seed, names)
            except LearnerRaisedError as error:
                report = Report(learner.title, faults=[str(error)])
            if report.differs:
                report.title += f", every third target {value}, which is ignored"
                report.suspects = lambda _: [ADVICE]
                yield report
            yield f"They agree with targets of {value}, which are ignored, too."


def _targets(learner: Learner, inputs: tuple) -> list[int]:
    """Return the inputs that may be classes: whole numbers, drawn for --target or as indices, one per prediction."""
    whole = [i for i, x in enumerate(inputs) if x.dtype.kind in "iu" and x.size > 1]
    return [] if learner.plan.onehot else [i for i in whole if list(_predictions(inputs, i))]


def _predictions(inputs: tuple, target: int) -> Iterator[tuple[int, int]]:
    """Yield the inputs that have the target's shape and an axis of classes besides, and that axis."""
    for i, scores in enumerate(inputs):
        for axis in sorted({1, scores.ndim - 1}) if scores.dtype.kind == "f" and scores.ndim > 1 else ():
            if inputs[target].shape == scores.shape[:axis] + scores.shape[axis + 1 :]:
                yield i, axis


def _are_left_out(learner: Learner, inputs: tuple, target: int, value: int) -> bool:
    """Return whether forward runs with some targets of a value, and the predictions for them have no influence."""
    chosen = inputs[target] == value
    for i, axis in _predictions(inputs, target):
        moved = np.array(inputs[i])
        by_class = np.moveaxis(moved, axis, -1)
        by_class[chosen] = nudged(by_class[chosen])
        try:
            if equal(outputs(learner, inputs), outputs(learner, (*inputs[:i], moved, *inputs[i + 1 :]))):
                return True
        except LearnerRaisedError:
            return False
        finally:
            learner.last = inputs
    return False


def _values(learner: Learner, request: Request, target: int) -> list[int]:
    """Return the whole numbers that may be an ignored class."""
    held, nodes = _held(learner), list(_own_code(learner, request))
    argument = learner.input_names(len(learner.last))[target]
    found = [value for node in nodes if TELLING.search(_name(node)) for value in _whole(node, held)]
    for node in nodes:
        if not isinstance(node, ast.Compare) or len(node.ops) > 1:
            continue
        left, right = _whole(node.left, held), _whole(node.comparators[0], held)
        if isinstance(node.ops[0], ast.Eq | ast.NotEq):
            found += left + right
        elif _name(node.left) and (_name(node.left) == argument or words.TARGETS.match(_name(node.left))):
            found += [value - 1 for value in right] + right  # target >= 0 leaves out -1, target > 0 leaves out 0
    return list(dict.fromkeys(found))


def _own_code(learner: Learner, request: Request) -> Iterator[ast.AST]:
    """Yield what the layer's classes and the file's functions consist of: another class may ignore another value."""
    own = {cls.__name__ for cls in type(learner.found.owner).__mro__}
    try:
        tree = ast.parse(request.path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return
    for part in tree.body:
        if isinstance(part, ast.FunctionDef) or (isinstance(part, ast.ClassDef) and part.name in own):
            yield from ast.walk(part)


def _held(learner: Learner) -> dict[str, list[int]]:
    """Return the whole numbers that the layer, its classes and its file hold, and forward's arguments, by name."""
    found: dict[str, list[int]] = {}
    seen: set[int] = set()

    def look(value: object, depth: int) -> None:
        for (_, key), child in holders.children(value, top=not depth):
            if isinstance(child, int | np.integer) and not isinstance(child, bool):
                found.setdefault(str(key), []).append(int(child))
            elif depth < 3 and id(child) not in seen and not isinstance(child, np.ndarray | float | str):
                seen.add(id(child))
                look(child, depth + 1)

    for root in learner.world.roots:
        look(root, 0)
    for parameter in learner.found.parameters(learner.found.forward):
        if isinstance(parameter.default, int) and not isinstance(parameter.default, bool):
            found.setdefault(parameter.name, []).append(parameter.default)
    return found


def _whole(node: ast.AST, held: dict[str, list[int]]) -> list[int]:
    if _name(node):
        return held.get(_name(node), [])
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return []
    return [value] if type(value) is int else []


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
