"""What a module registers: its parameters, modules and buffers, each kind in the order in which it came.

An assignment registers a `Parameter` or a module under the attribute's name; an array becomes a buffer through
`Registry.register_buffer`. A name keeps its place when another value of its kind, or None, takes the old one's place.
It is registered anew, behind the others, after it was deleted, and after it stood for something else: an attribute that
is None at first and a module later comes where the module comes. An optimizer's state is matched by this order.

The values are ordinary attributes. What is kept beside them are the names.

PyTorch's counterparts: ``__setattr__``, ``__delattr__``, ``register_buffer``, ``register_parameter`` and ``add_module``
of ``torch.nn.Module``. A NumPy number, which is what arithmetic makes of an array without axes, becomes such an array.
"""

from typing import Any, ClassVar

import numpy as np

from scratch.checks import name_of
from scratch.nn.parameter import Parameter


class Registry:
    """Base class of `Module`: the names of what it holds.

    Attributes
    ----------
    _parameter_names, _module_names : dict of str to None
        The registered names, in order; the value of one may be None.
    _buffer_names : dict of str to bool
        The same for buffers, and whether each is in the state dict.
    _can_be_absent : tuple of str
        Names at which None is an absent parameter, and is registered as one.
    """

    _parameter_names: dict[str, None]
    _module_names: dict[str, None]
    _buffer_names: dict[str, bool]
    _can_be_absent: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.__dict__.update(_parameter_names={}, _module_names={}, _buffer_names={})

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (Registry, Parameter)):
            self._register_value(name, value)
        elif "_buffer_names" in own:
            if name in own["_parameter_names"] or name in own["_module_names"]:
                self._check_none(name, value)
            elif name in own["_buffer_names"]:
                value = self._as_buffer(name, value)
            elif value is None and name in self._can_be_absent:
                self._note("_parameter_names", name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._forget_name(name)

    def register_buffer(self, name: str, array: np.ndarray | None, persistent: bool = True) -> None:
        """Set attribute ``name`` to an array that belongs to the module but is not learned (None: absent).

        Parameters
        ----------
        name : str
            The attribute's name.
        array : numpy.ndarray or None
            The array, kept as given, not copied.
        persistent : bool
            Whether it is in the state dict.

        Raises
        ------
        TypeError
            If it is not an array, or ``name`` is not a string.
        KeyError
            If the name is empty, contains a dot, or is that of an attribute other than a buffer.
        """
        self._check_name("_buffer_names", name, array)
        array = self._as_buffer(name, array)
        self._note("_buffer_names", name, persistent)
        setattr(self, name, array)

    def add_module(self, name: str, module: "Registry | None") -> None:
        """Set attribute ``name`` to a module, for names that a program makes up.

        Raises
        ------
        TypeError
            If it is not a module, or ``name`` is not a string.
        KeyError
            If the name is empty, contains a dot, or is that of an attribute other than a module.
        """
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{name_of(self)}: expected {name!r} to be a Module, got a {type(module).__name__}")
        self._check_name("_module_names", name, module)
        self._note("_module_names", name)
        setattr(self, name, module)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Set attribute ``name`` to a parameter; errors are those of `add_module`."""
        self._check_name("_parameter_names", name, parameter)
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"{name_of(self)}: expected {name!r} to be a Parameter, got a {type(parameter).__name__}")
        self._note("_parameter_names", name)
        setattr(self, name, parameter)

    def _check_begun(self, name: str, value: Any) -> None:
        if "_buffer_names" not in self.__dict__:
            raise AttributeError(
                f"{name_of(self)}: cannot assign {type(value).__name__} {name!r} before Module.__init__() was called; "
                "begin __init__ with super().__init__()"
            )

    def _check_name(self, kind: str, name: str, value: Any) -> None:
        self._check_begun(name, value)
        if not isinstance(name, str):
            raise TypeError(f"{name_of(self)}: expected a name to be a string, got {name!r}")
        if not name or "." in name or (name not in self.__dict__[kind] and hasattr(self, name)):
            raise KeyError(f"{name_of(self)}: expected a name without dots that is not taken, got {name!r}")

    def _as_buffer(self, name: str, value: Any) -> np.ndarray | None:
        if value is not None and not isinstance(value, (np.ndarray, np.generic)):
            raise TypeError(
                f"{name_of(self)}: expected buffer {name!r} to be a numpy.ndarray or None, got a {type(value).__name__}"
            )
        return np.asarray(value) if isinstance(value, np.generic) else value

    def _register_value(self, name: str, value: "Registry | Parameter") -> None:
        self._check_begun(name, value)
        kind = "_parameter_names" if isinstance(value, Parameter) else "_module_names"
        if kind == "_module_names" and name in self._parameter_names:
            self._check_none(name, value)
        if name not in self.__dict__[kind]:
            self._forget_name(name)
            self._note(kind, name)

    def _check_none(self, name: str, value: Any) -> None:
        if value is None:
            return
        what, kind, way_out = "module", "Module", ""
        if name in self._parameter_names:
            what, kind, way_out = "parameter", "Parameter", f"; write its values with .{name}.data[...] = values"
        raise TypeError(
            f"{name_of(self)}: cannot assign a {type(value).__name__} as {what} {name!r}, expected a {kind} or None"
            f"{way_out}"
        )

    # The dictionaries of names are replaced, not changed: a shallow copy of the module has the old ones.

    def _note(self, kind: str, name: str, value: bool | None = None) -> None:
        own = self.__dict__
        own[kind] = {**own[kind], name: value}

    def _forget_name(self, name: str) -> None:
        own = self.__dict__
        for kind in ("_parameter_names", "_module_names", "_buffer_names"):
            if name in own[kind]:
                own[kind] = {one: value for one, value in own[kind].items() if one != name}
