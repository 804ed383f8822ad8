"""ModuleList and ParameterList: lists that a model holds, so that their entries are found.

The entries of a plain Python list are not found: they are in no state dict, no optimizer gets them, and ``train()`` and
``eval()`` skip them. Here each entry is an attribute, named by its number, and is stored nowhere else.

Neither has a forward: the model that holds a list decides how both passes use the entries.

PyTorch's counterparts: ``torch.nn.ModuleList``, ``torch.nn.ParameterList``. Differs from PyTorch: a ParameterList takes
only arrays and parameters, and turns the arrays into parameters; PyTorch's takes anything.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

import numpy as np

from scratch.checks import name_of
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter


class _Numbered(Module):
    kind: ClassVar[type]

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def entry(self, value: Any) -> Any:
        """Return the entry for a value, or raise if it cannot be in the list."""
        if not isinstance(value, self.kind):
            raise TypeError(f"{name_of(self)}: expected each entry to be a {self.kind.__name__}, got {value!r:.80}")
        return value

    def __len__(self) -> int:
        return sum(name.isdigit() for name in vars(self))

    def __iter__(self) -> Iterator[Any]:
        return iter([value for name, value in vars(self).items() if name.isdigit()])

    def __getitem__(self, index: int | slice) -> Any:
        """Return an entry, or for a slice a new list of the same entries."""
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name(index), self.entry(value))

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add an entry at the end; return the list."""
        setattr(self, str(len(self)), self.entry(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add the entries of an iterable at the end; return the list.

        Raises
        ------
        TypeError
            If it is not an iterable, or an entry cannot be in the list. Then nothing has been added.
        """
        if not isinstance(values, Iterable) or isinstance(values, (np.ndarray, str)):
            raise TypeError(f"{name_of(self)}: expected an iterable, got a {type(values).__name__}")
        for value in [self.entry(value) for value in values]:
            self.append(value)
        return self

    def _name(self, index: int) -> str:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"{name_of(self)}: expected an index within the {len(self)} entries, got {index}")
        return str(place % len(self))


class ModuleList(_Numbered):
    """A list of modules, named "0", "1", ... in the state dict.

    Parameters
    ----------
    modules : iterable of Module, optional
        The entries.

    Raises
    ------
    TypeError
        If an entry is not a Module.
    IndexError
        If there is no such entry.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn
    >>> class Residual(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
    ...
    ...     def forward(self, x):
    ...         for layer in self.layers:
    ...             x = x + layer(x)
    ...         return x
    ...
    ...     def backward(self, grad_output):
    ...         for layer in reversed(self.layers):
    ...             grad_output = grad_output + layer.backward(grad_output)
    ...         return grad_output
    >>> [name for name, _ in Residual().named_parameters()]
    ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
    """

    kind = Module

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__(modules)

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __delitem__(self, index: int | slice) -> None:
        """Remove one entry or several, and renumber those after them."""
        entries = list(self)
        del entries[index if isinstance(index, slice) else int(self._name(index))]
        self._hold(entries)

    def insert(self, index: int, module: Module) -> None:
        """Insert an entry before the one at ``index``, and renumber those after it."""
        entries = list(self)
        entries.insert(index, self.entry(module))
        self._hold(entries)

    def pop(self, key: int | slice) -> Any:
        """Remove one entry, or a slice of them, and return it."""
        taken = self[key]
        del self[key]
        return taken

    def _hold(self, modules: list[Module]) -> None:
        for number in range(len(self)):
            delattr(self, str(number))
        self.extend(modules)


class ParameterList(_Numbered):
    """A list of parameters, named "0", "1", ... in the state dict.

    Parameters
    ----------
    values : iterable of Parameter or of numpy.ndarray, optional
        The entries; an array becomes a Parameter.

    Raises
    ------
    TypeError
        If an entry is neither.
    IndexError
        If there is no such entry.

    Examples
    --------
    >>> import numpy as np
    >>> ParameterList([np.zeros((2, 3)), np.zeros(2)])
    ParameterList((2, 3), (2,))
    """

    kind = Parameter

    def entry(self, value: Any) -> Parameter:
        """Return a parameter, made from ``value`` if that is an array."""
        return super().entry(Parameter(value) if isinstance(value, np.ndarray) else value)

    def extra_repr(self) -> str:
        """Return the shapes."""
        return ", ".join(str(parameter.shape) for parameter in self)
