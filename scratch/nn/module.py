"""What every layer has in common: parameters, a mode, children, and a forward that backward undoes.

PyTorch's ``torch.nn.Module`` records a graph during the forward pass and walks it when ``loss.backward()`` is called.
Here nothing is recorded: each layer keeps what its own ``backward`` reads, and a model calls the ``backward`` of its
layers in the reverse order of their ``forward``. That call is the chain rule:

    y = f(x)      L is a scalar that depends on x only through y
    dL/dx = J(x)^T dL/dy      ``backward`` maps grad_output = dL/dy to grad_input = dL/dx, without ever forming J

A layer's gradient with respect to its parameters is ADDED to ``Parameter.grad``: a parameter that is used twice has
two paths to the loss, and the derivative of a sum of paths is the sum of the derivatives.

Differs from PyTorch: a layer remembers its latest forward only, so one layer object cannot be applied twice between
two backwards; there are no hooks; the sum over the branches of a model is written out by its ``backward``.
"""

import inspect
from collections.abc import Callable
from typing import Any

from scratch import grad_mode
from scratch.checks import name_of
from scratch.nn.module_tree import ModuleTree


def _not_defined(name: str) -> Callable[..., Any]:
    def method(self: "Module", *inputs: Any) -> Any:
        raise NotImplementedError(f"{name_of(self)}: {name} is not defined")

    return method


class Module(ModuleTree):
    """Base class of layers and models.

    A subclass defines ``forward`` and ``backward``. Attributes that are a `Parameter` or a `Module` are found by their
    attribute names, in the order in which they were set; arrays that belong to the state but are not learned
    (running statistics) are announced with `register_buffer`.

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
        self._saved: dict[str, object] | None = None

    # Typed as PyTorch types its ``forward``: a subclass may take and return what it likes.
    forward: Callable[..., Any] = _not_defined("forward")
    """Compute the output from the input."""
    backward: Callable[..., Any] = _not_defined("backward")
    """Map dL/d(output) to dL/d(input), and add dL/d(parameter) to each parameter's ``grad``."""

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``. What PyTorch's layers call ``input`` is the first argument here, too, whatever its name."""
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
        """Return the arguments of a call with ``input=`` in the first place, unless ``forward`` has that name."""
        if inputs or "input" not in options:
            return inputs, options
        parameters = inspect.signature(self.forward).parameters
        if "input" in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            return inputs, options
        return (options.pop("input"),), options

    def requires_input_grad_(self, mode: bool = True) -> "Module":
        """Say whether anybody will read the gradient of the input, and return the module.

        While a network is trained, nobody reads how the loss would change with the images, and the layers that read
        them can save that work. A layer that was told so returns None from ``backward``; a layer inside of a model that
        was told so returns NaN, which goes through the model's sums without a cost. PyTorch needs no telling: it looks
        at the input's ``requires_grad``.
        """
        self.needs_input_grad = mode
        return self

    # What forward leaves for backward.

    def save_for_backward(self, **values: object) -> None:
        """Keep, by name, what ``backward`` will read; the values of the forward before are forgotten."""
        self._saved = values

    def saved(self, *names: str) -> object:
        """Return what ``forward`` kept under these names: one value for one name, a tuple for several.

        Raises
        ------
        RuntimeError
            If ``forward`` has not run.
        """
        if self._saved is None:
            raise RuntimeError(f"{name_of(self)}: backward was called before forward; call the layer on an input first")
        if len(names) == 1:
            return self._saved[names[0]]
        return tuple([self._saved[name] for name in names])

    def train(self, mode: bool = True) -> "Module":
        """Set training mode (True) or evaluation mode (False) here and below; return the module.

        Forwards that no backward has followed are forgotten.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"{name_of(self)}: expected training mode to be a bool, got {mode!r}")
        for module in self.modules():
            module.training = mode
            module.forget()
        return self

    # A layer keeps something of a forward for its backward; a model keeps nothing of its own.

    def forget(self) -> None:
        """Drop what forward kept."""

    def take_kept(self) -> Any:
        """Return what forward kept, and forget it."""
        return None

    def put_kept(self, kept: Any) -> None:
        """Keep what `take_kept` returned, as if that forward had just run."""

    def eval(self) -> "Module":
        """Set evaluation mode here and below; return the module."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's ``grad`` to None, or fill it with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.fill(0)

    def apply(self, function: Callable[["Module"], Any]) -> "Module":
        """Call ``function`` on every module below this one, children first, then on this one; return it."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def extra_repr(self) -> str:
        """Return the constructor's arguments as they stand in ``repr``."""
        return ""

    def __repr__(self) -> str:
        children = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *children, ")"])
