"""The whole of ``backprop check``: a file's layer, loss, optimizer or initializer is run, read and compared.

After the comparison on random numbers come further ones (`further`), then extreme ones (`extremes`); where forward
draws at random, its draws are held fixed for the gradients, and their distribution is compared (`randomness`).
"""

import contextlib
import dataclasses
import warnings
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import (
    against,
    coarseness,
    constants,
    conventions,
    dictionaries,
    extremes,
    fitting,
    further,
    kinks,
    left_out,
    methods,
    optimizers,
    ours,
    own_steps,
    randomness,
    scalars,
    target_in_backward,
    target_shapes,
    targets,
    training_step,
    trial_inputs,
)
from parity_tests.diagnosis import initializers as initializers_
from parity_tests.diagnosis.diagnose import Suspects
from parity_tests.diagnosis.lines import locate
from parity_tests.diagnosis.reading import conversions
from parity_tests.diagnosis.reading import find as finding
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.loading import loaded, parse_args
from parity_tests.diagnosis.reading.of_functions import is_pair
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.harness import arrays
from parity_tests.harness.compare import check
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
            with stage("--args", reseed=True):
                args = parse_args("--args", request.args, module)
            thing = getattr(module, request.names, None)
            if request.against is None and not request.args and scalars.is_scalar(thing):
                status, text = scalars.examine(thing, stage)
                return Verdict(status, f"({request.path.name} was run)\n\n{text}")
            kind = _kind(request, module)
            if kind is not None:
                return kind(request, module, args, literal, stage)
            if not methods.is_named(module, request.names):
                return _examine_layer(request, module, args, literal, stage)
            method = methods.examine(request, module, args, stage)
            if method is None:
                request = dataclasses.replace(request, names=request.names.rpartition(".")[0])
                return _examine_layer(request, module, args, literal, stage)
            return method.verdict or _examine_layer(request, module, args, literal, stage, method)
    except LearnerRaisedError as error:
        return Verdict(1, str(error))


def _literals(request: Request) -> tuple[list, dict]:
    text = request.args if request.torch_args is None else request.torch_args
    try:
        return parse_args("--args" if request.torch_args is None else "--torch-args", text)
    except NotUnderstoodError:
        if request.against is None or request.torch_args is None:
            return [], {}
        raise


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


