"""Reused: a module that is applied several times before backward, each application undone by a backward of its own.

A cell over time, one ReLU object in two places, a siamese network, a discriminator on real and on fake images: the
applications share the module's parameters, but not what each forward saved. So the forwards go on a stack,

    F1  y_1 = f(x_1),  y_2 = f(x_2),  ...,  y_T = f(x_T)                   each puts what it saved on the stack
    B1  grad_x_T = J_T^T grad_y_T,  ...,  grad_x_1 = J_1^T grad_y_1        each backward takes one off: the last first

and the gradient of a shared parameter is the sum of its gradients along all T paths, because backward adds.

Backwards in any other order than the reverse have to say which forward they mean:

    y, forward = cell.forward_with_handle(x)
    grad_x = cell.backward(grad_y, forward=forward)

A forward that gets no backward, for a target or a metric, belongs inside ``with scratch.no_grad():``: it would stay on
the stack, and the next backward would undo it instead of the one that was meant. Once the parameters have been written
to, what is on the stack can no longer be undone, and a new forward raises.

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
from scratch.nn.parameter import Parameter, writes
from scratch.nn.registry import Registry


class Reused(Module, saves=False):
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
        If a backward finds no forward left to undo; or if a forward finds one that has had no backward, although the
        module's parameters have been written to since.

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

    def forward_with_handle(self, *inputs: Any, **options: Any) -> tuple[Any, "Kept"]:
        """Apply the module; return the output, and the handle with which `backward` undoes this application."""
        if not grad_mode.recording.get():
            return self.module(*inputs, **options), NOT_KEPT
        if self._stack and self._stack[0].writes != writes.count:
            self._drop_outdated()
        output = self.module(*inputs, **options)
        kept = Kept(list(self.module.modules()))
        self._stack.append(kept)
        return output, kept

    def backward(self, *grad_outputs: Any, forward: "Kept | None" = None) -> Any:
        """Undo the latest application that no backward has undone, or the one that ``forward`` is the handle of.

        Takes and returns what the module's ``backward`` does: for a cell, the gradients of all its outputs and inputs.
        """
        kept = self._next_to_undo() if forward is None else forward
        place = next((index for index, one in enumerate(self._stack) if one is kept), None)
        if place is None:
            why = (
                "backward was given the handle of a forward inside no_grad(), which keeps nothing"
                if forward is NOT_KEPT
                else "backward found no forward left to undo; each forward has one backward, and the last forward's "
                "comes first; train() and eval() drop the forwards that wait"
            )
            raise RuntimeError(f"Reused({name_of(self.module)}): {why}")
        kept = self._stack[place]
        kept.put_back()
        try:
            grads = self.module.backward(*grad_outputs)
        finally:
            kept.take()
        kept.had_backward = True
        if not grad_mode.retaining.get():
            del self._stack[place]
        return grads

    def _next_to_undo(self) -> "Kept | None":
        """Return the latest application that had no backward; once all have had one that retained them, the latest."""
        if all(kept.had_backward for kept in self._stack):
            for kept in self._stack:
                kept.had_backward = False
        return next((kept for kept in reversed(self._stack) if not kept.had_backward), None)

    def _drop_outdated(self) -> None:
        """Drop the applications that are older than a write to a parameter; raise if one has had no backward."""
        written = max((parameter.written for parameter in self.module.parameters()), default=0)
        outdated = [kept for kept in self._stack if kept.writes < written]
        self._stack = [kept for kept in self._stack if kept.writes >= written]
        left = sum(not kept.had_backward for kept in outdated)
        if left:
            raise RuntimeError(
                f"Reused({name_of(self.module)}): {left} earlier {'forward has' if left == 1 else 'forwards have'} had "
                "no backward, and an optimizer's step, or load_state_dict, has written to the parameters since; run a "
                "forward that gets no backward inside `with scratch.no_grad():`; what they kept is dropped now"
            )

    def _take_kept(self) -> Any:
        stack, self._stack = self._stack, []
        return stack

    def _put_kept(self, kept: Any) -> None:
        self._stack = list(kept)

    def _forget(self) -> None:
        self._stack = []

    def _call_off(self) -> None:
        self._stack.pop()

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
        return {**super().__getstate__(), "_stack": []}


class Kept:
    """What one application of a module saved, in all of its layers.

    Attributes
    ----------
    writes : int
        How many writes to parameters had been counted when it ran.
    had_backward : bool
        Whether a backward has undone it. Inside ``retain_graph()`` it is kept for another.
    """

    def __init__(self, modules: list[Module]) -> None:
        self._modules = modules
        self.writes = writes.count
        self.had_backward = False
        self.take()

    def take(self) -> None:
        """Take it from the layers, so that their next forward finds nothing."""
        self._kept = [module._take_kept() for module in self._modules]

    def put_back(self) -> None:
        """Give it back to the layers, for their backwards."""
        for module, kept in zip(self._modules, self._kept, strict=True):
            module._put_kept(kept)


NOT_KEPT = Kept([])
"""The handle of a forward inside ``no_grad()``."""
