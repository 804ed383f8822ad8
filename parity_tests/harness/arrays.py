"""The numbers that layers are compared on, and their memory layouts; all made from a seed."""

import numpy as np

from scratch.nn import Module

LAYOUTS = ("C", "Fortran", "channels-last", "strided", "read-only")


def array(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0, layout: str = "C") -> np.ndarray:
    """Return numbers away from zero and not symmetric about it: in [-1.5, -0.25] or, a little likelier, [0.5, 2].

    Away from zero, a sign or a kink cannot hide in the rounding. Without symmetry, a missing mean shows.
    """
    rng = np.random.default_rng(seed)
    positive = rng.random(shape) < 0.6
    values = np.where(positive, rng.uniform(0.5, 2.0, shape), rng.uniform(-1.5, -0.25, shape))
    return lay_out(values.astype(dtype), layout)


def distinct(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0, layout: str = "C") -> np.ndarray:
    """Return a permutation of evenly spaced, pairwise different numbers: no maximum is tied, nor nearly."""
    size = int(np.prod(shape))
    values = (np.random.default_rng(seed).permutation(size) - 0.4 * size + 0.25) / 8
    return lay_out(values.reshape(shape).astype(dtype), layout)


def tied(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0, layout: str = "C") -> np.ndarray:
    """Return numbers from -1, 0, 1 and 2, so that windows have several equal maxima and kinks are hit."""
    values = np.random.default_rng(seed).integers(-1, 3, shape)
    return lay_out(values.astype(dtype), layout)


def lay_out(values: np.ndarray, layout: str) -> np.ndarray:
    """Return an array equal to ``values`` whose memory is laid out as named by one of `LAYOUTS`.

    "channels-last" means axis 1 running fastest, as in an NHWC image; below three axes it is C order.
    """
    values = np.array(values, order="C")
    if layout == "C":
        return values
    if layout == "Fortran":
        return np.array(values, order="F")
    if layout == "channels-last":
        if values.ndim < 3:
            return values
        return np.moveaxis(np.array(np.moveaxis(values, 1, -1), order="C"), -1, 1)
    if layout == "strided":
        if values.ndim == 0:
            return values
        wider = np.full(
            (*values.shape[:-1], 2 * values.shape[-1] + 1), np.nan if values.dtype.kind == "f" else 77, values.dtype
        )
        wider[..., 1::2] = values
        return wider[..., 1::2]
    if layout == "read-only":
        values.flags.writeable = False
        return values
    raise ValueError(f"lay_out: expected one of {LAYOUTS}, got {layout!r}")


def random_state(layer: Module, seed: int = 0) -> Module:
    """Fill ``layer``'s parameters and floating buffers with `array`'s numbers, positive in buffers; return it.

    A fresh batch norm multiplies by one and adds zero, which hides half of its mistakes.
    """
    learned = {name for name, _ in layer.named_parameters()}
    for index, (name, values) in enumerate(layer.state_dict().items()):
        if np.issubdtype(values.dtype, np.floating):
            drawn = array(values.shape, values.dtype, seed=seed + 7919 * (index + 1))
            values[...] = drawn if name in learned else np.abs(drawn)
    return layer
