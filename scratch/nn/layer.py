"""Layer: all that surrounds a layer's mathematics, written once for all layers.

A layer is a pair of pure functions, the derivation as code, and a class. This is what the classes share: they check
the input, call the forward function, keep what it returned for backward, and add up the gradients of the parameters.

    forward     x -> check -> fold -> y, saved = function(x, *arguments) -> unfold -> y
    backward    grad_y -> check -> fold -> grad_x, *grads = function_backward(grad_y, ..., saved) -> unfold -> grad_x
                                           weight.grad += grads[0],  bias.grad += grads[1]

The functions take the shape that their derivation has. `Layer.fold` brings an input into it (a sequence as a batch of
rows, an image as a batch of one) and `Layer.unfold` brings the result back. An absent weight is a factor of 1 and an
absent bias a summand of 0, so that the functions need not ask.

Which forward a backward undoes is written in `scratch.nn.record`, and who owns an array in `scratch.nn.ownership`.

**Several inputs or outputs.** A cell takes x, h and c, and returns h and c:

    y, saved, c = function(x, h, c, *arguments)                     inputs = 3, grad_inputs = 3, outputs = 2
    grad_x, grad_h, grad_c, *grads = function_backward(grad_y, grad_c_next, ..., saved)

The class's ``backward`` takes a gradient for each output, None where nobody read it, and returns one for each input.
"""

from threading import get_ident
from typing import Any, ClassVar

import numpy as np

from scratch import dispatch
from scratch.checks import FLOAT_DTYPES, check_grad_output, check_input, check_integers, name_of
from scratch.dispatch import is_quiet, plans
from scratch.grad_mode import constants, recording, retaining
from scratch.nn.module import Module
from scratch.nn.ownership import is_one_of, own, owned, to_read
from scratch.nn.parameter import Parameter, writes
from scratch.nn.record import NOTHING, UNDONE, WRITTEN, Record, why_unclear

ndarray = np.ndarray
FLOAT32, FLOAT64 = FLOAT_DTYPES
NAN = {dtype: np.array(np.nan, dtype).tobytes() for dtype in FLOAT_DTYPES}


