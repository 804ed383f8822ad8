"""The tree of modules: what each holds, found by dotted names, and conversions that reach all of it.

PyTorch's counterparts: the same methods of ``torch.nn.Module``. Left out: ``remove_duplicate``.
"""

import itertools
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from scratch.checks import FLOAT_DTYPES, DType, check_float_dtype, name_of
from scratch.nn.parameter import Parameter
from scratch.nn.registry import Registry


class ModuleTree(Registry):
    """Base class of `Module`: what it and the modules below it hold, under which names."""

    training: bool

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Yield the modules that this one holds directly, each once, with their attribute names."""
        seen: set[int] = set()
        for name, child in self._named_modules_held():
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Any]:
        """Yield the modules that this one holds directly, each once."""
        for _, child in self.named_children():
            yield child

    def _named_modules_held(self) -> list[tuple[str, Any]]:
        # A module under several names is there under each of them.
        held = vars(self)
        return [(name, held[name]) for name in self._module_names if held.get(name) is not None]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield this module and all below it, parents first, each once, with dotted names.

        In place of a `Reused` it yields the module that this one applies, which has the name without it.
        """
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _walk(self, prefix: str) -> Iterator[tuple[str, Any]]:
        yield prefix, self
        for name, child in self._named_modules_held():
            yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Any]:
        """Yield this module and all below it, parents first, each once; a `Reused` and the module that it applies."""
        found: dict[int, Any] = {}
        self._collect(found)
        return iter(found.values())

    def _collect(self, found: dict[int, Any]) -> None:
        if id(self) not in found:
            found[id(self)] = self
            for _, child in self._named_modules_held():
                child._collect(found)

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its dotted name; a module's own come before its children's.

        Parameters
        ----------
        prefix : str
            What comes before each name, and a dot between.
        recurse : bool
            Whether to go on to the modules below this one.
        """
        return self._named_members("_parameter_names", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield every parameter once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every array that belongs to a module but is not learned; arguments are those of `named_parameters`."""
        return self._named_members("_buffer_names", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[np.ndarray]:
        """Yield every array that belongs to a module but is not learned, once."""
        for _, array in self.named_buffers(recurse=recurse):
            yield array

    def _named_members(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for place, module in itertools.islice(self._walk(prefix), None if recurse else 1):
            held = vars(module)
            for name in getattr(module, kind):
                value = held.get(name)
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{place}.{name}" if place else name, value

    def get_submodule(self, target: str) -> Any:
        """Return the module with a dotted name; this one for an empty name.

        Raises
        ------
        AttributeError
            If there is none.
        """
        return self._find(target, Registry, "module") if target else self

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with a dotted name.

        Raises
        ------
        AttributeError
            If there is none.
        """
        return self._find(target, Parameter, "parameter")

    def _find(self, target: str, kind: type, word: str) -> Any:
        found: Any = self
        for name in target.split("."):
            found = getattr(found, name, None) if isinstance(found, Registry) else None
        if not isinstance(found, kind):
            raise AttributeError(f"{name_of(self)}: there is no {word} {target!r}")
        return found

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

    def cpu(self) -> Self:
        """Return the module: it is on the CPU."""
        return self

    def to(self, *asked: Any, dtype: DType | None = None, device: str | None = None) -> Self:
        """Convert all parameters and floating-point buffers to a dtype; return the module.

        Parameters
        ----------
        *asked, dtype, device
            A dtype, the device "cpu", where the module is, or both.

        Raises
        ------
        TypeError
            If it is neither float32 nor float64, or another device is asked for: NumPy computes only on the CPU.
        """
        given = [one for one in (*asked, dtype, device) if one is not None]
        dtypes = [one for one in given if not (isinstance(one, str) and one == "cpu")]
        try:
            if not given or len(dtypes) > 1:
                raise TypeError
            for one in dtypes:
                self._convert(check_float_dtype(self, one))
        except TypeError:
            raise TypeError(
                f"{name_of(self)}: to() takes a dtype, float32 or float64, and the device 'cpu', got "
                f"{', '.join(map(repr, given)) or 'nothing'}; NumPy computes on the CPU. For a GPU see torch_ref"
            ) from None
        return self

    def _convert(self, dtype: np.dtype) -> None:
        for parameter in self.parameters():
            parameter.data = np.asarray(parameter.data, dtype)
            parameter.grad = None if parameter.grad is None else np.asarray(parameter.grad, dtype)
        for module in self.modules():
            for name in module._buffer_names:
                value = vars(module).get(name)
                if value is not None and value.dtype in FLOAT_DTYPES:
                    setattr(module, name, np.asarray(value, dtype))
