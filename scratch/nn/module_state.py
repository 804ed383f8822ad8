"""The state of a module, under PyTorch's names: what is saved of it, and loaded.

PyTorch's counterparts: ``state_dict`` and ``load_state_dict`` of ``torch.nn.Module``. Left out: ``destination``,
``prefix``, ``keep_vars`` and ``assign``.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from scratch import dispatch
from scratch.checks import name_of
from scratch.nn.module_tree import ModuleTree
from scratch.nn.parameter import Parameter, writes


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` did not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class ModuleState(ModuleTree):
    """Base class of `Module`: its state dict."""

    def _state_arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for prefix, module in self._walk(""):
            persistent = [name for name, is_saved in module._buffer_names.items() if is_saved]
            for name in (*module._parameter_names, *persistent):
                value = vars(module).get(name)
                if value is not None:
                    array = value.hold_arrays().data if isinstance(value, Parameter) else value
                    yield f"{prefix}.{name}" if prefix else name, array

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the arrays of all parameters and persistent buffers, under PyTorch's dotted names.

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
            If ``strict`` and the keys differ, if a shape differs, if an array does not hold numbers, or if an array
            of the module is read-only. Then nothing has been changed.
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
            elif not array.flags.writeable:
                faults.append(f"{key!r}: the module's own array is read-only; give the module a copy of it")
            loaded[key] = value
        if faults:
            raise RuntimeError(f"{name_of(self)}: state dict does not fit: " + "; ".join(faults))
        writes.note(self.parameters())
        for key, value in loaded.items():
            dispatch.run(np.copyto, state[key], value, "unsafe")
        return IncompatibleKeys(missing, unexpected)
