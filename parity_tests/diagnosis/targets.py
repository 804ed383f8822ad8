"""The inputs of a loss: how they are drawn, and what may be wrong with their shapes."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays
from parity_tests.harness.lazy_torch import torch


def draw(request: Request, how: Callable) -> tuple[tuple[np.ndarray, ...], int | None]:
    """Return the inputs, drawn by a function of `arrays`, and which of them is the target."""
    shapes, dtype, seed = request.inputs, request.dtype, request.seed
    try:
        inputs = [how(shape, dtype, seed=seed + i) for i, shape in enumerate(shapes)]
    except (ValueError, MemoryError, OverflowError) as error:
        raise NotUnderstoodError(f"--input: {error}") from error
    rng = np.random.default_rng(seed)
    if request.range:
        inputs = [rng.uniform(*request.range, shape).astype(dtype) for shape in shapes]
    if request.target is None:
        return tuple(inputs), None
    inputs.append(target(request.target, request.target_shape or shapes[0], dtype, rng, seed))
    return tuple(inputs), len(inputs) - 1


def with_shape_of_target(request: Request, count: int) -> Request:
    """Return the request of ``count`` inputs and a target: what is one input too many is the target's shape."""
    if request.target is None or not 0 < count == len(request.inputs) - 1:
        return request
    *inputs, last = request.inputs
    # The shape of the classes themselves does not say how many there are.
    of_classes = request.target == "classes" and any(
        len(shape) > 1 and last in (shape[:1] + shape[2:], shape[:-1]) for shape in inputs
    )
    return dataclasses.replace(request, inputs=inputs, target_shape=None if of_classes else last)


