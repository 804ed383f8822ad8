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

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scratch import grad_mode
from scratch.checks import name_of


class Parameter:
    """An array that an optimizer changes, with its gradient.

    Parameters
    ----------
    data : numpy.ndarray
        The values. Kept as given, not copied.
    requires_grad : bool
        Whether backwards add to ``grad``.

    Attributes
    ----------
    data : numpy.ndarray
        The values, of any shape.
    grad : numpy.ndarray or None
        The gradient of the loss with respect to ``data``, of the same shape and dtype; None until the first backward.
    requires_grad : bool
        Whether backwards add to ``grad``. May be changed at any time.
    """

    __slots__ = ("data", "grad", "requires_grad")

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        self.data = data
        self.grad: np.ndarray | None = None
        self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ``data``."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of ``data``."""
        return self.data.dtype

    def add_grad(self, grad: np.ndarray) -> None:
        """Add ``grad``, an array that its caller made and gives away, to ``self.grad``."""
        if self.grad is None:
            self.grad = grad
        else:
            self.grad += grad

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


def _not_defined(name: str) -> Callable[..., Any]:
    def method(self: "Module", *inputs: Any) -> Any:
        raise NotImplementedError(f"{name_of(self)}: {name} is not defined")

    return method


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` did not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
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
        self.training = True
        self.needs_input_grad = True
        self._buffer_names: tuple[str, ...] = ()
        self._saved: dict[str, object] | None = None

    # Typed as PyTorch types its ``forward``: a subclass may take and return what it likes.
    forward: Callable[..., Any] = _not_defined("forward")
    """Compute the output from the input."""
    backward: Callable[..., Any] = _not_defined("backward")
    """Map dL/d(output) to dL/d(input), and add dL/d(parameter) to each parameter's ``grad``."""

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``."""
        if self.needs_input_grad:
            return self.forward(*inputs, **options) if options else self.forward(*inputs)
        token = grad_mode.constants.set([*inputs, *options.values()])
        try:
            return self.forward(*inputs, **options)
        finally:
            grad_mode.constants.reset(token)

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

    # The tree of modules, and what it owns.

    def register_buffer(self, name: str, array: np.ndarray | None) -> None:
        """Set attribute ``name`` to an array that belongs to the state but is not learned (None: absent)."""
        self._buffer_names += (name,)
        setattr(self, name, array)

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the modules that this one holds directly, with their attribute names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all below it, parents first, each once, with dotted names."""
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _walk(self, prefix: str) -> Iterator[tuple[str, "Module"]]:
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """Yield this module and all below it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its dotted name; a module's own come before its children's."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self) -> None:
        """Set every parameter's ``grad`` to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> "Module":
        """Set training mode (True) or evaluation mode (False) here and below; return the module."""
        if not isinstance(mode, bool):
            raise ValueError(f"{name_of(self)}: expected training mode to be a bool, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Module":
        """Set evaluation mode here and below; return the module."""
        return self.train(False)

    # The state, under PyTorch's names.

    def _state(self) -> Iterator[tuple[str, np.ndarray]]:
        for prefix, module in self._walk(""):
            own = [name for name, value in vars(module).items() if isinstance(value, Parameter)]
            for name in (*own, *module._buffer_names):
                value = getattr(module, name)
                if value is not None:
                    array = value.data if isinstance(value, Parameter) else value
                    yield f"{prefix}.{name}" if prefix else name, array

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the arrays of all parameters and buffers under dotted names, PyTorch's own.

        The arrays are the module's, not copies, as in PyTorch: copy them to keep a snapshot.
        """
        return dict(self._state())

    def load_state_dict(self, mapping: Mapping[str, np.ndarray], strict: bool = True) -> IncompatibleKeys:
        """Copy ``mapping``'s arrays into the parameters and buffers, converting to their dtypes.

        Everything is checked before the first number is written.

        Parameters
        ----------
        mapping : mapping of str to numpy.ndarray
            As `state_dict` returns it.
        strict : bool
            Whether a key too few or too many is an error.

        Returns
        -------
        IncompatibleKeys
            The keys that were missing and those that were not expected.

        Raises
        ------
        RuntimeError
            If ``strict`` and the keys differ, or if a shape differs. Nothing has been changed then.
        """
        state = self.state_dict()
        missing = [key for key in state if key not in mapping]
        unexpected = [key for key in mapping if key not in state]
        faults = []
        if strict:
            faults += [f"missing key {key!r}" for key in missing]
            faults += [f"unexpected key {key!r}" for key in unexpected]
        for key, array in state.items():
            if key in mapping and np.shape(mapping[key]) != array.shape:
                faults.append(f"{key!r}: expected shape {array.shape}, got {np.shape(mapping[key])}")
        if faults:
            raise RuntimeError(f"{name_of(self)}: state dict does not fit: " + "; ".join(faults))
        for key, array in state.items():
            if key in mapping:
                array[...] = mapping[key]
        return IncompatibleKeys(missing, unexpected)

    def extra_repr(self) -> str:
        """Return the constructor's arguments as they stand in ``repr``."""
        return ""

    def __repr__(self) -> str:
        children = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *children, ")"])
