"""ModuleDict: a dictionary that a model holds, so that the modules in it are found.

Modules in a plain Python dict are not found: they are in no state dict, no optimizer gets their parameters, and
``train()`` and ``eval()`` skip them. Here each entry is an attribute, named by its key, and is stored nowhere else.
There is no forward: the model that holds the dictionary decides how both passes use the entries.

PyTorch's counterpart: ``torch.nn.ModuleDict``. As there, a key is a string without dots, and not the name of an
attribute, such as "training" or "pop". Differs from PyTorch: "needs_input_grad" is one here.
"""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from scratch.checks import name_of
from scratch.nn.module import Module

ONLY_HERE = "backward", "requires_input_grad_", "save_for_backward", "saved"
"""Attributes that PyTorch's dictionary does not have. Nothing calls them on one, so they may be keys as well."""


class ModuleDict(Module):
    """A dictionary of modules, under their keys in the state dict; it keeps the order in which they were set.

    Parameters
    ----------
    modules : mapping of str to Module, or iterable of pairs, optional
        The entries.

    Raises
    ------
    TypeError
        If an entry is not a Module, or a key is not a string.
    KeyError
        If a key to set is empty, contains a dot, or is an attribute already; or if a key to read or remove does not
        exist.

    Examples
    --------
    >>> import scratch.nn as nn
    >>> heads = nn.ModuleDict({"policy": nn.Linear(4, 2), "value": nn.Linear(4, 1)})
    >>> [name for name, _ in heads.named_parameters()]
    ['policy.weight', 'policy.bias', 'value.weight', 'value.bias']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def _entries(self) -> dict[str, Any]:
        return dict(self._named_modules_held())

    def __getitem__(self, key: str) -> Module:
        return self._entries()[key]

    def __setitem__(self, key: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"{name_of(self)}: expected {key!r} to be a Module, got {module!r:.80}")
        if key in ONLY_HERE:
            setattr(self, key, module)
        else:
            self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __contains__(self, key: object) -> bool:
        return key in self._entries()

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self._entries().keys()

    def values(self) -> ValuesView[Module]:
        """Return the modules."""
        return self._entries().values()

    def items(self) -> ItemsView[str, Module]:
        """Return pairs of key and module."""
        return self._entries().items()

    def pop(self, key: str) -> Module:
        """Remove an entry, and return its module."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Remove all entries."""
        for key in self:
            del self[key]

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set the entries of a mapping, or of an iterable of pairs.

        Raises
        ------
        TypeError
            If it is neither.
        ValueError
            If one of the iterable's entries is not a pair.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"{name_of(self)}: expected a mapping or pairs, got a {type(modules).__name__}")
        pairs = list(modules.items()) if isinstance(modules, (Mapping, ModuleDict)) else list(modules)
        for number, pair in enumerate(pairs):
            if not isinstance(pair, Iterable):
                raise TypeError(f"{name_of(self)}: expected entry {number} to be a pair, got a {type(pair).__name__}")
            if (count := len(tuple(pair))) != 2:
                raise ValueError(f"{name_of(self)}: expected entry {number} to be a pair, got {count} values")
        for key, module in pairs:
            self[key] = module
