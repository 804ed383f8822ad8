"""A text picture of an array's wrong elements, for a terminal of 80 columns."""

import numpy as np

MOST_ROWS, MOST_COLUMNS = 10, 16
SHADES = "░▒▓█"
LEGEND = "  · right   ░ a little off   ▒ half or twice   ▓ far off   █ sign or worse"


def heat_map(got: np.ndarray, expected: np.ndarray) -> list[str]:
    """Return a picture, one line per row; no lines if the array is too large or has the wrong shape.

    For an array with more than two axes, draw the first matrix that has a wrong element, with its index above it.
    """
    try:
        got, expected = np.atleast_1d(np.asarray(got, float)), np.atleast_1d(np.asarray(expected, float))
    except (TypeError, ValueError):  # no array of numbers: one of the learner's own tuples, say
        return []
    if got.shape != expected.shape or not got.size:
        return []
    size = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        wrong = ~np.isclose(got, expected, rtol=1e-7, atol=1e-9 * size, equal_nan=True)
    if not wrong.any():
        return []
    place: tuple = ()
    if got.ndim > 2:
        place = tuple(int(i) for i in np.argwhere(wrong)[0][:-2])
        got, expected, wrong = got[place], expected[place], wrong[place]
    got, expected, wrong = (np.atleast_2d(one) for one in (got, expected, wrong))
    if got.shape[0] > MOST_ROWS or got.shape[1] > MOST_COLUMNS:
        return []
    lines = [f"  at {list(place)}:"] if place else []
    for row in zip(got, expected, wrong, strict=True):
        lines.append("    " + " ".join(_cell(*cell) * 2 for cell in zip(*row, strict=True)))
    return [*lines, LEGEND]


def _cell(got: float, expected: float, wrong: bool) -> str:
    if not wrong:
        return "·"
    with np.errstate(all="ignore"):
        ratio = got / expected if expected else np.inf
    if not np.isfinite(ratio) or ratio < 0:
        return SHADES[3]
    far = abs(np.log2(ratio)) if ratio else np.inf
    return SHADES[0] if far < 0.4 else SHADES[1] if far < 1.3 else SHADES[2]
