"""Layer: everything around a layer's mathematics, written once for all layers.

A layer is a pair of pure functions, which are the derivation as code, and a class around them. This file has what the
classes share: they check the input, call the forward function, save what backward needs, and accumulate the parameters'
gradients.

    forward     x -> check -> fold -> y, saved = function(x, *arguments) -> unfold -> y
    backward    grad_y -> check -> fold -> grad_x, *grads = function_backward(grad_y, ..., saved) -> unfold -> grad_x
                                           weight.grad += grads[0],  bias.grad += grads[1]

The functions take arrays of the shapes in their derivation. `Layer.fold` reshapes an input to that (a sequence to a
batch of rows, an image to a batch of one) and `Layer.unfold` reshapes the result back. An absent weight is passed as 1
and an absent bias as 0, so the functions need no special case.

`scratch.nn.recorded` says which forward a backward undoes, and `scratch.nn.ownership` who owns which array.

**Several inputs or outputs.** A cell takes x, h and c, and returns h and c:

    y, saved, c = function(x, h, c, *arguments)                     inputs = 3, grad_inputs = 3, outputs = 2
    grad_x, grad_h, grad_c, *grads = function_backward(grad_y, grad_c_next, ..., saved)

The class's ``backward`` takes a gradient for each output, None for one that was not used, and returns one for each
input.
"""

from threading import get_ident
from typing import Any, ClassVar

import numpy as np

from scratch import dispatch
from scratch.checks import FLOAT_DTYPES, check_grad_output, check_input, check_integers, name_of
from scratch.dispatch import is_quiet, plans
from scratch.grad_mode import constants, recording, retaining
from scratch.nn.ownership import is_one_of, own, owned, to_read
from scratch.nn.parameter import Parameter, writes
from scratch.nn.record import UNDONE, Record
from scratch.nn.recorded import Recorded

ndarray = np.ndarray
FLOAT32, FLOAT64 = FLOAT_DTYPES
NAN = {dtype: np.array(np.nan, dtype).tobytes() for dtype in FLOAT_DTYPES}


