"""What attention adds to its scores: 0 where a query may see a key, minus infinity where not."""

from typing import Any

import numpy as np

from scratch.checks import check_dtype, name_of


def additive_mask(
    attn_mask: np.ndarray | None, is_causal: bool, length: int, keys: int, dtype: np.dtype
) -> np.ndarray | float:
    """Return the mask to add to the scores, from PyTorch's arguments of the same names.

    Parameters
    ----------
    attn_mask : numpy.ndarray or None
        Booleans, True where a query may see a key; or numbers to add to the scores.
    is_causal : bool
        Whether query number l sees only the keys up to number l.
    length, keys : int
        How many queries and keys there are.
    dtype : numpy.dtype
        The scores' dtype.

    Raises
    ------
    RuntimeError
        If there are both, as PyTorch's function does.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("additive_mask: expected attn_mask or is_causal, got both")
    if is_causal:
        attn_mask = np.tri(length, keys, dtype=bool)
    if attn_mask is None:
        return 0.0
    if attn_mask.dtype == bool:
        return np.where(attn_mask, dtype.type(0), dtype.type(-np.inf))
    return attn_mask


def mask_of_heads(
    layer: object,
    shape: tuple[int, ...],
    batched: bool,
    dtype: np.dtype,
    attn_mask: np.ndarray | None,
    key_padding_mask: np.ndarray | None,
) -> np.ndarray | float:
    """Return the mask of several heads, from the arguments of `MultiheadAttention`, in which True hides a key.

    Parameters
    ----------
    layer : MultiheadAttention
        Named in errors.
    shape : (N, h, L, S)
        Of the scores.
    batched : bool
        Whether the caller's arrays have a batch axis.
    dtype : numpy.dtype
        The scores' dtype.
    attn_mask : numpy.ndarray of shape (L, S) or (N h, L, S), or None
    key_padding_mask : numpy.ndarray of shape (N, S), or (S,) for one sequence, or None

    Raises
    ------
    RuntimeError
        If a mask has another shape, or is neither boolean nor of the scores' dtype.
    TypeError
        If a mask is no array.
    """
    batch, heads, length, keys = shape
    found: np.ndarray | float = 0.0
    if attn_mask is not None:
        added = _added(layer, "attn_mask", attn_mask, dtype)
        if added.shape == (batch * heads, length, keys):
            added = added.reshape(shape)
        elif added.shape != (length, keys):
            raise RuntimeError(
                f"{name_of(layer)}: expected attn_mask of shape {(length, keys)} or "
                f"{(batch * heads, length, keys)}, got {added.shape}"
            )
        found = added
    if key_padding_mask is not None:
        added = _added(layer, "key_padding_mask", key_padding_mask, dtype)
        if added.shape != ((batch, keys) if batched else (keys,)):
            raise RuntimeError(
                f"{name_of(layer)}: expected key_padding_mask of shape {(batch, keys)}, or {(keys,)} for one "
                f"sequence, got {added.shape}"
            )
        found = found + added.reshape(batch, 1, 1, keys)
    return found


def _added(layer: object, name: str, mask: Any, dtype: np.dtype) -> np.ndarray:
    """Return a mask in the form that is added to the scores: minus infinity where a boolean one is True."""
    if isinstance(mask, np.ndarray) and mask.dtype == bool:
        return np.asarray(additive_mask(~mask, False, 0, 0, dtype))
    if isinstance(mask, np.ndarray) and mask.dtype != dtype:
        raise RuntimeError(f"{name_of(layer)}: expected {name} of dtype bool or {dtype}, got {mask.dtype}")
    check_dtype(layer, mask, dtype, name)
    return mask
