"""Layer: all that surrounds a layer's mathematics, written once for all layers.

A layer is a pair of pure functions, the derivation as code, and a class. This is what the classes share: they check
the input, call the forward function, keep what it returned for backward, and add up the gradients of the parameters.

    forward     x -> check -> fold -> y, saved = function(x, *arguments) -> unfold -> y
    backward    grad_y -> check -> fold -> grad_x, *grads = function_backward(grad_y, ..., saved) -> unfold -> grad_x
                                           weight.grad += grads[0],  bias.grad += grads[1]

The functions take the shape that their derivation has. `Layer.fold` brings an input into it (a sequence as a batch of
rows, an image as a batch of one) and `Layer.unfold` brings the result back. An absent weight is a factor of 1 and an
absent bias a summand of 0, so that the functions need not ask.

**Which forward.** A backward undoes the latest forward and uses up what that kept; a second one would add the same
gradients again. If several forwards have run since the last backward, it raises: only the latest one's values are left,
and the caller may mean another. Forwards that need no backward run inside of ``scratch.no_grad()``; ``train()`` and
``eval()`` forget those that are waiting.

**Who owns an array.** NumPy does not tell anybody when an array is written to, as PyTorch does. So:

- An input belongs to the caller, who may write to it once forward has returned: what backward reads of it is a copy. An
  array that nobody can write to is kept as it is.
- An output belongs to the caller, too. If backward reads it, it is read-only until that backward has run: ``h += skip``
  after a ReLU raises. ``h = h + skip`` is right at any time.
- Where a result is the argument or a view of it (Identity, Flatten, Dropout in evaluation), it is a read-only view.
- A gradient that backward returns belongs to the caller. ``Parameter.grad`` is the parameter's own.
- ``Parameter.data`` stays the same array for good: optimizers and ``load_state_dict`` write into it, so references and
  state dicts stay live, and tied arrays stay tied. Only an assignment, or a change of dtype, replaces it.

What this costs: a copy of the arrays that a network is fed with, and of inputs that no layer has made read-only.
"""

from threading import get_ident
from typing import Any, ClassVar, NamedTuple

import numpy as np

from scratch import dispatch, grad_mode
from scratch.checks import FLOAT_DTYPES, check_grad_output, check_input, check_integers, name_of
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter

FLOATS = tuple([dtype.num for dtype in FLOAT_DTYPES])
NAN = {dtype: np.array(np.nan, dtype).tobytes() for dtype in FLOAT_DTYPES}


