"""Checks of arguments, whose error messages name the layer, what was expected and what was given.

The types of the errors follow PyTorch: a shape or a dtype that does not fit is a ``RuntimeError``, an option outside
its domain a ``ValueError``, something that is not an array a ``TypeError``.
"""

import math
from typing import Any

import numpy as np

DType = np.dtype | type[np.generic] | type[float] | str
"""What a layer's ``dtype=`` takes: anything that NumPy reads as float32 or float64."""

FLOAT_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
LARGEST = np.iinfo(np.int64).max
INDEX_DTYPES = (np.dtype(np.int64), np.dtype(np.int32))


def is_integer(value: Any) -> bool:
    """Return whether ``value`` is an integer; True and False do not count."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def name_of(owner: object) -> str:
    """Return the name that error messages use for a layer, loss or optimizer."""
    return owner if isinstance(owner, str) else type(owner).__name__


def check_float_dtype(owner: object, dtype: DType) -> np.dtype:
    """Return ``dtype`` as a NumPy dtype, or raise ``TypeError`` if it is neither float32 nor float64."""
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{name_of(owner)}: expected dtype float32 or float64, got {dtype!r}") from None
    if dtype not in FLOAT_DTYPES:
        raise TypeError(f"{name_of(owner)}: expected dtype float32 or float64, got {dtype}")
    return dtype


def check_size(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is an integer, ``RuntimeError`` if it is negative."""
    check_integer(owner, name, value)
    if value < 0:
        raise RuntimeError(f"{name_of(owner)}: expected {name} of 0 or more, got {value}")


