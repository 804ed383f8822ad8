"""Reused: a module that is applied several times before backward, each application undone by a backward of its own.

A cell over time, one ReLU object in two places, a siamese network, a discriminator on real and on fake images: the
applications share the module's parameters, but not what each forward saved. So the forwards go on a stack,

    F1  y_1 = f(x_1),  y_2 = f(x_2),  ...,  y_T = f(x_T)                   each puts what it saved on the stack
    B1  grad_x_T = J_T^T grad_y_T,  ...,  grad_x_1 = J_1^T grad_y_1        each backward takes one off: the last first

and the gradient of a shared parameter is the sum of its gradients along all T paths, because backward adds.

Backwards in any other order than the reverse have to say which forward they mean:

    y, forward = cell.forward_with_handle(x)
    grad_x = cell.backward(grad_y, forward=forward)

PyTorch needs none of this: its graph remembers each application. Here the model's code says so:

    self.relu = nn.Reused(nn.ReLU())

Backpropagation through time by hand, for a cell that a model unrolls:

    for x_t in x:                           for grad_y_t in reversed(grad_y):
        h, c = self.cell(x_t, (h, c))           grad_h = grad_h + grad_y_t
        y.append(h)                             grad_x_t, (grad_h, grad_c) = self.cell.backward(grad_h, grad_c)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from scratch import grad_mode
from scratch.checks import name_of
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter
from scratch.nn.registry import Registry


class Reused(Module):
    """A module for several places or points in time. Its parameters keep the names that they have without `Reused`.

    The attributes are the module's, too, to read, to assign and to delete: ``self.out.weight = self.emb.weight`` ties
    the weight of the layer that is reused. What `Reused` has itself, such as ``backward``, is its own; ``training`` is
    set in both.

    Parameters
    ----------
    module : Module
        The layer or the network to apply; it may itself hold modules that are reused.

    Raises
    ------
    TypeError
        If ``module`` is not a Module.
    RuntimeError
        If a backward finds no forward left to undo.

    Examples
    --------
    >>> import numpy as np
    >>> import scratch.nn as nn
    >>> relu = nn.Reused(nn.ReLU())
    >>> relu(np.array([-1.0])), relu(np.array([2.0]))
    (array([0.]), array([2.]))
    >>> relu.backward(np.array([5.0])), relu.backward(np.array([5.0]))
    (array([5.]), array([0.]))
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(f"Reused: expected a Module, got {type(module).__name__}")
        self._stack: list[Kept] = []
        self.module: Any = module  # from here on, other attributes are the module's

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Apply the module."""
        return self.forward_with_handle(*inputs, **options)[0]

    def forward_with_handle(self, *inputs: Any, **options: Any) -> tuple[Any, "Kept | None"]:
        """Apply the module; return the output, and the handle with which `backward` undoes this application."""
        output = self.module(*inputs, **options)
        if not grad_mode.recording.get():
            return output, None
        kept = Kept(self.module)
        self._stack.append(kept)
        return output, kept

    def backward(self, *grad_outputs: Any, forward: "Kept | None" = None) -> Any:
        """Undo the latest application that no backward has undone, or the one that ``forward`` is the handle of.

        Takes and returns what the module's ``backward`` does: for a cell, the gradients of all its outputs and inputs.
        """
        place: int | None = -1
        if forward is not None:
            place = next((index for index, kept in enumerate(self._stack) if kept is forward), None)
        if not self._stack or place is None:
            raise RuntimeError(
                f"Reused({name_of(self.module)}): backward found no forward left to undo; each forward has one "
                "backward, and the last forward's comes first"
            )
        kept = self._stack[place] if grad_mode.retaining.get() else self._stack.pop(place)
        kept.put_back()
        return self.module.backward(*grad_outputs)

    def take_kept(self) -> Any:
        """Return the applications that wait for a backward, and forget them."""
        stack, self.__dict__["_stack"] = self._stack, []
        return stack

    def put_kept(self, kept: Any) -> None:
        """Set the applications that wait for a backward."""
        self.__dict__["_stack"] = list(kept)

    def forget(self) -> None:
        """Drop the applications that wait for a backward."""
        self.__dict__["_stack"] = []

    # The module's names are the same as without this wrapper.

    def _walk(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return self.module._walk(prefix)

    def register_buffer(self, name: str, array: np.ndarray | None, persistent: bool = True) -> None:
        """Register a buffer of the module."""
        self.module.register_buffer(name, array, persistent)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Register a parameter of the module."""
        self.module.register_parameter(name, parameter)

    def add_module(self, name: str, module: Registry | None) -> None:
        """Register a module in the module."""
        self.module.add_module(name, module)

    def _is_own(self, name: str) -> bool:
        return "module" not in self.__dict__ or name in self.__dict__ or hasattr(type(self), name)

    def __getattr__(self, name: str) -> Any:
        # Called for what this object does not have. Python itself asks for some names between two underscores, which it
        # would take for this object's.
        if "module" not in self.__dict__ or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return getattr(self.module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        is_own = self._is_own(name)
        if is_own:
            super().__setattr__(name, value)
        if not is_own or (name == "training" and "module" in self.__dict__):
            setattr(self.module, name, value)

    def __delattr__(self, name: str) -> None:
        if self._is_own(name):
            super().__delattr__(name)
        else:
            delattr(self.module, name)

    def __getitem__(self, index: Any) -> Any:
        return self.module[index]

    def __len__(self) -> int:
        return len(self.module)

    def __bool__(self) -> bool:
        return bool(self.module)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_stack": []}


class Kept:
    """What one application of a module saved, in all of its layers."""

    def __init__(self, module: Module) -> None:
        self._of = [(one, one.take_kept()) for one in module.modules()]

    def put_back(self) -> None:
        """Give it back to the layers, for their backwards."""
        for module, kept in self._of:
            module.put_kept(kept)