class Layer(Module):
    """A module that is one pair of functions. A subclass sets `functions`, and defines what differs from here.

    Attributes
    ----------
    functions : pair of functions
        ``forward(x, *arguments) -> (y, saved)`` and ``backward(grad_y, ..., saved) -> (grad_x, *grads)``, the plain
        ones. Between ``grad_y`` and ``saved``, backward takes those of forward's arguments whose names it repeats.
        What forward returns behind ``saved`` are outputs without gradients. A backward that returns nothing but
        ``grad_x`` returns it alone.
    learned : tuple of str
        The parameters whose gradients backward returns behind ``grad_x``, in its order.
    kernels_fold : bool
        Whether the kernels want their inputs folded, as the plain functions do, or as they come.
    inputs : int
        How many of the forward function's arguments are arrays of the caller's: ``x``, a loss's target. The others are
        options, or the layer's own.
    grad_inputs : int
        How many of these, the first ones, have a gradient.
    outputs : int
        How many of forward's results have a gradient: ``y``, and the first ones behind ``saved``.
    takes_integers : bool
        Whether the input is an array of indices. It has no gradient, and backward returns None.
    passes_through : bool
        Whether the functions may return their argument, or a view of it. The caller gets a view to read, then.
    """

    functions: ClassVar[dispatch.Pair]
    learned: ClassVar[tuple[str, ...]] = ()
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
        super().__init_subclass__(**options)
        cls._has_fold, cls._has_check = cls.fold is not Layer.fold, cls.check is not Layer.check
        cls._has_unfold_grad = cls.unfold_grad is not Layer.unfold_grad

    def __init__(self) -> None:
        super().__init__()
        self._record: Record = NOTHING

    # What a subclass may define.

    def check(self, x: np.ndarray) -> None:
        """Raise unless the layer can take ``x``, which is an array of its dtype."""

    def arguments(self) -> tuple:
        """Return what the forward function takes behind ``x``."""
        return ()

    def choose(self, x: np.ndarray) -> tuple[dispatch.Pair, tuple]:
        """Return the pair of functions for an input, and what its forward takes behind ``x``."""
        return self.functions, self.arguments()

    def finish(self, x: np.ndarray, y: np.ndarray, *more: Any) -> Any:
        """Return what the layer returns, where its functions have mapped ``x`` to ``y`` and more."""
        return y

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Return an input, or the gradient of an output, in the shape that the functions take."""
        return x

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold` for an output, or for the gradient of an input, where the input had this shape."""
        return y

    def unfold_grad(self, grad: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Return a parameter's gradient in its shape, where `arguments` hands the parameter over in another one."""
        return grad

    def frozen(self) -> tuple[np.ndarray, ...]:
        """Return views of those numbers of its parameters that forward reads and backward takes for constants."""
        return ()

    # What all layers do. A small network's step is little else than this, many times over: hence few calls, and each
    # check in a form that costs nothing before it is worded.

    def check_input(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is an array of the layer's dtype, or of integers, that it can take."""
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
        """Run a pair's forward, and keep what its backward needs; return the outputs, those without gradients too."""
        plan = plans.get().get(functions) or dispatch.plan(functions)
        folds = self._has_fold and (plan.is_plain or self.kernels_fold)
        argument = owned(x) if self.passes_through and recording.get() else x
        rows = self.fold(argument) if folds else argument
        forward = plan.forward if is_quiet.get() else plan.quiet_forward
        result, saved, *more = forward(rows, *arguments)
        y = self.unfold(result, x.shape) if folds else result
        if type(y) is not ndarray:
            y = np.asarray(y)  # NumPy's arithmetic makes a number of an array without axes
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
            # A plain tuple: to make a Record takes four times as long.
            kept: Any = (
                plan, arguments, saved, x.shape, y.shape, y.dtype, constant, folds, locked, others, writes.count,
                thread, pending,
            )  # fmt: skip
            self.__dict__["_record"] = kept
        return (y, *more) if more else (y,)

    def backward(self, grad_output: Any, *grad_others: Any) -> Any:
        """Map the gradient of the output to that of the input, and add to the parameters' gradients.

        A layer of several outputs takes a gradient for each, or None, and one of several inputs returns one for each.

        Raises
        ------
        RuntimeError
            If no forward is left to undo, or ``grad_output`` has not the output's shape and dtype.
        TypeError
            If ``grad_output`` is no array.
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

    def record(self) -> Record:
        """Return what the latest forward kept.

        Raises
        ------
        RuntimeError
            If there was none, a backward has used it up, or it is not clear which forward is meant: several have run
            since the last backward, or the latest ran in another thread.
        """
        record = Record(*self._record) if self._record[-1] else self._record
        if record.pending and record.thread == get_ident() and (record.pending == 1 or retaining.get()):
            return record
        if record.pending:
            self.forget()
        raise RuntimeError(f"{name_of(self)}: {why_unclear(record)}")

    def forget(self) -> None:
        """Drop what the latest forward kept."""
        self.__dict__["_record"] = NOTHING

    def take_kept(self) -> Record:
        """Return what the latest forward kept, and forget it."""
        record, self.__dict__["_record"] = self._record, NOTHING
        return record

    def put_kept(self, kept: Record) -> None:
        """Keep what `take_kept` returned, as if that forward had just run."""
        self.__dict__["_record"] = kept

    def undo(self, record: Record, *grads_of_outputs: Any) -> Any:
        """Run the backward that belongs to a forward; return the input's gradient, or None if nobody reads it."""
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
        # Of several inputs the first is the one that may be a constant: a cell's state is none because its input is.
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

    def check_unwritten(self, record: Record) -> None:
        """Raise if a parameter that a backward reads was written to since its forward.

        Raises
        ------
        RuntimeError
            If an optimizer's step or ``load_state_dict`` came in between.
        """
        record = Record(*record)
        read = [*[record.arguments[place] for place in record.plan.places], *record.saved]
        arrays = [one for one in read if isinstance(one, np.ndarray)]
        for name in self.learned:
            parameter = self.__dict__[name]
            if parameter is None or parameter.written <= record.writes:
                continue
            if any(np.may_share_memory(parameter.data, array) for array in arrays):
                self.forget()
                raise RuntimeError(f"{name_of(self)}: {name} {WRITTEN}")

    def grads_of_outputs(self, grad_output: Any, grad_others: tuple) -> list:
        """Return the gradients of several outputs, with zeros for one that is None, because nobody read that output.

        Raises
        ------
        TypeError
            If there are more gradients than outputs.
        RuntimeError
            If one has not its output's shape and dtype.
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
        """Return what stands for a gradient that nobody reads: None if this layer was told so.

        If a model was told so, its layers' gradients still go through the sums of its backward; there it is NaN, which
        costs nothing, and is seen if somebody reads it after all.
        """
        if not self.needs_input_grad or self.takes_integers:
            return None
        return np.ndarray(shape, dtype, NAN[dtype], strides=(0,) * len(shape))

    def own_dtype(self) -> np.dtype | None:
        """Return the dtype of the layer's own numbers; None if it has none."""
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
        """Return a parameter's numbers, or what stands for a parameter that is None."""
        parameter: Parameter | None = getattr(self, name)
        return absent if parameter is None else parameter.data

    def __getstate__(self) -> dict:
        # A copy, or a pickle, is of the layer, not of what it was last called with.
        return {**self.__dict__, "_record": NOTHING}
