"""What every layer has in common: parameters, a mode, children, and a forward that backward undoes.

PyTorch's ``torch.nn.Module`` records a graph during the forward pass and walks it when ``loss.backward()`` is called.
Here there is no such graph: each layer saves what its own ``backward`` reads, and a model calls the ``backward`` of its
layers in the reverse order of their ``forward``. Each of these calls is one step of the chain rule:

    y = f(x)      L is a scalar that depends on x only through y
    dL/dx = J(x)^T dL/dy      ``backward`` maps grad_output = dL/dy to grad_input = dL/dx, without ever forming J

The gradient of a parameter is ADDED to ``Parameter.grad``: a parameter that is used twice reaches the loss along two
paths, and its gradient is the sum over both.

Differs from PyTorch: a layer remembers only its latest forward, so one layer object cannot be applied twice between two
backwards; there are no hooks; a model with branches sums their gradients in its own ``backward``.
"""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from scratch import grad_mode
from scratch.checks import name_of
from scratch.grad_mode import recording
from scratch.nn.module_state import ModuleState
from scratch.nn.parameter import clear_grads
from scratch.nn.record import NOTHING
from scratch.nn.saving import Saving, around_backward, around_forward


def _not_defined(name: str) -> Callable[..., Any]:
    def method(self: "Module", *inputs: Any) -> Any:
        raise NotImplementedError(f"{name_of(self)}: {name} is not defined")

    return method


class Module(ModuleState):
    """Base class of layers and models.

    A subclass defines ``forward`` and ``backward``. Attributes that are a `Parameter` or a `Module` are found by their
    attribute names, in the order in which they were set; arrays that belong to the state but are not learned (running
    statistics) are registered with `register_buffer`.

    What ``forward`` saves with `save_for_backward` is for one ``backward``, as in a layer. So that it is known where
    each begins and ends, a subclass's own two methods are wrapped when the class is made: see `scratch.nn.saving`.

    Attributes
    ----------
    training : bool
        Whether the module is in training mode.
    needs_input_grad : bool
        Whether ``backward`` has to return the gradient of the input; see `requires_input_grad_`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.training = True
        self.needs_input_grad = True
        self._saving = Saving()

    def __init_subclass__(cls, saves: bool = True, **options: Any) -> None:
        """Have a class's own forward and backward called by `Saving`, unless it never calls `save_for_backward`."""
        super().__init_subclass__(**options)
        for name, around in (("forward", around_forward), ("backward", around_backward)) if saves else ():
            owner = next(one for one in cls.__mro__ if name in vars(one))
            method = vars(owner)[name]
            if isinstance(method, FunctionType) and (owner is cls or not issubclass(owner, Module)):
                setattr(cls, name, around(method))

    # Typed as PyTorch types its ``forward``: a subclass may take and return what it likes.
    forward: Callable[..., Any] = _not_defined("forward")
    """Compute the output from the input."""
    backward: Callable[..., Any] = _not_defined("backward")
    """Map dL/d(output) to dL/d(input), and add dL/d(parameter) to each parameter's ``grad``."""

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``. The first argument may be passed as ``input=``, as in PyTorch, whatever its name is here."""
        if options:
            inputs, options = self._by_position(inputs, options)
        if self.needs_input_grad:
            return self.forward(*inputs, **options) if options else self.forward(*inputs)
        token = grad_mode.constants.set({id(one): one for one in (*inputs, *options.values())})
        try:
            return self.forward(*inputs, **options)
        finally:
            grad_mode.constants.reset(token)

    def _by_position(self, inputs: tuple, options: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Return a call's arguments with ``input=`` moved to the front, unless ``forward`` itself takes that name."""
        if inputs or "input" not in options:
            return inputs, options
        parameters = inspect.signature(self.forward).parameters
        if "input" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            return inputs, options
        return (options.pop("input"),), options

    def requires_input_grad_(self, mode: bool = True) -> "Module":
        """Set whether the gradient of the input is needed, and return the module.

        Training needs no gradient of the loss with respect to the images, so the layers that read them can skip that
        work. With ``mode=False`` a layer returns None from ``backward``. If it was set for a model, the layers inside
        that read the model's input return NaN, which costs nothing and passes through the sums of the model's backward.
        PyTorch needs no such call: it looks at the input's ``requires_grad``.
        """
        self.needs_input_grad = mode
        return self

    # What forward saves for backward.

    def save_for_backward(self, **values: object) -> None:
        """Save, by name, what ``backward`` will read; this replaces what the previous forward saved.

        Arrays that somebody may write to are copied, also those in tuples and lists; `saved` returns them read-only.
        Inside ``no_grad()`` nothing is saved, and what was saved before stays.
        """
        if recording.get():
            self._saving.save(values)

    def saved(self, *names: str) -> Any:
        """Return what ``forward`` saved under these names: one value for one name, a tuple for several.

        A backward may read a value several times. When it returns, it has used up all of them.

        Raises
        ------
        RuntimeError
            If there was no forward, if a backward has used up what it saved, if several forwards have run since the
            last backward, if the latest ran in another thread, or if an optimizer's step or ``load_state_dict`` has
            written to one of this module's own parameters since.
        """
        values = self._saving.read(self)
        if len(names) == 1:
            return values[names[0]]
        return tuple([values[name] for name in names])

    def train(self, mode: bool = True) -> "Module":
        """Set this module and all below it to training mode (True) or evaluation mode (False); return the module.

        Layers drop what they saved for a backward that has not run.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"{name_of(self)}: expected training mode to be a bool, got {mode!r}")
        for module in self.modules():
            module.training = mode
            module._forget()
        return self

    # What has saved more than `save_for_backward` did overrides these. A name without an underscore would be one that
    # a user's own attribute may have: an LSTM has a gate to forget.

    def _forget(self) -> None:
        """Drop what waits for a backward."""
        self._saving.forget()

    def _call_off(self) -> None:
        """Drop what the latest forward saved, but not the count if an earlier one waits: its backward has to raise."""
        if self._saving.record.pending == 1:
            self._saving.forget()

    def _take_kept(self) -> Any:
        """Return what forward saved, and drop it."""
        saving = self._saving
        record, saving.record = saving.record, NOTHING
        return record

    def _put_kept(self, kept: Any) -> None:
        """Put back what `_take_kept` returned, as if that forward had just run."""
        self._saving.record = kept

    def __getstate__(self) -> dict:
        # A copy or a pickle holds the module, not what its last forward saved.
        return {**self.__dict__, "_saving": Saving()}

    def eval(self) -> "Module":
        """Set this module and all below it to evaluation mode; return the module."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's ``grad`` to None, or fill it with zeros."""
        clear_grads(self.parameters(), set_to_none)

    def apply(self, function: Callable[["Module"], Any]) -> "Module":
        """Call ``function`` on every module below this one, children first, then on this one; return this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def extra_repr(self) -> str:
        """Return the constructor's arguments as ``repr`` shows them."""
        return ""

    def __repr__(self) -> str:
        held = self._named_modules_held()
        children = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in held]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *children, ")"])
