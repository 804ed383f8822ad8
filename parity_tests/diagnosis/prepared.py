"""What is compared: the learner's layer as it was read, PyTorch's if there is one, and the inputs that suit both."""

import dataclasses
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import (
    against,
    coarseness,
    dictionaries,
    filled_arrays,
    fitting,
    layers_on_tensors,
    losses_of_data,
    methods,
    one_hot_rows,
    randomness,
    target_in_backward,
    target_shapes,
    targets,
    trial_inputs,
)
from parity_tests.diagnosis.reading import conversions
from parity_tests.diagnosis.reading import find as finding
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.of_functions import is_pair
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays


@dataclasses.dataclass
class Prepared:
    """A layer that was read, and what it is compared with and on.

    Attributes
    ----------
    learner : Learner
    theirs : callable or None
        PyTorch's; None for finite differences.
    inputs : tuple of numpy.ndarray
    target : int or None
        Which input the request names as a loss's target.
    request : Request
        As it was completed.
    literal : tuple
        The constructor's arguments as they were written.
    notes : list of str
        What was assumed.
    faults : list of str
        What is wrong whatever the gradients are.
    """

    learner: Learner
    theirs: Callable | None
    inputs: tuple[np.ndarray, ...]
    target: int | None
    request: Request
    literal: tuple[list, dict]
    notes: list[str]
    faults: list[str]


def prepare(
    request: Request,
    module: object,
    args: tuple[list, dict],
    literal: tuple[list, dict],
    stage: Stage,
    method: methods.Method | None = None,
    within: str = "",
) -> Prepared:
    """Find and read the layer, and draw the inputs.

    Parameters
    ----------
    request : Request
    module : module
        The learner's file.
    args, literal : tuple
        The constructor's arguments, evaluated in the file, and as PyTorch's constructor takes them.
    stage : Stage
        Where the learner's code runs.
    method : Method, optional
        A method of a network that was found before.
    within : str
        Why the request's range is not the user's own.
    """
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
    request, found, inputs, filling = filled_arrays.completed(request, found, options, inputs, stage)
    if method is None and theirs is None:
        request, method, inputs = dictionaries.completed(request, found, options, inputs, stage)
        options.target = options.target if method is None else 1
    if method is None and theirs is None:
        method = losses_of_data.completed(request, found, options, inputs, stage)
    if method is None and theirs is None:
        request, method, inputs = target_in_backward.completed(request, found, options, inputs, stage)
    found = method.found if method is not None else found
    request, assumed = fitting.completed(request, found, options)
    if assumed and method is None:
        inputs, options.target = targets.draw(request, arrays.array)
    assumed = [*assumed, *method.said] if method is not None else assumed
    request, shaped = target_shapes.completed(request, found, options, inputs, stage)
    assumed = [*assumed, *shaped]
    options.classes = request.target_shape[1] if request.target == "classes" and request.target_shape else 0
    if shaped:
        inputs, options.target = targets.draw(request, arrays.array)
    try:
        learner, inputs, drawn = trial_inputs.read_on_trial_inputs(request, found, inputs, options, stage, theirs)
    except LearnerRaisedError as error:
        refused = conversions.refusal(found, request.args, inputs, request.path.name, error)
        if refused is None:
            raise
        raise refused from error
    if theirs is None and request.range is None:
        between, why = trial_inputs.range_of_logarithms(learner, inputs, options.target)
        if between is not None:
            request = dataclasses.replace(request, range=between)
            return prepare(request, module, args, literal, stage, method, why)
    low, high = request.range or trial_inputs.SHARES
    notes = [f"the inputs were drawn between {low:.0f} and {high:.0f}: {within} (see --range)"] if within else []
    notes += [*filling, *assumed, *drawn]
    if learner.positive:
        notes.append(f"{' and '.join(learner.positive)}: drawn as positive numbers; forward gives NaN for others")
    if randomness.is_random(learner, theirs, inputs):
        notes += randomness.compare(learner, theirs, inputs, request.seed)
        theirs = None
    elif theirs is not None:
        theirs, said = targets.same_reduction(learner, theirs, inputs)
        notes += said
    faults = targets.broadcast(learner, inputs, request) if len(inputs) == 2 else []
    faults += targets.shuffled(learner, inputs, options.target)
    learner, inputs, said_of_rows = one_hot_rows.where_right(learner, theirs, inputs, request, found, options, stage)
    inputs, said_of_probabilities = targets.probabilities(learner, inputs, request)
    notes += [*said_of_rows, *said_of_probabilities]
    if theirs is None:
        inputs, smaller = coarseness.smaller_weights(learner, inputs, targets.others(request, inputs))
        notes += [smaller] * bool(smaller)
    return Prepared(learner, theirs, inputs, target, request, literal, notes, faults)


def _found(request: Request, module: object, args: tuple[list, dict], options: Options, stage: Stage) -> finding.Found:
    on_tensors = layers_on_tensors.found(module, request.names, args, stage, request.path.name)
    if on_tensors is not None:
        return on_tensors
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