class Layer(Recorded, saves=False):
    """A module made of one pair of functions. A subclass sets `functions` and overrides what differs from here.

    Attributes
    ----------
    functions : pair of functions
        ``forward(x, *arguments) -> (y, saved)`` and ``backward(grad_y, ..., saved) -> (grad_x, *grads)``, the plain
        ones. Between ``grad_y`` and ``saved``, backward takes the arguments of forward that its own signature names
        again. What forward returns after ``saved`` has no gradient unless `outputs` counts it. A backward with nothing
        but ``grad_x`` to return returns it alone, not in a tuple.
    learned : tuple of str
        The parameters whose gradients backward returns after those of the inputs, in that order.
    kernels_fold : bool
        Whether the kernels take folded inputs, like the plain functions, or inputs as the caller passes them.
    inputs : int
        How many of the forward function's arguments are the caller's arrays: ``x``, a loss's target. The others are
        options, or the layer's own arrays.
    grad_inputs : int
        How many of these have a gradient, counted from the first.
    outputs : int
        How many of forward's results have a gradient: ``y``, and the first ones after ``saved``.
    takes_integers : bool
        Whether the input is an array of indices. It has no gradient, and backward returns None.
    passes_through : bool
        Whether the functions may return their argument, or a view of it. The caller then gets a read-only view.
    """

    functions: ClassVar[dispatch.Pair]
    kernels_fold: ClassVar[bool] = True
    inputs: ClassVar[int] = 1
    grad_inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    takes_integers: ClassVar[bool] = False
    passes_through: ClassVar[bool] = False
    _has_fold: ClassVar[bool] = False
    _has_check: ClassVar[bool] = False
    _has_unfold_grad: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        # The engine's own layers save through their records alone, and in a small network each call counts.
        super().__init_subclass__(saves=not cls.__module__.startswith("scratch."), **options)
        cls._has_fold, cls._has_check = cls.fold is not Layer.fold, cls.check is not Layer.check
        cls._has_unfold_grad = cls.unfold_grad is not Layer.unfold_grad
        cls._can_be_absent = cls.learned

    # What a subclass may override.

    def check(self, x: np.ndarray) -> None:
        """Raise unless the layer can take ``x``, which is an array of its dtype."""

    def arguments(self) -> tuple:
        """Return the forward function's arguments after ``x``."""
        return ()

    def choose(self, x: np.ndarray) -> tuple[dispatch.Pair, tuple]:
        """Return the pair of functions for an input, and its forward's arguments after ``x``."""
        return self.functions, self.arguments()

    def finish(self, x: np.ndarray, y: np.ndarray, *more: Any) -> Any:
        """Return the layer's result, once its functions have mapped ``x`` to ``y`` and perhaps more."""
        return y

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Return an input, or the gradient of an output, in the shape that the functions take."""
        return x

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold` for an output, or for the gradient of an input, given the input's shape."""
        return y

    def unfold_grad(self, grad: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Return a parameter's gradient in the parameter's shape, if `arguments` passes it in another shape."""
        return grad

    def frozen(self) -> tuple[np.ndarray, ...]:
        """Return views of the parts of its parameters that forward reads but backward treats as constants."""
        return ()

    # What all layers do. In a small network this code is most of a step's time. So it makes few calls, and builds an
    # error message only once a check has failed.

    def check_input(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is an array that the layer can take, of the layer's dtype or of integers."""
        if self.takes_integers:
            check_integers(self, x)
        else:
            dtype = self.own_dtype() if self.learned or self._buffer_names else None
            if type(x) is not ndarray:
                check_input(self, x, dtype)
            own = x.dtype
            if own is not dtype and (dtype is not None or (own is not FLOAT32 and own is not FLOAT64)):
                check_input(self, x, dtype)
        if self._has_check:
            self.check(x)

    def forward(self, x: np.ndarray) -> Any:
        """Map an input to the output."""
        self.check_input(x)
        functions, arguments = self.choose(x)
        return self.finish(x, *self.run(functions, x, *arguments))

    def run(self, functions: dispatch.Pair, x: np.ndarray, *arguments: Any) -> tuple:
        """Run a pair's forward, and save what its backward needs; return all outputs, even those without gradients."""
        plan = plans.get().get(functions) or dispatch.plan(functions)
        folds = self._has_fold and (plan.is_plain or self.kernels_fold)
        argument = owned(x) if self.passes_through and recording.get() else x
        rows = self.fold(argument) if folds else argument
        forward = plan.forward if is_quiet.get() else plan.quiet_forward
        result, saved, *more = forward(rows, *arguments)
        y = self.unfold(result, x.shape) if folds else result
        if type(y) is not ndarray:
            y = np.asarray(y)  # NumPy's arithmetic turns an array without axes into a number
        if self.passes_through:
            y = to_read(y, argument)
        if recording.get():
            known = constants.get()
            constant = known is not None and id(x) in known
            if known is not None and constant and not self.learned:
                known[id(y)] = y
            others = tuple(more[: self.outputs - 1]) if self.outputs > 1 else ()
            given = arguments[: self.inputs - 1] if self.inputs > 1 else ()
            locked: tuple = ()
            for place in range(len(saved)):
                value = saved[place]
                if type(value) is not ndarray:
                    continue
                if value is result:
                    locked = (*locked, y)
                elif value is rows or (given and is_one_of(value, given)):
                    saved = own(saved, place)
                elif others and is_one_of(value, others):
                    locked = (*locked, value)
            for output in locked:
                output.setflags(False)
            pending = self._record[-1] + 1
            thread = get_ident()
            # A plain tuple: making a Record takes four times as long.
            kept: Any = (
                plan, arguments, saved, x.shape, y.shape, y.dtype, constant, folds, locked, others, writes.count,
                thread, pending,
            )  # fmt: skip
            self.__dict__["_record"] = kept
        return (y, *more) if more else (y,)

    def backward(self, grad_output: Any, *grad_others: Any) -> Any:
        """Map the gradient of the output to that of the input, and add to the parameters' gradients.

        A layer with several outputs takes a gradient for each, or None; one with several inputs returns one for each.

        Raises
        ------
        RuntimeError
            If no forward is left to undo, or ``grad_output`` does not have the output's shape and dtype.
        TypeError
            If ``grad_output`` is not an array.
        """
        record = self._record
        _, _, _, input_shape, output_shape, dtype, _, folds, _, _, _, thread, pending = record
        if pending != 1 or thread != get_ident():
            _, _, _, input_shape, output_shape, dtype, _, folds, _, _, _, _, _ = record = self.record()
        if self.outputs > 1:
            grad_output, *rest = self.grads_of_outputs(grad_output, grad_others)
            grad_others = tuple(rest)
        elif grad_others:
            raise TypeError(f"{name_of(self)}: expected one grad_output, got {1 + len(grad_others)}")
        if type(grad_output) is not ndarray or grad_output.dtype is not dtype or grad_output.shape != output_shape:
            check_grad_output(self, grad_output, output_shape, dtype)
        grads = self.undo(record, self.fold(grad_output) if folds else grad_output, *grad_others)
        if self.grad_inputs > 1:
            grad_x, *others = grads
            return self.unread(input_shape, dtype) if grad_x is None else grad_x, *others
        if grads is None:
            return self.unread(input_shape, dtype)
        grad_x = self.unfold(grads, input_shape) if folds else grads
        if type(grad_x) is not ndarray:
            grad_x = np.asarray(grad_x)
        return to_read(grad_x, grad_output) if self.passes_through else grad_x

    def undo(self, record: Record, *grads_of_outputs: Any) -> Any:
        """Run the backward of a recorded forward; return the input's gradient, or None if it is not needed."""
        plan, arguments, saved, _, _, _, constant, _, locked, _, written, _, _ = record
        wants_grad_x = self.needs_input_grad and not constant and not self.takes_integers
        if written != writes.count and (wants_grad_x or self.grad_inputs > 1):
            self.check_unwritten(record)
        if not retaining.get():
            self.__dict__["_record"] = UNDONE
            for output in locked:
                output.setflags(True)
        backward = plan.backward if is_quiet.get() else plan.quiet_backward
        passed = [arguments[place] for place in plan.places] if plan.places else ()
        if not self.learned and self.grad_inputs == 1:
            return backward(*grads_of_outputs, *passed, saved) if wants_grad_x else None
        count = self.grad_inputs
        # With several inputs only the first may be a constant: a constant input does not make a cell's state one.
        mask, parameters = [wants_grad_x, *[True] * (count - 1)], []
        for name in self.learned:
            parameter = self.__dict__[name]
            parameters.append(parameter)
            mask.append(parameter is not None and parameter.requires_grad)
        if False not in mask:
            grads = backward(*grads_of_outputs, *passed, saved)
        elif True in mask:
            token = dispatch.output_mask.set(mask)
            try:
                grads = backward(*grads_of_outputs, *passed, saved)
            finally:
                dispatch.output_mask.reset(token)
        else:
            grads = (None,) * len(mask)
        for place, parameter in enumerate(parameters, count):
            if mask[place]:
                grad = grads[place]
                parameter.take_grad(self.unfold_grad(grad, parameter) if self._has_unfold_grad else grad)
        if count > 1:
            return (grads[0] if wants_grad_x else None, *grads[1:count])
        return grads[0] if wants_grad_x else None

    def grads_of_outputs(self, grad_output: Any, grad_others: tuple) -> list:
        """Return the gradients of several outputs, with zeros for each that is None because its output was not used.

        Raises
        ------
        TypeError
            If there are more gradients than outputs.
        RuntimeError
            If one does not have its output's shape and dtype.
        """
        record = self.record()
        if 1 + len(grad_others) > self.outputs:
            raise TypeError(f"{name_of(self)}: expected {self.outputs} gradients, got {1 + len(grad_others)}")
        grads = [np.zeros(record.output_shape, record.dtype) if grad_output is None else grad_output]
        for place, other in enumerate(record.others):
            grad = grad_others[place] if place < len(grad_others) else None
            if grad is not None:
                check_grad_output(self, grad, other.shape, other.dtype)
            grads.append(np.broadcast_to(other.dtype.type(0), other.shape) if grad is None else grad)
        return grads

    def unread(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        """Return the placeholder for a gradient that is not needed: None if this layer itself was told so.

        If the model was told so, its layers' gradients still go through the sums of its backward. There the placeholder
        is NaN: it costs nothing, and it shows if somebody reads it after all.
        """
        if not self.needs_input_grad or self.takes_integers:
            return None
        return np.ndarray(shape, dtype, NAN[dtype], strides=(0,) * len(shape))

    def own_dtype(self) -> np.dtype | None:
        """Return the dtype of the layer's parameters or buffers; None if it has none."""
        for name in self.learned:
            parameter = self.__dict__[name]
            if parameter is not None:
                return parameter.data.dtype
        for name in self._buffer_names:
            buffer = self.__dict__[name]
            if buffer is not None and buffer.dtype in FLOAT_DTYPES:
                return buffer.dtype
        return None

    def value(self, name: str, absent: float) -> np.ndarray | float:
        """Return a parameter's array, or ``absent`` if the parameter is None."""
        parameter: Parameter | None = getattr(self, name)
        return absent if parameter is None else parameter.data
