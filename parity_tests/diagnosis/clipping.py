"""Gradients of parameters that backward cuts off or scales down: right up to there, and meant so."""

import numpy as np

from parity_tests.harness.report import Report


def clipped(report: Report) -> str:
    """Return what is clipped, if all that differs is a gradient of a parameter that is cut off or scaled down."""
    wrong = report.wrong
    if report.faults or any(q.fault or q.name.startswith(("output", "grad_input", "buffer")) for q in wrong):
        return ""
    distinct = list(dict.fromkeys(q.name for q in wrong))
    names, verb = ", ".join(distinct), "is" if len(distinct) == 1 else "are"
    limits = [np.abs(q.got).max() for q in wrong]
    several = sum(q.different.sum() for q in wrong) >= 2  # one that is too small may be anything
    cut = several and all(is_cut(q.got, q.expected, c) for q, c in zip(wrong, limits, strict=True))
    if cut and np.ptp(limits) <= 1e-9 * max(limits):
        return f"{names} {verb} clipped to ±{limits[0]:.6g}"
    factors = np.concatenate([(q.got / np.where(q.expected, q.expected, np.nan)).ravel() for q in wrong])
    factors = factors[~np.isnan(factors)]
    if factors.size >= 3 and np.ptp(factors) <= 1e-6 and 0 < factors[0] < 1:
        return f"{names} {verb} scaled down to a largest norm"
    return ""


def is_cut(got: np.ndarray, free: np.ndarray, limit: float) -> bool:
    """Return whether an array is another one, cut off at a limit of both signs."""
    cut = np.sign(free) * np.minimum(np.abs(free), limit)
    return bool(np.allclose(got, cut, rtol=1e-9, atol=1e-6 * limit))
