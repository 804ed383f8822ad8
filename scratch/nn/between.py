"""What a `Sequential` saves on a layer between two others.

Such a layer's input is the output of the layer before, and nobody else has it; its output goes to the layer behind, and
nobody else gets it. So there is nothing to copy, to lock, or to ask, but what its functions ask for. To be called as
everybody calls a layer takes a small one longer than its arithmetic does.

The layer keeps what it would keep in any case: its own ``backward`` undoes what ran here, and the other way round.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.nn.layer import Layer
from scratch.nn.module import Module
from scratch.nn.record import UNDONE

ndarray = np.ndarray


def can_be_between(layer: Layer) -> bool:
    """Return whether a layer does nothing that the functions of this file do not do."""
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


def forward_between(layer: Layer, x: np.ndarray, plans: Mapping[dispatch.Pair, dispatch.Plan], thread: int) -> Any:
    """Do as ``layer.forward(x)`` does, while forwards are recorded, for an input that is no constant."""
    layer.check_input(x)
    functions, arguments = layer.choose(x)
    plan = plans.get(functions) or dispatch.plan(functions)
    folds = layer._has_fold and (plan.is_plain or layer.kernels_fold)
    y, saved, *more = plan.forward(layer.fold(x) if folds else x, *arguments)
    if folds:
        y = layer.unfold(y, x.shape)
    if type(y) is not ndarray:
        y = np.asarray(y)
    y.setflags(write=False)
    own = layer.__dict__
    pending = own["_record"][-1] + 1
    own["_record"] = (plan, arguments, saved, x.shape, y.shape, y.dtype, False, folds, (), (), thread, pending)
    return layer.finish(x, y, *more)


def backward_between(layer: Layer, grad_y: Any, thread: int) -> Any:
    """Do as ``layer.backward(grad_y)`` does, while backwards use up what forwards kept."""
    own = layer.__dict__
    plan, arguments, saved, input_shape, output_shape, dtype, constant, folds, locked, _, kept_by, pending = own[
        "_record"
    ]
    if pending != 1 or kept_by != thread or constant or not layer.needs_input_grad:
        return layer.backward(grad_y)
    if type(grad_y) is not ndarray or grad_y.dtype is not dtype or grad_y.shape != output_shape:
        return layer.backward(grad_y)
    for name in layer.learned:
        if own[name] is None or not own[name].requires_grad:
            return layer.backward(grad_y)
    own["_record"] = UNDONE
    for output in locked:
        output.setflags(write=True)
    passed = [arguments[place] for place in plan.places]
    grad_x = plan.backward(layer.fold(grad_y) if folds else grad_y, *passed, saved)
    if layer.learned:
        grad_x, *grads = grad_x
        for name, grad in zip(layer.learned, grads, strict=True):
            parameter = own[name]
            parameter.take_grad(layer.unfold_grad(grad, parameter) if layer._has_unfold_grad else grad)
    if folds:
        grad_x = layer.unfold(grad_x, input_shape)
    return grad_x if type(grad_x) is ndarray else np.asarray(grad_x)