USED_UP = (
    "backward was called a second time after one forward, and has used up what that kept; call forward before each "
    "backward"
)
REPLACED = (
    "forwards have run since the last backward, and only the latest one's values are kept; run a forward that needs no "
    "backward inside of `with scratch.no_grad():`, and give each place in a model a layer object of its own"
)
OTHER_THREAD = (
    "backward was called in another thread than the latest forward; two threads that train one model would mix their "
    "gradients: give each a copy of the model (copy.deepcopy)"
)


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
    locked : numpy.ndarray or None
        The output, if backward reads it: nobody can write to it until then.
    thread : int
        The thread that forward ran in.
    pending : int
        How many forwards, this one included, wait for a backward.
    """

    plan: dispatch.Plan
    arguments: tuple
    saved: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype
    constant: bool
    folds: bool
    locked: np.ndarray | None
    thread: int
    pending: int


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
    takes_integers : bool
        Whether the input is an array of indices. It has no gradient, and backward returns None.
    passes_through : bool
        Whether the functions may return their argument, or a view of it. The caller gets a view to read, then.
    """

    functions: ClassVar[dispatch.Pair]
    learned: ClassVar[tuple[str, ...]] = ()
    kernels_fold: ClassVar[bool] = True
    inputs: ClassVar[int] = 1
    takes_integers: ClassVar[bool] = False
    passes_through: ClassVar[bool] = False
    _has_fold: ClassVar[bool] = False
    _has_check: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._has_fold, cls._has_check = cls.fold is not Layer.fold, cls.check is not Layer.check

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
            dtype = self.own_dtype()
            if type(x) is not np.ndarray or (x.dtype.num not in FLOATS if dtype is None else x.dtype != dtype):
                check_input(self, x, dtype)
        if self._has_check:
            self.check(x)

    def forward(self, x: np.ndarray) -> Any:
        """Map an input to the output."""
        self.check_input(x)
        return self.run(self.functions, x, *self.arguments())[0]

    def run(self, functions: dispatch.Pair, x: np.ndarray, *arguments: Any) -> tuple:
        """Run a pair's forward, and keep what its backward needs; return the outputs, those without gradients too."""
        plan = dispatch.plan(functions)
        folds = self._has_fold and (plan.is_plain or self.kernels_fold)
        rows = self.fold(x) if folds else x
        forward = plan.forward if dispatch.is_quiet.get() else plan.quiet_forward
        results = forward(rows, *arguments)
        result, saved = results[0], results[1]
        y = self.unfold(result, x.shape) if folds else result
        if type(y) is not np.ndarray:
            y = np.asarray(y)  # NumPy's arithmetic makes a number of an array without axes
        if self.passes_through:
            y = to_read(y, x)
        if grad_mode.recording.get():
            constant = grad_mode.constants.get() is not None and grad_mode.is_constant(x)
            if constant and not self.learned:
                grad_mode.mark_constant(y)
            locked = None
            for place, value in enumerate(saved):
                if value is result:
                    locked = y
                    y.flags.writeable = False
                elif value is rows or (self.inputs > 1 and is_one_of(value, arguments[: self.inputs - 1])):
                    saved = own(saved, place)
            last = self._record
            pending = 1 if last is None else last.pending + 1
            kept = (plan, arguments, saved, x.shape, y.shape, y.dtype, constant, folds, locked, get_ident(), pending)
            self.__dict__["_record"] = tuple.__new__(Record, kept)
        return (y, *results[2:]) if len(results) > 2 else (y,)

    def backward(self, grad_output: np.ndarray) -> Any:
        """Map the gradient of the output to that of the input, and add to the parameters' gradients.

        Raises
        ------
        RuntimeError
            If no forward is left to undo, or ``grad_output`` has not the output's shape and dtype.
        TypeError
            If ``grad_output`` is no array.
        """
        record = self._record
        if record is None or record.pending > 1 or record.thread != get_ident():
            record = self.record()
        _, _, _, input_shape, output_shape, dtype, _, folds, _, _, _ = record
        if type(grad_output) is not np.ndarray or grad_output.shape != output_shape or grad_output.dtype != dtype:
            check_grad_output(self, grad_output, output_shape, dtype)
        grad_x = self.undo(record, self.fold(grad_output) if folds else grad_output)
        if grad_x is None:
            return self.unread(record)
        if folds:
            grad_x = self.unfold(grad_x, input_shape)
        if type(grad_x) is not np.ndarray:
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
        record = self._record
        if record is not None and record.thread == get_ident() and (record.pending == 1 or grad_mode.retaining.get()):
            return record
        self.forget()
        if record is None:
            what = USED_UP if self._used_up else "backward was called before forward; call the layer on an input first"
        else:
            what = f"{record.pending} {REPLACED}" if record.pending > 1 else OTHER_THREAD
        raise RuntimeError(f"{name_of(self)}: {what}")

    def forget(self) -> None:
        """Drop what the latest forward kept."""
        self.__dict__["_record"] = None

    def take_kept(self) -> Record | None:
        """Return what the latest forward kept, and forget it."""
        record, self.__dict__["_record"] = self._record, None
        return record

    def put_kept(self, kept: Record | None) -> None:
        """Keep what `take_kept` returned, as if that forward had just run."""
        self.__dict__["_record"] = kept

    def undo(self, record: Record, grad_y: Any) -> np.ndarray | None:
        """Run the backward that belongs to a forward; return the input's gradient, or None if nobody reads it."""
        plan, arguments, saved, _, _, _, constant, _, locked, _, _ = record
        wants_grad_x = self.needs_input_grad and not constant and not self.takes_integers
        if not grad_mode.retaining.get():
            self.__dict__.update(_record=None, _used_up=True)
            if locked is not None:
                locked.flags.writeable = True
        backward = plan.backward if dispatch.is_quiet.get() else plan.quiet_backward
        passed = [arguments[place] for place in plan.places] if plan.places else ()
        if not self.learned:
            return backward(grad_y, *passed, saved) if wants_grad_x else None
        parameters: list[Parameter | None] = [getattr(self, name) for name in self.learned]
        mask = [wants_grad_x]
        for parameter in parameters:
            mask.append(parameter is not None and parameter.requires_grad)
        if True not in mask:
            return None
        if False in mask:
            token = dispatch.output_mask.set(mask)
            try:
                grad_x, *grads = backward(grad_y, *passed, saved)
            finally:
                dispatch.output_mask.reset(token)
        else:
            grad_x, *grads = backward(grad_y, *passed, saved)
        for parameter, grad in zip(parameters, grads, strict=True):
            if parameter is not None and parameter.requires_grad:
                parameter.take_grad(self.unfold_grad(grad, parameter))
        return grad_x if wants_grad_x else None

    def unread(self, record: Record) -> np.ndarray | None:
        """Return what stands for a gradient that nobody reads: None if this layer was told so.

        If a model was told so, its layers' gradients still go through the sums of its backward; there it is NaN, which
        costs nothing, and is seen if somebody reads it after all.
        """
        if not self.needs_input_grad or self.takes_integers:
            return None
        return np.ndarray(record.input_shape, record.dtype, NAN[record.dtype], strides=(0,) * len(record.input_shape))

    def own_dtype(self) -> np.dtype | None:
        """Return the dtype of the layer's own numbers; None if it has none."""
        for name in self.learned + self._buffer_names if self._buffer_names else self.learned:
            value = self.__dict__[name]
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


def is_one_of(value: Any, arguments: tuple) -> bool:
    """Return whether ``value`` is the very object that one of the arguments is."""
    return any(value is argument for argument in arguments)


def own(saved: tuple, place: int) -> tuple:
    """Return what a forward saved, with a copy of its own of an array that its caller may write to."""
    value = saved[place]
    if not isinstance(value, np.ndarray) or not value.flags.writeable:
        return saved
    return (*saved[:place], value.copy(order="K"), *saved[place + 1 :])


def to_read(result: np.ndarray, argument: np.ndarray) -> np.ndarray:
    """Return ``result``, or, where it is ``argument`` or a view of it, a view that nobody can write to."""
    if not np.may_share_memory(result, argument):
        return result
    view = result.view()
    view.flags.writeable = False
    return view
