"""What our own files say of a wrong layer: the equation of the derivation, and the exhibit of the museum."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import scratch
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.harness.derivation import LABEL
from parity_tests.harness.report import AGAIN, Report
from scratch import nn

ALIAS = re.compile(r"B\d+[a-z]? grad_\w+ = grad_\w+ {2,}")  # it only gives the gradient another name
ROOT = Path(scratch.__file__).parents[1]


def sentences(
    name: str | None, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> list[str]:
    """Return what our derivation and our museum say of a wrong layer, if there is one of that name."""
    cls = _class(name)
    if cls is None or not report.differs:
        return []
    return [*_equations(cls, report), *_exhibits(cls, learner, report, args, inputs, seed)]


def _class(name: str | None) -> type | None:
    last = (name or "").rpartition(".")[2].replace("_", "").lower()
    found = [value for key, value in vars(nn).items() if isinstance(value, type) and key.lower() == last]
    return found[0] if found and last else None


def _equations(cls: type, report: Report) -> Iterator[str]:
    module = importlib.import_module(cls.__module__)
    file = Path(inspect.getfile(cls)).relative_to(ROOT)
    equations = _section(module.__doc__ or "", getattr(cls, "functions", (cls,))[0].__name__)
    said = set()
    for quantity in report.wrong:
        if "grad_" not in quantity.name or quantity.name.endswith(AGAIN):
            continue
        wanted = "grad_x" if quantity.name.startswith("grad_input") else quantity.name
        while wanted in equations and (quantity.name, wanted) not in said:
            said.add((quantity.name, wanted))
            text = " ".join(equations[wanted].split())
            yield f"{quantity.name} in our derivation, {file}: {text}"
            wanted = text.partition(" = ")[2].partition(" ")[0] if ALIAS.match(equations[wanted]) else ""


def _section(lesson: str, name: str) -> dict[str, str]:
    """Return the equations of backward under a function's name, by the gradient that they compute."""
    lines = lesson.splitlines()
    start = lines.index(name) + 1 if name in lines else 0
    found: dict[str, str] = {}
    for line in lines[start:]:
        if start and line and not line.startswith(" "):
            break
        if (match := LABEL.match(line)) and match["label"].startswith("B"):
            text = match["text"]
            found.setdefault(text.partition(" = ")[0].split()[-1], f"{match['label']} {text}")
    return found


def _exhibits(
    cls: type, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> Iterator[str]:
    from parity_tests.museum import EXHIBITS  # the museum imports this package

    wrong = [q for q in report.wrong if not q.name.endswith(AGAIN)]
    for exhibit in EXHIBITS if wrong else ():
        if exhibit.right is not cls or not isinstance(exhibit.wrong, type):
            continue
        try:
            found = _quantities(exhibit.wrong, learner, report, args, inputs, seed)
        except Exception:  # an exhibit that does not take these options says nothing
            continue
        if all(_same(found.get(q.name), q.got) for q in wrong):
            yield f"this is what the museum's “{exhibit.name}” gives: {exhibit.forgotten} (backprop mistakes)"
            return


def _quantities(
    cls: type, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> dict[str, np.ndarray]:
    options = dict(args[1])
    if "dtype" in inspect.signature(cls).parameters:
        options["dtype"] = inputs[0].dtype
    layer = cls(*args[0], **options).train(learner.training)
    state = {name: values for name, values in learner.state_dict().items() if name in layer.state_dict()}
    layer.load_state_dict(state, strict=False)
    scratch.manual_seed(seed)
    output = layer(*inputs)
    grads = report.suspects.grads
    grad = layer.backward(*[float(g) if np.ndim(g) == 0 else np.array(g) for g in grads])
    found = {"output": output, "grad_input": grad[0] if isinstance(grad, tuple) else grad}
    found |= {f"grad_{name}": parameter.grad for name, parameter in layer.named_parameters()}
    return found | {f"buffer {name}": values for name, values in layer.state_dict().items()}


def _same(found: np.ndarray | None, got: np.ndarray) -> bool:
    return found is not None and np.shape(found) == got.shape and np.allclose(found, got, rtol=1e-7, atol=1e-9)
