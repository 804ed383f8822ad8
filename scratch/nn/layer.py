"""Layer: all that surrounds a layer's mathematics, written once for all layers.

A layer is a pair of pure functions, the derivation as code, and a class. This is what the classes share: they check
the input, call the forward function, keep what it returned for backward, and add up the gradients of the parameters.

    forward     x -> check -> fold -> y, saved = function(x, *arguments) -> unfold -> y
    backward    grad_y -> check -> fold -> grad_x, *grads = function_backward(grad_y, ..., saved) -> unfold -> grad_x
                                           weight.grad += grads[0],  bias.grad += grads[1]

The functions take the shape that their derivation has. `Layer.fold` brings an input into it (a sequence as a batch of
rows, an image as a batch of one) and `Layer.unfold` brings the result back. An absent weight is a factor of 1 and an
absent bias a summand of 0, so that the functions need not ask.

A backward uses up what its forward kept: a second one would add the same gradients again.
"""

from typing import Any, ClassVar, NamedTuple

import numpy as np

from scratch import dispatch, grad_mode
from scratch.checks import FLOAT_DTYPES, check_grad_output, check_input, name_of
from scratch.kernels.output_mask import output_mask
from scratch.nn.module import Module, Parameter

NAN = {dtype: np.array(np.nan, dtype).tobytes() for dtype in FLOAT_DTYPES}


class Record(NamedTuple):
    """What a layer keeps of a forward, for its backward.

    Attributes
    ----------
    plan : dispatch.Plan
        The pair whose forward ran.
    arguments : tuple
        What the forward took behind ``x``.
    saved : object
        What the forward returned for the backward.
    input_shape, output_shape : tuple of int
        Of the arrays that the layer was called with and returned.
    dtype : numpy.dtype
        The output's.
    constant : bool
        Whether nobody will read the input's gradient.
    folds : bool
        Whether the pair was called on what `Layer.fold` returned.
    """

    plan: dispatch.Plan
    arguments: tuple
    saved: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype
    constant: bool
    folds: bool


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
    """

    functions: ClassVar[dispatch.Pair]
    learned: ClassVar[tuple[str, ...]] = ()
    kernels_fold: ClassVar[bool] = True
    _has_fold: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._has_fold = cls.fold is not Layer.fold

    def __init__(self) -> None:
        super().__init__()
        self._record: Record | None = None
        self._used_up = False

    # What a subclass may define.

    def check(self, x: np.ndarray) -> None:
        """Raise unless the layer can take ``x``, which is an array of its dtype."""

    def arguments(self) -> tuple:
        """Return what the forward function takes behind ``x``."""
        return ()

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Return an input, or the gradient of an output, in the shape that the functions take."""
        return x

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold` for an output, or for the gradient of an input, where the input had this shape."""
        return y

    # What all layers do.

    # What all layers do. A small network's step is little else than this, many times over: hence few calls, and each
    # check in a form that costs nothing before it is worded.

    def check_input(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is an array of the layer's dtype that it can take."""
        check_input(self, x, self.own_dtype())
        self.check(x)

    def forward(self, x: np.ndarray) -> Any:
        """Map an input to the output."""
        self.check_input(x)
        return self.apply(self.functions, x, *self.arguments())[0]

    def apply(self, functions: dispatch.Pair, x: np.ndarray, *arguments: Any) -> tuple:
        """Run a pair's forward, and keep what its backward needs; return the outputs, those without gradients too."""
        plan = dispatch.plan(functions)
        folds = self._has_fold and (plan.is_plain or self.kernels_fold)
        y, saved, *more = plan.forward(self.fold(x) if folds else x, *arguments)
        if folds:
            y = self.unfold(y, x.shape)
        if grad_mode.recording.get():
            constant = grad_mode.constants.get() is not None and grad_mode.is_constant(x)
            if constant and not self.learned:
                grad_mode.mark_constant(y)
            record = (plan, arguments, saved, x.shape, y.shape, y.dtype, constant, folds)
            self._record = tuple.__new__(Record, record)
        return y, *more

    def backward(self, grad_output: np.ndarray) -> Any:
        """Map the gradient of the output to that of the input, and add to the parameters' gradients.

        Raises
        ------
        RuntimeError
            If no forward is left to undo, or ``grad_output`` has not the output's shape and dtype.
        TypeError
            If ``grad_output`` is no array.
        """
        record = self._record or self.record()
        _, _, _, input_shape, output_shape, dtype, _, folds = record
        if type(grad_output) is not np.ndarray or grad_output.shape != output_shape or grad_output.dtype != dtype:
            check_grad_output(self, grad_output, output_shape, dtype)
        grad_x = self.undo(record, self.fold(grad_output) if folds else grad_output)
        if grad_x is None:
            return self.unread(record)
        return self.unfold(grad_x, input_shape) if folds else grad_x

    def record(self) -> Record:
        """Return what the latest forward kept.

        Raises
        ------
        RuntimeError
            If there was none, or a backward has used it up.
        """
        if self._record is not None:
            return self._record
        if self._used_up:
            raise RuntimeError(
                f"{name_of(self)}: backward was called a second time after one forward, whose values are used up; call "
                "forward again before each backward, and use a layer object of its own for each place in a model"
            )
        raise RuntimeError(f"{name_of(self)}: backward was called before forward; call the layer on an input first")

    def undo(self, record: Record, grad_y: Any) -> np.ndarray | None:
        """Run the backward that belongs to a forward; return the input's gradient, or None if nobody reads it."""
        plan, arguments, saved, _, _, _, constant, _ = record
        wants_grad_x = self.needs_input_grad and not constant
        if not grad_mode.retaining.get():
            self._record, self._used_up = None, True
        passed = [arguments[place] for place in plan.places] if plan.places else ()
        if not self.learned:
            return plan.backward(grad_y, *passed, saved) if wants_grad_x else None
        parameters: list[Parameter | None] = [getattr(self, name) for name in self.learned]
        mask = [wants_grad_x, *[parameter is not None and parameter.requires_grad for parameter in parameters]]
        if True not in mask:
            return None
        token = output_mask.set(mask if False in mask else None)
        try:
            grad_x, *grads = plan.backward(grad_y, *passed, saved)
        finally:
            output_mask.reset(token)
        for parameter, grad in zip(parameters, grads, strict=True):
            if parameter is not None and parameter.requires_grad:
                parameter.add_grad(grad)
        return grad_x if wants_grad_x else None

    def unread(self, record: Record) -> np.ndarray | None:
        """Return what stands for a gradient that nobody reads: None if this layer was told so.

        If a model was told so, its layers' gradients still go through the sums of its backward; there it is NaN, which
        costs nothing, and is seen if somebody reads it after all.
        """
        if not self.needs_input_grad:
            return None
        return np.ndarray(record.input_shape, record.dtype, NAN[record.dtype], strides=(0,) * len(record.input_shape))

    def own_dtype(self) -> np.dtype | None:
        """Return the dtype of the layer's own numbers; None if it has none."""
        for name in (*self.learned, *self._buffer_names):
            value = getattr(self, name)
            if value is not None and value.dtype in FLOAT_DTYPES:
                return value.dtype
        return None

    def value(self, name: str, absent: float) -> np.ndarray | float:
        """Return a parameter's numbers, or what stands for a parameter that is None."""
        parameter: Parameter | None = getattr(self, name)
        return absent if parameter is None else parameter.data

    def __getstate__(self) -> dict:
        # A copy, or a pickle, is of the layer, not of what it was last called with.
        return {**self.__dict__, "_record": None}
