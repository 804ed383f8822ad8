"""Where and how the numbers differ: on which side of a threshold, in which rows, by which ratio."""

import math
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.evidence import Case

CHANCE = 0.02
"""A pattern is told if differences at random would show it with a smaller chance."""


def patterns(case: Case) -> Iterator[str]:
    """Describe where and how the numbers differ, for a mistake that no guess explains."""
    if case.got.shape != case.expected.shape or not case.expected.size:
        return
    if not case.got.any():
        yield "is all zeros"
        return
    got, expected = case.got.astype(np.float64), case.expected.astype(np.float64)
    tolerance = (1e-4 if case.got.dtype == np.float32 else 1e-8) * max(1e-300, np.nanmax(np.abs(expected)))
    with np.errstate(invalid="ignore"):
        different = ~(np.abs(got - expected) <= tolerance)
    if not np.isfinite(got[different]).all():
        finite = "finite differences are" if case.layer is None and case.output is None else "PyTorch is"
        yield f"{np.isnan(got).sum()} NaN and {np.isinf(got).sum()} infinite where {finite} finite"
        return
    if case.got.dtype == np.float64 and np.abs(got - expected).max() <= 1e-6 * np.abs(expected).max():
        yield "right to six digits: something along the way is float32, or a small constant such as eps differs"
        return
    if np.abs(np.sort(got, axis=None) - np.sort(expected, axis=None)).max() <= tolerance:
        yield "the right numbers in another order"
    x = case.inputs[0]
    loss = len(case.inputs) > 1 and case.inputs[1].shape == x.shape
    on_one_side = False
    if x.shape == got.shape and case.kind in ("output", "grad_input"):
        for words, where in (("exactly 0", x == 0), ("negative", x < 0), ("positive", x > 0)):
            if different.any() and where.any() and not where.all() and not (different & ~where).any():
                if words == "exactly 0" or not (loss or _ties_explain(x, different)):
                    on_one_side = _all_among(different, int(where.sum())) < CHANCE
                    if on_one_side:
                        yield f"differs only where the input is {words}"
                break
        if different.any() and not (different & (x != 0)).any():
            return
        values, counts = np.unique(x, return_counts=True)
        if (
            counts.max() > 1
            and not (different & ~np.isin(x, values[counts > 1])).any()
            and not (different & (x == 0)).all()
        ):
            yield (
                "differs only where the input is tied with another: of several equal maxima, one gets the gradient, or "
                "all share it"
            )
            return
    tied = case.inputs[0].shape == different.shape and _ties_explain(case.inputs[0], different)
    if (
        different.any()
        and not tied
        and not expected[different].any()
        and case.kind == "grad_input"
        and got[different].all()
    ):
        yield (
            "the expected gradient is 0 wherever they differ: forward's mask (of what it dropped or clipped) is not "
            "applied"
        )
        return
    if not different.all() and not on_one_side:
        beyond = list(_beyond(case, different))
        yield from beyond or _confined(different)
    if different.size == 1:
        return
    used = np.abs(expected) > tolerance
    if used.all():
        yield from _along_axes(got / expected, "is the expected value times", 1e-6 if tolerance else 0)
    elif used.any() and not different[~used].any() and np.ptp(got[used] / expected[used]) <= 1e-4:
        yield f"is the expected value times {(got[used] / expected[used]).flat[0]:.6g} everywhere"
    yield from _along_axes(got - expected, "is the expected value plus", tolerance)


def _ties_explain(x: np.ndarray, different: np.ndarray) -> bool:
    values, counts = np.unique(x, return_counts=True)
    return bool(counts.max() > 1 and not (different & ~np.isin(x, values[counts > 1])).any())


def _beyond(case: Case, different: np.ndarray) -> Iterator[str]:
    # A wrong branch of a function: all that differs lies on one side of a threshold. With few elements this could be
    # chance, so those are left out.
    x, *others = case.inputs
    if x.shape != different.shape or math.comb(different.size, int(different.sum())) < 400:
        return
    places = {"the input": x, "|input|": np.abs(x)}
    if others and others[0].shape == x.shape:
        places = {"input - target": x - others[0], "|input - target|": np.abs(x - others[0])} | places
    for words, values in places.items():
        right, wrong = values[~different], values[different]
        for side, near, far in (("above", right.max(), wrong.min()), ("below", wrong.max(), right.min())):
            if near < far:
                yield f"differs only where {words} is {side} a number between {near:.3g} and {far:.3g}"
                return


def _confined(different: np.ndarray) -> Iterator[str]:
    for axis, length in enumerate(different.shape):
        others = tuple(i for i in range(different.ndim) if i != axis)
        hit = np.flatnonzero(different.any(axis=others))
        ways = math.comb(length, len(hit))  # of choosing as many indices
        if 0 < len(hit) < length and ways * _all_among(different, len(hit) * different.size // length) < CHANCE:
            yield f"differs only at {_some(hit)} of axis {axis} (0 to {length - 1})"
    if different.ndim >= 2:
        inner = different[(..., slice(1, -1), slice(1, -1))]
        if not inner.any() and (1 - different.mean()) ** inner.size < 0.01:  # chance would have hit the inside, too
            yield "differs only at the border of the last two axes: padding?"


def _all_among(different: np.ndarray, count: int) -> float:
    """Return the chance that as many elements, differing at random, all lie among ``count`` of them."""
    size, wrong = different.size, int(different.sum())
    if wrong > count:
        return 0.0
    return math.exp(
        math.lgamma(count + 1) - math.lgamma(count - wrong + 1) - math.lgamma(size + 1) + math.lgamma(size - wrong + 1)
    )


def _along_axes(values: np.ndarray, words: str, tolerance: float) -> Iterator[str]:
    if np.ptp(values) <= tolerance:
        yield f"{words} {values.flat[0]:.6g} everywhere"
        return
    for axis in range(values.ndim):
        others = tuple(i for i in range(values.ndim) if i != axis)
        if others and values.size > values.shape[axis] and np.ptp(values, axis=others).max() <= tolerance:
            factors = values.max(axis=others)
            yield f"{words} a number that depends on axis {axis} only: {np.array2string(factors[:4], precision=4)}"


def _some(indices: np.ndarray) -> str:
    listed = ", ".join(map(str, indices[:4]))
    return f"{'index' if len(indices) == 1 else 'indices'} {listed}{', ...' * (len(indices) > 4)}"
