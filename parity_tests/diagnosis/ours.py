"""What our own files say of a wrong layer: the equations of the derivation, and the exhibit of the museum."""

import contextlib
import inspect
from collections.abc import Iterator

import numpy as np

import scratch
from parity_tests.diagnosis import equations
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.harness.calls import recorded_calls
from parity_tests.harness.derivation import Derivation
from parity_tests.harness.report import AGAIN, Report
from parity_tests.harness.trace import derivation_of
from scratch import nn


def sentences(
    name: str | None, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> list[str]:
    """Return what our derivation and our museum say of a wrong layer, if there is one of that name."""
    cls = _class(name)
    if cls is None or not report.differs:
        return []
    derivation = _derivation(cls, learner, report, args, inputs, seed)
    said = equations.sentences(derivation, report) if derivation is not None else []
    return [*said, *_exhibits(cls, learner, report, args, inputs, seed)]


def _class(name: str | None) -> type | None:
    last = (name or "").rpartition(".")[2].replace("_", "").lower()
    found = [value for key, value in vars(nn).items() if isinstance(value, type) and key.lower() == last]
    return found[0] if found and last else None


def _derivation(
    cls: type, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> Derivation | None:
    # A layer may have several, as batch norm has in training and in evaluation: we want the one that it runs here.
    with recorded_calls() as calls, contextlib.suppress(Exception):
        _quantities(cls, learner, report, args, inputs, seed)
    own = [call for call in calls if call.functions[0].__module__ == cls.__module__]
    return derivation_of(own[0].name, cls.__module__) if own else None


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
        is_right = all(_same(found.get(q.name), q.expected) for q in wrong)
        if not is_right and all(_same(found.get(q.name), q.got) for q in wrong):
            yield f"this is what the museum's “{exhibit.name}” gives: {exhibit.forgotten} (backprop mistakes)"
            return


def _quantities(
    cls: type, learner: Learner, report: Report, args: tuple[list, dict], inputs: tuple, seed: int
) -> dict[str, np.ndarray]:
    options = dict(args[1])
    if "dtype" in inspect.signature(cls).parameters:
        options["dtype"] = inputs[0].dtype if inputs[0].dtype.kind == "f" else np.dtype(np.float64)  # indices
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
