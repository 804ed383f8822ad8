"""Sequential: layers applied one after another, and the chain rule at its plainest.

    F1  x_0 = x;   x_k = f_k(x_(k-1)),   k = 1..K
    B1  grad_(k-1) = J_k^T grad_k,       k = K..1

Forward goes through the layers in order, backward in the reverse order: each layer maps the gradient of its output to
that of its input, which is the output of the layer before.

Each layer is stored only as the attribute of its name, so ``model.fc = nn.Linear(...)`` replaces one.

PyTorch's counterpart: ``torch.nn.Sequential``. Left out: ``*``. Differs from PyTorch: layers that ``insert`` or
``extend`` cannot take are refused before anything is changed, and ``insert`` refuses to rename layers that a program
named, where PyTorch fails on the first name that is no number.
"""

import itertools
import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import get_ident
from typing import Any, Self

import numpy as np

from scratch.dispatch import plans, quietly
from scratch.fusion import fuse
from scratch.grad_mode import constants, recording, retaining
from scratch.nn.between import backward_between, can_be_at_an_end, can_be_between, forward_between
from scratch.nn.layer import Layer
from scratch.nn.module import Module


class Sequential(Module, saves=False):
    """Layers in a row, named "0", "1", ... in the state dict.

    Parameters
    ----------
    *layers : Module, or one OrderedDict of str to Module
        The layers, first to last; an OrderedDict names them.

    Raises
    ------
    TypeError
        If one of them is not a Module.
    KeyError
        If a name contains a dot or is already an attribute.
    IndexError
        If there is no such layer.

    Examples
    --------
    >>> import scratch.nn as nn
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias']
    """

    _cached_layers: list[Module] | None = None
    _cached_steps: list[tuple[Any, bool, bool, bool]] | None = None

    def __init__(self, *layers: Module | OrderedDict) -> None:
        super().__init__()
        if len(layers) == 1 and isinstance(layers[0], OrderedDict):
            named = list(layers[0].items())
        else:
            named = [(str(index), layer) for index, layer in enumerate(layers)]
        for name, layer in named:
            self.add_module(name, self._layer(name, layer))

    @quietly
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Apply the layers in order."""
        known, constant, records, thread = plans.get(), constants.get() or {}, recording.get(), get_ident()
        steps, ran = self._steps(), 0
        try:
            for layer, saves_calls, is_first, is_last in steps:
                if not is_first and type(x) is np.ndarray:
                    x.setflags(write=False)  # a read-only array need not be copied
                is_constant = id(x) in constant
                if saves_calls and records and (layer.learned or not is_constant) and "forward" not in vars(layer):
                    x = forward_between(layer, x, known, thread, is_constant, is_first, is_last)  # F1
                else:
                    x = layer(x)  # F1
                ran += 1
        except BaseException:
            if records:
                for layer, *_ in steps[:ran]:
                    layer._call_off()
            raise
        return x

    @quietly
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Apply the layers' backward in reverse order."""
        retains, thread = retaining.get(), get_ident()
        for layer, saves_calls, _, _ in reversed(self._steps()):
            if saves_calls and not retains and "backward" not in vars(layer):
                grad_output = backward_between(layer, grad_output, thread)  # B1
            else:
                grad_output = layer.backward(grad_output)  # B1
        return grad_output

    def __len__(self) -> int:
        return len(self._layers())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers())

    def __getitem__(self, index: int | slice) -> Module:
        """Return a layer, or for a slice a Sequential of the same layers under the same names."""
        if isinstance(index, slice):
            return Sequential(OrderedDict(self._named_modules_held()[index]))
        return self._layers()[index]

    def _call_off(self) -> None:
        for layer in self._layers():
            layer._call_off()

    def __setitem__(self, index: int, layer: Module) -> None:
        name = self._names(index)[0]
        setattr(self, name, self._layer(name, layer))

    def __delitem__(self, index: int | slice) -> None:
        """Remove one layer or several, and name all others by their numbers."""
        for name in self._names(index):
            delattr(self, name)
        layers = list(self)
        for name, _ in self._named_modules_held():
            delattr(self, name)
        self.extend(layers)

    def __add__(self, other: "Sequential") -> "Sequential":
        return Sequential(*self, *self._added(other))

    def __iadd__(self, other: "Sequential") -> Self:
        for number, layer in enumerate(list(self._added(other)), len(self)):
            self.add_module(str(number), layer)
        return self

    def append(self, module: Module) -> Self:
        """Add a layer at the end, named by its number; return the Sequential."""
        return self.extend([module])

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add the layers of an iterable at the end, named by their numbers; return the Sequential."""
        start = len(self)
        for layer in [self._layer(start + place, layer) for place, layer in enumerate(sequential)]:
            self.add_module(str(len(self)), layer)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Insert a layer before the one at ``index``, and renumber those after it; return the Sequential."""
        count = len(self)
        if not -count <= index <= count:
            raise IndexError(f"Sequential: expected an index within the {count} layers, got {index}")
        place = index % count if index < 0 else index
        named = self._named_modules_held()[place:]
        for number, (name, _) in enumerate(named, place):
            if name != str(number):
                raise KeyError(f"Sequential: expected to insert before layers named by their numbers, got {name!r}")
        layers = [self._layer(str(place), module), *[layer for _, layer in named]]
        for number, layer in enumerate(layers, place):
            self.add_module(str(number), layer)
        return self

    def _layer(self, name: object, layer: Any) -> Module:
        if not isinstance(layer, Module):
            raise TypeError(f"Sequential: expected layer '{name}' to be a Module, got {type(layer).__name__}")
        return layer

    def _added(self, other: Any) -> "Sequential":
        if not isinstance(other, Sequential):
            raise ValueError(f"Sequential: expected a Sequential to add, got a {type(other).__name__}")
        return other

    def _names(self, index: int | slice) -> list[str]:
        names = [name for name, _ in self._named_modules_held()]
        if isinstance(index, slice):
            return names[index]
        place = operator.index(index)
        if not -len(names) <= place < len(names):
            raise IndexError(f"Sequential: expected an index within the {len(names)} layers, got {index}")
        return [names[place]]

    def _layers(self) -> list[Module]:
        layers = self._cached_layers
        if layers is None:
            layers = self.__dict__["_cached_layers"] = [layer for _, layer in self._named_modules_held()]
        return layers

    def _steps(self) -> list[tuple[Any, bool, bool, bool]]:
        # Each layer, or an object that runs several as one; whether the cheaper call of `between` will do for it; and
        # whether it is the first or the last in a run of neighbouring layers. A user's own module ends a run: it may
        # keep what it returns, or write to its input.
        steps = self._cached_steps
        if steps is None:
            for name in self._module_names:
                self._layer(name, getattr(self, name))
            fused: list[Any] = fuse(self._layers())
            are_layers = [False, *[isinstance(layer, Layer) for layer in fused], False]
            are_apart = [both != (True, True) for both in itertools.pairwise(are_layers)]
            steps = []
            for layer, (is_first, is_last) in zip(fused, itertools.pairwise(are_apart), strict=True):
                can_be = can_be_at_an_end if is_first or is_last else can_be_between
                steps.append((layer, isinstance(layer, Layer) and can_be(layer), is_first, is_last))
            self.__dict__["_cached_steps"] = steps
        return steps

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        self._forget_order()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._forget_order()

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), "_cached_layers": None, "_cached_steps": None}

    def _forget_order(self) -> None:
        self.__dict__["_cached_layers"] = self.__dict__["_cached_steps"] = None