def others(request: Request, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return other numbers of the same kind: drawn anew where they were drawn, else the examples in another order."""
    drawn, _ = draw(request, arrays.array)
    anew, _ = draw(dataclasses.replace(request, seed=request.seed + 1), arrays.array)
    pairs = list(zip(drawn, anew, strict=True))
    pairs += [(old.T, new.T) for old, new in pairs]
    found = []
    for x in inputs:
        other = next((new for old, new in pairs if np.array_equal(old, x)), None)
        found.append(_in_another_order(x) if other is None else np.ascontiguousarray(other))
    return tuple(found)


def _in_another_order(x: np.ndarray) -> np.ndarray:
    rolled = np.roll(x, 1, axis=0) if x.ndim else x
    return np.roll(x, 1) if np.array_equal(rolled, x) else rolled


def target(kind: str, shape: tuple[int, ...], dtype: str, rng: np.random.Generator, seed: int) -> np.ndarray:
    """Return a target for predictions of a shape: "classes", "one-hot", "values" or "binary"."""
    if kind in ("classes", "one-hot"):
        classes = shape[1] if len(shape) > 1 else shape[0]
        drawn = rng.integers(0, classes, (shape[0], *shape[2:]) if len(shape) > 1 else ())
        return (
            drawn
            if kind == "classes"
            else np.moveaxis(np.eye(classes, dtype=dtype)[drawn], -1, 1 if len(shape) > 1 else 0)
        )
    if kind == "values":
        return arrays.array(shape, dtype, seed=seed + 100)
    return rng.integers(0, 2, shape).astype(dtype)


def classes_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with the classes where `target` has them, of predictions that have them along the last axis."""
    return shape[0], shape[-1], *shape[1:-1]


def indices(shape: tuple[int, ...], rows: int, seed: int) -> np.ndarray:
    """Return indices of a table's rows, some of them several times; the first row, often the padding's, among them."""
    drawn = np.random.default_rng(seed).integers(0, rows, shape)
    drawn.flat[-1:] = drawn.flat[:1]
    least = drawn.min(initial=rows)
    return drawn - least if (drawn > least).any() else drawn


def same_reduction(learner: Learner, theirs: Callable, inputs: tuple) -> tuple[Callable, list[str]]:
    """Return PyTorch's loss without its mean if the learner's loss leaves the mean to the caller."""
    ours = np.shape(learner.outputs[0])
    shape = against.outputs(theirs, inputs)[0].shape
    if ours == shape or not hasattr(theirs, "reduction"):
        return theirs, []
    plain = copy.deepcopy(theirs)
    plain.reduction = "none"
    if against.outputs(plain, inputs)[0].shape != ours:
        return theirs, []
    return plain, [
        f"{learner.found.forward_name} returns a number for each element and leaves the mean to its caller, so "
        "PyTorch's loss was run with reduction='none'; a caller that takes the mean has to divide the gradient, too"
    ]


def broadcast(learner: Learner, inputs: tuple, request: Request) -> list[str]:
    """Return what to say if a target of another shape is broadcast against the predictions."""
    prediction, other = inputs
    if np.shape(learner.outputs[0]) != () or prediction.shape == other.shape or prediction.size != other.size:
        return []
    try:
        wide = np.broadcast_shapes(prediction.shape, other.shape)
    except ValueError:
        return []
    if wide == prediction.shape or other.dtype.kind != "f":
        return []
    try:
        as_it_is = float(learner.forward(prediction, other))
        shaped = float(learner.forward(prediction, other.reshape(prediction.shape)))
        shuffled = float(learner.forward(prediction, np.roll(other, 1)))
    except LearnerRaisedError:
        return []
    finally:
        learner.forward(*inputs)
    if np.isclose(as_it_is, shaped, rtol=1e-9) or not np.isclose(as_it_is, shuffled, rtol=1e-9):
        return []  # each prediction has its own target
    return [
        f"the target's shape {other.shape} is broadcast against {prediction.shape} to {wide}: every prediction is "
        f"compared with every target (the loss is {as_it_is:.6g}; with the target in the predictions' shape it is "
        f"{shaped:.6g}). Refuse other shapes, or reshape the target"
    ]


def shuffled(learner: Learner, inputs: tuple[np.ndarray, ...], target: int | None) -> list[str]:
    """Return what to say if a loss does not change when one number per example is shuffled among the examples."""
    if target is None or inputs[target].dtype.kind not in "iu" or np.shape(learner.outputs[0]) != ():
        return []
    names = learner.input_names(len(inputs))
    for index, values in enumerate(inputs):
        if index == target or values.shape != inputs[target].shape or values.ndim != 1 or len(values) < 3:
            continue
        try:
            loss, other, more = (
                float(learner.forward(*inputs[:index], changed, *inputs[index + 1 :]))
                for changed in (values, np.roll(values, 1), 2 * values)
            )
        except LearnerRaisedError:
            return []
        finally:
            learner.forward(*inputs)
        if np.isclose(loss, other, rtol=1e-9) and not np.isclose(loss, more, rtol=1e-9):
            return [
                f"the loss stays the same if {names[index]} are shuffled among the examples: no example is weighted by "
                "its own. Multiply example by example, then take the mean"
            ]
    return []


def probabilities(learner: Learner, inputs: tuple, request: Request) -> tuple[tuple, list[str]]:
    """Use rows of probabilities as the target where a loss is NaN for other values: it takes their logarithm."""
    if request.target != "values" or not np.isnan(_loss(learner, inputs)):
        return inputs, []
    powers = np.exp(inputs[-1])
    others = (*inputs[:-1], (powers / powers.sum(axis=-1, keepdims=True)).astype(request.dtype))
    if np.isnan(_loss(learner, others)):
        learner.forward(*inputs)
        return inputs, []
    return others, ["the target was drawn as rows of probabilities: the loss is NaN for other values"]


def _loss(learner: Learner, inputs: tuple) -> float:
    made = learner.forward(*inputs)
    return float(made) if np.ndim(made) == 0 and not isinstance(made, tuple) else 0.0


def is_loss(theirs: Callable | None) -> bool:
    """Return whether PyTorch's layer is a loss."""
    return theirs is not None and isinstance(theirs, torch.nn.modules.loss._Loss)