def _examine_layer(
    request: Request,
    module: object,
    args: tuple[list, dict],
    literal: tuple[list, dict],
    stage: Stage,
    method: methods.Method | None = None,
    within: str = "",
) -> Verdict:
    theirs = None
    if not request.inputs:
        raise NotUnderstoodError("--input SHAPE is needed: the shape of the input, such as --input 4,3")
    inputs, target = targets.draw(request, arrays.array)
    options = Options(
        training=request.training,
        target=target,
        torch_order=request.against is not None and len(inputs) == 2,
        columns=request.columns and request.against is not None,
        in_columns=request.columns and request.against is None,
        file=request.path.name,
    )
    if request.against is not None:
        theirs = against.built(request.against, literal)
        theirs = theirs.train(request.training) if hasattr(theirs, "train") else theirs
        request, inputs, within = fitting.within_domain(request, theirs, inputs)
        inputs, theirs = fitting.fitted(request, options, theirs, inputs)
    found = method.found if method is not None else _found(request, module, args, options, stage)
    if method is None and theirs is None:
        request, method, inputs = dictionaries.completed(request, found, options, inputs, stage)
        options.target = options.target if method is None else 1
    if method is None and theirs is None:
        request, method, inputs = target_in_backward.completed(request, found, options, inputs, stage)
    found = method.found if method is not None else found
    request, assumed = fitting.completed(request, found, options)
    assumed = [*assumed, *method.said] if method is not None else assumed
    request, shaped = target_shapes.completed(request, found, options, inputs, stage)
    assumed = [*assumed, *shaped]
    options.classes = request.target_shape[1] if request.target == "classes" and request.target_shape else 0
    if shaped or (assumed and method is None):
        inputs, options.target = targets.draw(request, arrays.array)
    try:
        learner, inputs, drawn = trial_inputs.read_on_trial_inputs(request, found, inputs, options, stage, theirs)
    except LearnerRaisedError as error:
        refused = conversions.refusal(found, request.args, inputs, request.path.name, error)
        if refused is None:
            raise
        raise refused from error
    if theirs is None and request.range is None and trial_inputs.runs_on_shares_alone(learner, inputs, options.target):
        request = dataclasses.replace(request, range=trial_inputs.SHARES)
        return _examine_layer(request, module, args, literal, stage, method, "forward gives NaN for others")
    notes = [f"the inputs were drawn between 0 and 1: {within} (see --range)"] if within else []
    notes += [*assumed, *drawn]
    if randomness.is_random(learner, theirs, inputs):
        notes += randomness.compare(learner, theirs, inputs, request.seed)
        theirs = None
    elif theirs is not None:
        theirs, said = targets.same_reduction(learner, theirs, inputs)
        notes += said
    faults = targets.broadcast(learner, inputs, request) if len(inputs) == 2 else []
    faults += targets.shuffled(learner, inputs, options.target)
    learner, inputs, said_of_rows = targets.rows_that_sum_to_one(
        learner, theirs, inputs, request, found, options, stage
    )
    inputs, said_of_probabilities = targets.probabilities(learner, inputs, request)
    notes += [*said_of_rows, *said_of_probabilities]
    if theirs is None and np.ndim(learner.outputs[0]) == 0:
        inputs, smaller = coarseness.smaller_weights(learner, inputs, targets.others(request, inputs))
        notes += [smaller] * bool(smaller)
    report = _compared(learner, theirs, inputs, request, notes)
    report.faults += faults
    if faults:
        report.quantities = [q for q in report.quantities if not faults or q.ok]
    if report.differs and theirs is None and conventions.means_over_columns(learner, report, inputs):
        learner.averages = True
        report = _compared(learner, None, inputs, request, [*notes, conventions.MEANS])
    if report.differs and theirs is None and (summed := conventions.sum_for_data(learner, report, inputs)):
        learner.data_summed = True
        report = _compared(learner, None, inputs, request, [*notes, conventions.SUM])
        report.agreement = f"All agree, with {summed}."
    left = left_out.find(learner, inputs, request) if report.wrong and theirs is None and not report.faults else None
    if left is not None and left.guards_logarithm:
        with left.as_zero():
            report = _compared(learner, None, inputs, request, [*notes, left.words])
        report.agreement = f"All agree, with {left.name} taken as 0."
    elif left is not None:
        report.suspects = lambda report: [left.words]
    reports = [report]
    note, fault = constants.settle(learner, inputs, request.constants)
    if theirs is None and not request.constants:
        note, fault = constants.usual(learner, inputs, report)
    if note:
        report.quantities = [q for q in report.quantities if q.ok and not q.name.endswith(AGAIN)]
        report.notes.append(note)
    elif fault:
        report.faults.append(fault)
    if not report.quantities and not report.faults:
        report.unseen.append("nothing was compared: backward gives no gradient of anything that the output depends on")
    if not report.ok:
        overflow = extremes.overflow(learner, theirs, inputs)
        if overflow:
            report.quantities = [q for q in report.quantities if not q.nothing_decided]
            report.faults.append(overflow)
        text = str(report)
        unused = [one for one in learner.reading.learned if not one.moves]
        # If the mistake is in forward, backward's lines would be blamed for it; a Jacobian's are no gradients.
        forward_alone = isinstance(report.suspects, Suspects) and report.suspects.right_for_forward
        elsewhere = bool(overflow or unused or learner.jacobian or forward_alone or left)
        located = locate.located(learner, report, inputs) if report.differs and not elsewhere else ""
        own = ours.sentences(request.against, learner, report, literal, inputs, request.seed) if not overflow else []
        parts = [text, located, "\n".join(f"-> {sentence}" for sentence in own)]
        return Verdict(1, "\n\n".join(part for part in parts if part), reports, learner)
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
    found_faults, found_notes = extremes.look(learner, theirs, inputs, target, request)
    said += [f"note: {note}" for note in found_notes]
    if found_faults:
        return failed(*found_faults)
    return Verdict(0, "\n".join([str(report), *said]), reports, learner)


def _compared(
    learner: Learner, theirs: Callable | None, inputs: tuple[np.ndarray, ...], request: Request, notes: list[str]
) -> Report:
    report = check(learner, theirs, *inputs, seed=request.seed, strict=False)
    report.read.insert(0, f"({request.path.name} was run)")
    report.notes += notes
    return report


def _found(request: Request, module: object, args: tuple[list, dict], options: Options, stage: Stage) -> finding.Found:
    # For functions, --args are forward's further arguments.
    thing = getattr(module, request.names.split(",")[0].split(".")[0], None)
    functions = "," in request.names or (
        callable(thing) and not isinstance(thing, type) and not hasattr(thing, "forward")
    )
    functions = functions and finding.owner_of_method(module, request.names.split(",")[0]) is None
    if functions and args[1] and not args[0]:
        options.extras = dict(args[1])
        args = ([], {})
    elif functions and request.against is not None and is_pair(module, request.names):
        args = ([], {})  # PyTorch's
    found = finding.find(module, request.names, args, stage, request.path.name)
    if options.extras:
        options.extras = found.hand(options.extras)
    return found
