"""What a module holds: parameters, buffers and other modules, found by their attribute names; and its state dict.

PyTorch's counterpart: the same methods of ``torch.nn.Module``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from scratch.checks import FLOAT_DTYPES, DType, check_float_dtype, name_of
from scratch.nn.parameter import Parameter, writes


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` did not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class ModuleTree:
    """Base class of `Module`: what it holds, under which names."""

    training: bool

    def __init__(self) -> None:
        self._buffer_names: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__
        if isinstance(value, (ModuleTree, Parameter)):
            if "training" not in held:
                raise AttributeError(
                    f"{name_of(self)}: cannot assign {type(value).__name__} {name!r} before Module.__init__() was "
                    "called; begin __init__ with super().__init__()"
                )
        elif isinstance(held.get(name), Parameter) and value is not None:
            raise TypeError(
                f"{name_of(self)}: cannot assign a {type(value).__name__} as parameter {name!r}, expected a Parameter "
                f"or None; write its values with .{name}.data[...] = values"
            )
        held[name] = value

    def register_buffer(self, name: str, array: np.ndarray | None) -> None:
        """Set attribute ``name`` to an array that belongs to the state but is not learned (None: absent)."""
        self._buffer_names += (name,)
        setattr(self, name, array)

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the modules that this one holds directly, with their attribute names."""
        for name, value in vars(self).items():
            if isinstance(value, ModuleTree):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield this module and all below it, parents first, each once, with dotted names."""
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _walk(self, prefix: str) -> Iterator[tuple[str, Any]]:
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Any]:
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

    def children(self) -> Iterator[Any]:
        """Yield the modules that this one holds directly, each once."""
        seen: set[int] = set()
        for _, child in self.named_children():
            if id(child) not in seen:
                seen.add(id(child))
                yield child

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the arrays that belong to the state but are not learned, with dotted names."""
        for prefix, module in self.named_modules():
            for name in module._buffer_names:
                value = getattr(module, name)
                if value is not None:
                    yield f"{prefix}.{name}" if prefix else name, value

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield the arrays that belong to the state but are not learned."""
        for _, value in self.named_buffers():
            yield value

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with a dotted name.

        Raises
        ------
        AttributeError
            If there is none.
        """
        found: Any = self
        for name in target.split("."):
            found = getattr(found, name, None)
        if not isinstance(found, Parameter):
            raise AttributeError(f"{name_of(self)}: there is no parameter {target!r}")
        return found

    def add_module(self, name: str, module: "ModuleTree | None") -> None:
        """Set attribute ``name`` to a module, for names that a program makes up.

        Raises
        ------
        TypeError
            If it is not a module, or ``name`` is not a string.
        KeyError
            If the name is taken, empty, or contains a dot.
        """
        self._set_new(name, module, ModuleTree)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Set attribute ``name`` to a parameter; errors are those of `add_module`."""
        self._set_new(name, parameter, Parameter)

    def _set_new(self, name: str, value: Any, kind: type) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{name_of(self)}: expected a name to be a string, got {name!r}")
        if not name or "." in name or (hasattr(self, name) and getattr(self, name) is not None):
            raise KeyError(f"{name_of(self)}: expected a name without dots that is not taken, got {name!r}")
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name_of(self)}: expected {name!r} to be a {kind.__name__}, got {type(value).__name__}")
        setattr(self, name, value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set for every parameter whether backward adds to its gradient; return the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def float(self) -> Self:
        """Convert all parameters and floating-point buffers to float32; return the module."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert all parameters and floating-point buffers to float64; return the module."""
        return self.to(np.float64)

    def to(self, dtype: DType | None = None, device: Any = None) -> Self:
        """Convert all parameters and floating-point buffers to a dtype; return the module.

        Raises
        ------
        TypeError
            If it is neither float32 nor float64, or a ``device`` is asked for: NumPy computes only on the CPU.
        """
        asked = dtype if device is None else device
        try:
            dtype = check_float_dtype(self, "nothing" if asked is None else asked)
        except TypeError:
            raise TypeError(
                f"{name_of(self)}: to() takes a dtype, float32 or float64, got {asked!r}; there are no devices to move "
                "to: NumPy computes on the CPU. For a GPU see torch_ref"
            ) from None
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype, copy=False)
            parameter.grad = None if parameter.grad is None else parameter.grad.astype(dtype, copy=False)
        for module in self.modules():
            for name in module._buffer_names:
                value = getattr(module, name)
                if value is not None and value.dtype in FLOAT_DTYPES:
                    setattr(module, name, value.astype(dtype, copy=False))
        return self

    # The state, under PyTorch's names.

    def _state_arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for prefix, module in self._walk(""):
            own = [name for name, value in vars(module).items() if isinstance(value, Parameter)]
            for name in (*own, *module._buffer_names):
                value = getattr(module, name)
                if value is not None:
                    array = value.data if isinstance(value, Parameter) else value
                    yield f"{prefix}.{name}" if prefix else name, array

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the arrays of all parameters and buffers, under PyTorch's dotted names.

        The arrays are the module's, not copies, as in PyTorch: copy them to keep a snapshot.
        """
        return dict(self._state_arrays())

    def load_state_dict(self, mapping: Mapping[str, np.ndarray], strict: bool = True) -> IncompatibleKeys:
        """Copy ``mapping``'s arrays into the parameters and buffers, converting to their dtypes.

        Everything is checked before the first number is written.

        Parameters
        ----------
        mapping : mapping of str to numpy.ndarray
            As `state_dict` returns it.
        strict : bool
            Whether a missing or an unexpected key is an error.

        Returns
        -------
        IncompatibleKeys
            The keys that were missing and those that were not expected.

        Raises
        ------
        TypeError
            If ``mapping`` is not a mapping.
        RuntimeError
            If ``strict`` and the keys differ, if a shape differs, or if an array does not hold numbers. Then nothing
            has been changed.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(f"{name_of(self)}: expected a state dict, got a {type(mapping).__name__}")
        state = self.state_dict()
        missing = [key for key in state if key not in mapping]
        unexpected = [key for key in mapping if key not in state]
        faults = []
        if strict:
            faults += [f"missing key {key!r}" for key in missing]
            faults += [f"unexpected key {key!r}" for key in unexpected]
        loaded = {}
        for key, array in state.items():
            if key not in mapping:
                continue
            value = np.asarray(mapping[key])
            if value.shape != array.shape:
                faults.append(f"{key!r}: expected shape {array.shape}, got {value.shape}")
            elif value.dtype.kind not in "biuf":
                faults.append(f"{key!r}: expected numbers, got an array of dtype {value.dtype}")
            loaded[key] = value
        if faults:
            raise RuntimeError(f"{name_of(self)}: state dict does not fit: " + "; ".join(faults))
        writes.note(self.parameters())
        for key, value in loaded.items():
            state[key][...] = value
        return IncompatibleKeys(missing, unexpected)
