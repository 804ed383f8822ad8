"""The shape of a network's target: that of its outputs, which need not be that of its input."""

import dataclasses
import re
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis import assumed_losses, targets
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.ways import plans
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays


def completed(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> tuple[Request, list[str]]:
    """Return the request with the shape of a network's target, and what to say of it; unchanged if none is needed.

    The shape is that of what its ``predict`` or ``forward`` returns; where it has none, and the loss cannot be run on
    a target of the input's shape, another width is tried: those that its parameters have.
    """
    if request.target is None or request.target_shape is not None or request.against:
        return request, []
    if request.target == "classes" and inputs[0].ndim > 2 and _trouble(found, options, inputs, stage) is not None:
        last = [targets.classes_last(inputs[0].shape)]
        first = _first(request, last, found, options, stage, "those of the last axis of the input")
        return first or (request, [])
    if found.owner is None:
        return _of_function(request, found, options, inputs, stage)
    if len(inputs) != 2 or not any(v.ndim and v.dtype.kind == "f" for _, v in found.world.places()):
        return request, []
    x = inputs[0]
    made = assumed_losses.prediction(found.owner, x, stage, found.forward_name)
    found.world.restore()
    by_class = request.target in ("classes", "one-hot")
    fits = made is not None and made[0].shape[:1] == x.shape[:1] and (made[0].ndim == 2 or not by_class)
    if fits and made[0].shape != x.shape:
        return _with(request, made[0].shape, f"that of what {made[1]} returns")
    trouble = _trouble(found, options, inputs, stage)
    others = [shape for shape in _others(trouble, found, x) if len(shape) == 2 or not by_class]
    if trouble is not None and (first := _first(request, others, found, options, stage)) is not None:
        return first
    if trouble is None and request.target in ("values", "binary"):
        return request, [f"the target has the input's shape, {x.shape} (another --input gives it another)"]
    return request, []


def drawn(request: Request, network: object, stage: Stage, name: str) -> tuple[Request, list[str]]:
    """Return the request with an input for the target, of the shape of what the network makes of its only input.

    ``name`` is the target's. If the request says what the target is, only its shape is added. Unchanged if there are
    more inputs, if the request has the shape, or if the network makes nothing of the input.
    """
    if len(request.inputs) != 1 or request.target_shape is not None:
        return request, []
    made = assumed_losses.prediction(network, targets.draw(request, arrays.array)[0][0], stage)
    if made is None:
        return request, []
    shape = made[0].shape
    if request.target is not None:
        return _with(request, shape, f"that of what {made[1]} returns")
    said = f"{name} has the shape {shape}: that of what {made[1]} returns (another --input gives it another)"
    return dataclasses.replace(request, inputs=[*request.inputs, shape]), [said]


def _of_function(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> tuple[Request, list[str]]:
    """Return the same for a loss that is a function of weights, data and classes: loss(W, X, y), loss(params, X, y)."""
    data = [x for x in inputs[:-1] if x.ndim == 2]
    trouble = _trouble(found, options, inputs, stage) if request.target == "classes" else None
    if request.target == "classes" and inputs[0].ndim == 1 and data:
        trouble = trouble or NotUnderstoodError("one class for all of the data")  # as many as a vector has weights
    if trouble is None:
        return request, []
    widths = [size for x in data for size in x.shape[1:]]
    others = [(len(x), width) for x in data for width in dict.fromkeys(widths) if width > 1]
    others = [shape for x in data[:1] for shape in _others(trouble, found, x) if len(shape) == 2] + others
    return _first(request, others, found, options, stage) or (request, [])


def _first(
    request: Request,
    shapes: list[tuple[int, ...]],
    found: Found,
    options: Options,
    stage: Stage,
    why: str = "the first on which the loss runs; another --input gives it another",
) -> tuple[Request, list[str]] | None:
    """Return the request with the first of the shapes on which the loss runs, None if it runs on none."""
    for shape in shapes:
        tried, said = _with(request, shape, why)
        drawn, _ = targets.draw(tried, arrays.array)
        if _trouble(found, options, drawn, stage) is None:
            return tried, said
    return None


def _with(request: Request, shape: tuple[int, ...], why: str) -> tuple[Request, list[str]]:
    said = f"classes 0 to {shape[1] - 1}" if request.target == "classes" and len(shape) > 1 else f"the shape {shape}"
    return dataclasses.replace(request, target_shape=shape), [f"the target has {said}: {why}"]


def _trouble(found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage) -> Exception | None:
    """Return why the loss cannot be run, None if it can."""
    trouble = None
    for plan in plans(found, dataclasses.replace(options, target=len(inputs) - 1), inputs):
        try:
            with stage(found.forward_name, reseed=True):
                plan.forward(inputs)
        except (LearnerRaisedError, NotUnderstoodError) as error:
            trouble = trouble or error
        else:
            return None
        finally:
            found.world.restore()
    return trouble


def _others(trouble: Exception, found: Found, x: np.ndarray) -> Iterator[tuple[int, ...]]:
    limit = re.search(r"out of bounds for axis \d+ with size (\d+)", str(trouble))
    widths = [int(limit[1])] if limit else []
    widths += [size for _, v in found.world.places() if v.dtype.kind == "f" for size in v.shape[-1:]]
    if x.ndim == 2:
        yield from ((len(x), width) for width in dict.fromkeys(widths) if width > 1)
        yield from ((len(x),), (len(x), 1))