def check_number(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is a real number, ``ValueError`` if it is NaN."""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name_of(owner)}: expected {name} to be a number, got {value!r}")
    if value != value:
        raise ValueError(f"{name_of(owner)}: expected {name} to be a number, got nan")


def check_integer(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is an integer of either sign, ``RuntimeError`` if it needs over 64 bits."""
    if not is_integer(value):
        raise TypeError(f"{name_of(owner)}: expected {name} to be an integer, got {value!r}")
    if abs(value) > LARGEST:
        raise RuntimeError(f"{name_of(owner)}: expected {name} to fit in 64 bits, got {value}")


def check_flag(owner: object, name: str, value: Any) -> None:
    """Raise ``TypeError`` unless ``value`` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name_of(owner)}: expected {name} to be True or False, got {value!r}")


def check_fits(owner: object, name: str, *sizes: int) -> None:
    """Raise ``RuntimeError`` if an array of these sizes has more bytes than can be addressed."""
    if math.prod(map(int, sizes)) > np.iinfo(np.intp).max // 8:
        raise RuntimeError(f"{name_of(owner)}: expected {name} to fit in memory, got shape {sizes}")


def as_tuple(owner: object, name: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    """Return an option as a tuple with an entry for each of ``count`` axes, 1 or 2; a single entry is for both.

    Raises
    ------
    TypeError
        If it is neither an integer nor a sequence of integers.
    RuntimeError
        If it has neither one nor ``count`` entries, or if one is less than ``least``.
    """
    entries = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(map(is_integer, entries)):
        kind = "an integer or a pair of integers" if count == 2 else "an integer"
        raise TypeError(f"{name_of(owner)}: expected {name} to be {kind}, got {value!r}")
    if len(entries) not in (1, count):
        allowed = "one or two entries" if count == 2 else "one entry"
        raise RuntimeError(f"{name_of(owner)}: expected {name} to have {allowed}, got {value!r}")
    if max(entries) > LARGEST:
        raise RuntimeError(f"{name_of(owner)}: expected {name} to fit in 64 bits, got {value!r}")
    if min(entries) < least:
        raise RuntimeError(f"{name_of(owner)}: expected {name} to be {least} or more, got {value!r}")
    return tuple([int(entry) for entry in (entries if len(entries) == count else entries * count)])


def check_is_array(owner: object, array: Any, name: str, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` if it is an ndarray, else raise a ``TypeError`` that says how to make one of ``dtype``."""
    if type(array) is np.ndarray:
        return array
    if isinstance(array, (np.matrix, np.ma.MaskedArray)):  # they compute otherwise: a product for *, a mask
        raise TypeError(
            f"{name_of(owner)}: expected {name} to be a plain numpy.ndarray, got {type(array).__name__}; "
            "convert it with np.asarray"
        )
    if isinstance(array, np.ndarray):
        return array
    way_out = ""
    if hasattr(array, "detach") and hasattr(array, "numpy"):
        way_out = "; convert it with .detach().numpy()"
    elif isinstance(array, (list, tuple, int, float, np.generic)):
        way_out = f"; make one with np.array({name}, np.{dtype})"
    raise TypeError(f"{name_of(owner)}: expected {name} to be a numpy.ndarray, got {type(array).__name__}{way_out}")


def check_array(owner: object, array: Any, name: str = "input") -> None:
    """Raise ``TypeError`` unless ``array`` is an ndarray of float32 or float64."""
    check_is_array(owner, array, name, FLOAT_DTYPES[0])
    if array.dtype not in FLOAT_DTYPES:
        raise TypeError(
            f"{name_of(owner)}: expected {name} of dtype float32 or float64, got {array.dtype}; convert it with "
            ".astype(np.float32)"
        )


def check_dtype(owner: object, array: Any, dtype: np.dtype, name: str = "input") -> None:
    """Raise unless ``array`` is an ndarray of exactly ``dtype``, the dtype of the layer's own numbers."""
    check_is_array(owner, array, name, dtype)
    if array.dtype != dtype:
        way_out = f"convert it with .astype(np.{dtype})"
        if name == "input" and array.dtype in FLOAT_DTYPES:
            way_out += f" or build the layer with dtype=np.{array.dtype}"
        raise RuntimeError(f"{name_of(owner)}: expected {name} of dtype {dtype}, got {array.dtype}; {way_out}")


def check_integers(owner: object, array: Any, name: str = "input") -> None:
    """Raise unless ``array`` is an ndarray of int64 or int32."""
    check_is_array(owner, array, name, INDEX_DTYPES[0])
    if array.dtype not in INDEX_DTYPES:
        raise RuntimeError(
            f"{name_of(owner)}: expected {name} of dtype int64 or int32, got {array.dtype}; convert it with "
            ".astype(np.int64)"
        )


def check_input(owner: object, x: Any, dtype: np.dtype | None) -> None:
    """Raise unless ``x`` is an array of ``dtype``, or, if that is None, any float array."""
    if dtype is None:
        check_array(owner, x)
    else:
        check_dtype(owner, x, dtype)


def check_grad_output(owner: object, grad_output: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise unless ``grad_output`` has the shape and dtype of the output that it is the gradient of."""
    if grad_output is None:
        raise TypeError(
            f"{name_of(owner)}: expected grad_output to be a numpy.ndarray, got None; a layer returns None after "
            "requires_input_grad_(False), so call that on the first layer alone, or on the whole model"
        )
    check_dtype(owner, grad_output, dtype, "grad_output")
    if grad_output.shape != shape:
        raise RuntimeError(
            f"{name_of(owner)}: expected grad_output of shape {shape} (the output's), got {grad_output.shape}"
        )


def check_scalar_grad_output(owner: object, grad_output: Any) -> None:
    """Raise unless ``grad_output``, for a scalar output, is a number or an array of one without axes.

    An array with axes is a ``RuntimeError``, anything that is not a number a ``TypeError``.
    """
    if type(grad_output) is float:
        return
    if np.shape(grad_output) != ():
        raise RuntimeError(f"{name_of(owner)}: expected grad_output to be a scalar, got shape {np.shape(grad_output)}")
    if np.asarray(grad_output).dtype.kind not in "fiub":
        raise TypeError(f"{name_of(owner)}: expected grad_output to be a number, got {grad_output!r}")
