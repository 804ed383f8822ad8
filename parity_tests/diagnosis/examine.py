"""The whole of ``backprop check``: a file's layer, loss, optimizer or initializer is run, read and compared.

After the comparison on random numbers come further ones (`further`), then extreme ones (`extremes`); where forward
draws at random, its draws are held fixed for the gradients, and their distribution is compared (`randomness`).
"""

import contextlib
import dataclasses
import functools
import warnings
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import (
    against,
    extremes,
    float32_lines,
    further,
    gradient_clips,
    kinks,
    left_out,
    method_arguments,
    methods,
    optimizers,
    ours,
    own_steps,
    scalars,
    tensors,
    training_step,
    upstream_of_logits,
    usual_numbers,
)
from parity_tests.diagnosis import initializers as initializers_
from parity_tests.diagnosis.diagnose import Suspects
from parity_tests.diagnosis.lines import locate
from parity_tests.diagnosis.prepared import Prepared, prepare
from parity_tests.diagnosis.reading.loading import loaded, parse_args
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.harness.report import AGAIN, Report


def examine(request: Request) -> Verdict:
    """Run the file and compare; raise `NotUnderstoodError` if the request makes no sense."""
    stage = Stage(request.seed, request.dtype)
    if request.against is not None:
        against.named(request.against)
    literal = _literals(request)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), loaded(request.path, stage) as module:
            warnings.simplefilter("ignore")  # overflow is found below, and reported in words
            again = functools.partial(_examined, request, module, literal, stage)
            return float32_lines.settle(again(), request, module, again)
    except LearnerRaisedError as error:
        return Verdict(1, f"{error}{error.call}")


def _examined(request: Request, module: object, literal: tuple[list, dict], stage: Stage) -> Verdict:
    with stage("--args", reseed=True):
        args = parse_args("--args", request.args, module)
    recorded = _recorded(request, module, stage)
    if recorded is not None:
        status, text = recorded
        return Verdict(status, f"({request.path.name} was run)\n\n{text}")
    kind = _kind(request, module)
    if kind is not None:
        return kind(request, module, args, literal, stage)
    if not methods.is_named(module, request.names):
        return _compared(prepare(request, module, args, literal, stage))
    request = method_arguments.with_shape_of_target(request, module)
    request, method = methods.examine(request, module, args, stage)
    if method is None:
        request = dataclasses.replace(request, names=request.names.rpartition(".")[0])
        return _compared(prepare(request, module, args, literal, stage))
    return method.verdict or _compared(prepare(request, module, args, literal, stage, method))


def _literals(request: Request) -> tuple[list, dict]:
    text = request.args if request.torch_args is None else request.torch_args
    try:
        return parse_args("--args" if request.torch_args is None else "--torch-args", text)
    except NotUnderstoodError:
        if request.against is None or request.torch_args is None:
            return [], {}
        raise


def _recorded(request: Request, module: object, stage: Stage) -> tuple[int, str] | None:
    """Return the status and the report on a class of numbers or arrays that record their operations."""
    name, _, method = request.names.partition(".")
    thing = getattr(module, name, None)
    if request.against is not None or request.args:
        return None
    if not method and scalars.is_scalar(thing):
        return scalars.examine(thing, stage)
    return tensors.examine(thing, stage, method) if tensors.is_tensor(thing) else None


def _kind(request: Request, module: object) -> Callable | None:
    name = request.against or ""
    thing = getattr(module, request.names.split(",")[0].split(".")[0], None)
    if name.startswith("torch.optim.") or (not name and optimizers.is_optimizer(thing)):
        return optimizers.examine
    if (
        not name
        and training_step.method(thing)
        and (
            request.names.endswith(training_step.method(thing))
            or not ("." in request.names or hasattr(thing, "backward"))
        )
    ):
        return training_step.examine
    if name.startswith("torch.nn.init."):
        return initializers_.examine
    if not name and "." not in request.names:
        optimizers.refuse_without_twin(thing)
    return None


def _compared(prepared: Prepared) -> Verdict:
    report, left = usual_numbers.compare(prepared)
    folder = prepared.request.path.resolve().parent
    clips = (
        gradient_clips.find(prepared.learner, prepared.inputs, folder) if report.wrong and not report.faults else None
    )
    if clips is None:
        return _verdict(prepared, report, left)
    with clips.left_out():
        prepared.notes.append(clips.words)
        report, left = usual_numbers.compare(prepared)
        report.agreement = report.agreement.replace("All agree", "All agree, before they are clipped", 1)
        return _verdict(prepared, report, left)


def _verdict(prepared: Prepared, report: Report, left: left_out.LeftOut | None) -> Verdict:
    return _compare_further(prepared, report, left) if report.ok else _explained(prepared, report, left)


def _explained(prepared: Prepared, report: Report, left: left_out.LeftOut | None) -> Verdict:
    """Return the verdict on a layer that differs on the usual numbers, or where something was not compared."""
    learner, theirs, inputs, request = prepared.learner, prepared.theirs, prepared.inputs, prepared.request
    overflow = extremes.overflow(learner, theirs, inputs)
    if overflow:
        undecided = {q.name for q in report.quantities if q.nothing_decided}
        report.quantities = [q for q in report.quantities if not {q.name, q.name.removesuffix(AGAIN)} & undecided]
        report.faults.append(overflow)
    of_logits = upstream_of_logits.told(learner, report, inputs, request.path.name) if not (overflow or left) else ""
    if of_logits:
        report.suspects = lambda report: []
    text = str(report)
    unused = [one for one in learner.reading.learned if not one.moves]
    # If the mistake is in forward, backward's lines would be blamed for it; a Jacobian's are no gradients.
    suspects = report.suspects
    in_forward = isinstance(suspects, Suspects) and (suspects.right_for_forward or suspects.forward_is_rounded)
    elsewhere = bool(overflow or unused or learner.jacobian or in_forward or left)
    located = locate.located(learner, report, inputs) if report.differs and not elsewhere else ""
    own = (
        ours.sentences(request.against, learner, report, prepared.literal, inputs, request.seed) if not overflow else []
    )
    parts = [text, of_logits or located, "\n".join(f"-> {sentence}" for sentence in own)]
    return Verdict(1, "\n\n".join(part for part in parts if part), [report], learner)


def _compare_further(prepared: Prepared, report: Report, left: left_out.LeftOut | None) -> Verdict:
    """Compare further what agrees on the usual numbers, and return the verdict."""
    learner, theirs, inputs, request = prepared.learner, prepared.theirs, prepared.inputs, prepared.request
    reports = [report]
    said: list[str] = []

    def failed(*faults: str) -> Verdict:
        report.agreement = "On these numbers they agree."
        return Verdict(1, "\n".join([str(report), *said, *faults]), reports, learner)

    with left.as_zero() if left is not None else contextlib.nullcontext():
        for further_one in further.compare(learner, theirs, inputs, request, report):
            if isinstance(further_one, Report):
                further_one.read, further_one.notes = [], []  # said already
                reports.append(further_one)
                return failed("", str(further_one))
            said.append(further_one)
    if theirs is None and not request.range and (paid := kinks.paid_twice(learner, inputs)):
        return failed(paid)
    stepped, fault = own_steps.compare(learner, inputs)
    said += [stepped] * bool(stepped)
    if fault:
        return failed(fault)
    found_faults, found_notes = extremes.look(learner, theirs, inputs, prepared.target, request)
    said += [f"note: {note}" for note in found_notes]
    if found_faults:
        return failed(*found_faults)
    return Verdict(0, "\n".join([str(report), *said]), reports, learner)
