"""How a `Sequential` calls its layers: at a lower cost than a full call.

Nobody else sees an array that one layer of a `Sequential` passes to the next. So it needs no copy and no lock, and most
of what a layer checks about its input is known here. In a small layer such checks take longer than the arithmetic, so a
`Sequential` calls the layers' functions itself.

A layer's record is the same either way: its own ``backward`` undoes a forward that ran here, and vice versa.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.nn.layer import Layer
from scratch.nn.module import Module
from scratch.nn.ownership import is_one_of, own
from scratch.nn.parameter import writes
from scratch.nn.record import UNDONE

ndarray = np.ndarray


def can_be_between(layer: Layer) -> bool:
    """Return whether a layer between two others can be called with the functions of this file."""
    kind = type(layer)
    return (
        kind.__call__ is Module.__call__
        and kind.forward is Layer.forward
        and kind.run is Layer.run
        and kind.backward is Layer.backward
        and kind.undo is Layer.undo
        and (layer.inputs, layer.grad_inputs, layer.outputs) == (1, 1, 1)
        and not layer.takes_integers
    )


def can_be_at_an_end(layer: Layer) -> bool:
    """Return whether the first or the last layer can be called with these functions, too.

    The caller sees the first layer's input and the last layer's output. So a layer that may return a view of its
    argument is excluded, and so is one without parameters, which has to pass on whether its input is a constant.
    """
    return can_be_between(layer) and bool(layer.learned) and not layer.passes_through


def forward_between(
    layer: Layer,
    x: np.ndarray,
    plans: Mapping[dispatch.Pair, dispatch.Plan],
    thread: int,
    is_constant: bool,
    is_first: bool,
    is_last: bool,
) -> Any:
    """Do what ``layer.forward(x)`` does while forwards are recorded.

    The first layer's input and the last layer's output belong to the caller, who may write to them.
    """
    layer.check_input(x)
    functions, arguments = layer.choose(x)
    plan = plans.get(functions) or dispatch.plan(functions)
    folds = layer._has_fold and (plan.is_plain or layer.kernels_fold)
    rows = layer.fold(x) if folds else x
    result, saved, *more = plan.forward(rows, *arguments)
    y = layer.unfold(result, x.shape) if folds else result
    if type(y) is not ndarray:
        y = np.asarray(y)
    if is_first:
        for place in range(len(saved)):
            if saved[place] is rows:
                saved = own(saved, place)
    locked = (y,) if is_last and is_one_of(result, saved) else ()
    if locked or not is_last:
        y.setflags(write=False)
    kept = layer.__dict__
    pending = kept["_record"][-1] + 1
    kept["_record"] = (
        plan, arguments, saved, x.shape, y.shape, y.dtype, is_constant, folds, locked, (), writes.count, thread, pending
    )  # fmt: skip
    return layer.finish(x, y, *more)


def backward_between(layer: Layer, grad_y: Any, thread: int) -> Any:
    """Do what ``layer.backward(grad_y)`` does while backwards use up what forwards saved."""
    kept = layer.__dict__
    record = kept["_record"]
    plan, arguments, saved, input_shape, output_shape, dtype, constant, folds, locked, _, written, kept_by, pending = (
        record
    )
    wants_grad_x = layer.needs_input_grad and not constant
    if pending != 1 or kept_by != thread or written != writes.count or not (wants_grad_x or layer.learned):
        return layer.backward(grad_y)
    if type(grad_y) is not ndarray or grad_y.dtype is not dtype or grad_y.shape != output_shape:
        return layer.backward(grad_y)
    for name in layer.learned:
        if kept[name] is None or not kept[name].requires_grad:
            return layer.backward(grad_y)
    kept["_record"] = UNDONE
    for output in locked:
        output.setflags(write=True)
    passed = [arguments[place] for place in plan.places]
    rows = layer.fold(grad_y) if folds else grad_y
    if wants_grad_x:
        grad_x = plan.backward(rows, *passed, saved)
    else:
        token = dispatch.output_mask.set((False, *[True] * len(layer.learned)))
        try:
            grad_x = plan.backward(rows, *passed, saved)
        finally:
            dispatch.output_mask.reset(token)
    if layer.learned:
        grad_x, *grads = grad_x
        for name, grad in zip(layer.learned, grads, strict=True):
            parameter = kept[name]
            parameter.take_grad(layer.unfold_grad(grad, parameter) if layer._has_unfold_grad else grad)
    if not wants_grad_x:
        return layer.unread(input_shape, dtype)
    if folds:
        grad_x = layer.unfold(grad_x, input_shape)
    return grad_x if type(grad_x) is ndarray else np.asarray(grad_x)
