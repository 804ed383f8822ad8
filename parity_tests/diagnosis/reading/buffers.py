"""Numbers that are held in something else than a NumPy array, seen as one that shares their memory.

Python's own arrays, memory views, ctypes' arrays, the bytes of float64 numbers, and PyTorch's tensors.
"""

import array
import ctypes
import sys

import numpy as np

KINDS = (array.array, memoryview, ctypes.Array)
OF_TORCH_MODULES = "_parameters", "_buffers", "_modules"
"""The attributes in which a module of PyTorch's keeps what its own attributes seem to be."""
USUAL = 1e-9, 1e9
"""Between these lie the sizes of numbers that bytes may stand for: those of text or of a picture lie elsewhere."""


def is_tensor(value: object) -> bool:
    """Return whether a value is a tensor of PyTorch's with real or complex numbers that NumPy can read."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor) or value.device.type != "cpu":
        return False
    return value.layout is torch.strided and (value.dtype.is_floating_point or value.dtype.is_complex)


def is_torch_module(value: object) -> bool:
    """Return whether a value is a module of PyTorch's."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def of_torch_module(module: object) -> dict[str, object]:
    """Return the parameters, buffers and modules of a module of PyTorch's."""
    held = vars(module)
    return {name: value for kind in OF_TORCH_MODULES for name, value in held.get(kind, {}).items()}


def is_buffer(value: object) -> bool:
    """Return whether a value of another kind than a tensor holds floating numbers that NumPy can read."""
    if isinstance(value, bytes | bytearray):
        return _are_numbers(value)
    if not isinstance(value, KINDS):
        return False
    try:
        return np.asarray(value).dtype.kind in "fc"
    except (ValueError, TypeError, NotImplementedError):
        return False


def seen_as_array(value: object) -> object:
    """Return the array that shares the memory of a buffer or a tensor; any other value as it is."""
    if is_tensor(value):
        return value.detach().resolve_conj().numpy()
    if is_buffer(value):
        return np.frombuffer(value, np.float64) if isinstance(value, bytes | bytearray) else np.asarray(value)
    return value


def takes(held: object, values: np.ndarray) -> bool:
    """Return whether `write` puts exactly these numbers into what is held."""
    if isinstance(held, np.ndarray):
        return held.shape == values.shape and held.dtype == values.dtype
    return is_tensor(held) or is_buffer(held) or isinstance(held, list)


def write(held: object, values: np.ndarray) -> bool:
    """Write numbers into what holds numbers, in place; return whether that is possible."""
    if isinstance(held, list):
        list.__setitem__(held, slice(None), values.tolist())
        return True
    there = seen_as_array(held)
    if is_tensor(held) and there.dtype != values.dtype:
        held.data = sys.modules["torch"].from_numpy(np.array(values))
        return True
    if there.shape != values.shape or not there.flags.writeable:
        return False
    there[...] = values
    return True


def like(held: object, values: np.ndarray) -> object:
    """Return these numbers as an object of the kind of what is held; for anything else, the array itself."""
    if is_tensor(held):
        return sys.modules["torch"].from_numpy(np.array(values))
    if isinstance(held, bytes | bytearray):
        return type(held)(np.asarray(values, np.float64).tobytes())
    if isinstance(held, list):
        return values.tolist()
    if isinstance(held, tuple):
        return _as_tuples(values.tolist())
    return memoryview(np.array(values)) if isinstance(held, memoryview) else values


def _are_numbers(value: bytes | bytearray) -> bool:
    if not value or len(value) % 8:
        return False
    sizes = np.abs(np.frombuffer(value, np.float64))
    return bool(sizes.any() and ((sizes == 0) | ((sizes > USUAL[0]) & (sizes < USUAL[1]))).all())


def is_list_of_floats(value: object) -> bool:
    """Return whether a list stands for an array: numbers with a fraction among them; whole ones may be sizes.

    A tuple of numbers may be an option, such as the two ends of a range; a tuple of tuples stands for an array, too.
    """
    if not (isinstance(value, list) or type(value) is tuple) or not value:
        return False
    if not isinstance(value[0], list | tuple if type(value) is tuple else list | tuple | float):
        return False
    try:
        found = np.array(value)
    except ValueError:
        return False
    return found.dtype.kind == "f" and found.ndim > 0 and not _holds_arrays(value)


def _holds_arrays(value: list | tuple) -> bool:
    return any(isinstance(v, np.ndarray) or (isinstance(v, list | tuple) and _holds_arrays(v)) for v in value)


def _as_tuples(value: object) -> object:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def holds_numbers(value: object) -> bool:
    """Return whether a value is an array or stands for one."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fciub"
    return is_tensor(value) or is_buffer(value) or is_list_of_floats(value)
