"""Arrays as tables that a person can read."""

import itertools
import math
from typing import Any

import numpy as np

from benchmarks.pages.html import Html, element, escape, join

MOST_TABLES = 18
MOST_ACROSS = 24


def shape_of(value: Any) -> str:
    """Return an array's shape, or the type of anything else."""
    return str(np.shape(value)) if isinstance(value, np.ndarray) else type(value).__name__


def number(value: Any) -> str:
    """Return a number with four significant digits, without trailing zeros.

    Examples
    --------
    >>> number(0.25), number(-1 / 3), number(1e-9), number(True), number(float("-inf")), number(7)
    ('0.25', '−0.3333', '1e−09', '1', '−∞', '7')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(value).replace("-", "−")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value + 0.0:.4g}".replace("-", "−")


def table(value: Any) -> Html:
    """Return a value: an array as one table or several, anything else as it prints."""
    if isinstance(value, np.ndarray) and value.ndim:
        return _array(value)
    if isinstance(value, (bool, int, float, np.generic, np.ndarray)):
        return element(
            "p", element("span", number(value[()] if isinstance(value, np.ndarray) else value)), class_="number"
        )
    text = repr(value)
    return element("p", element("code", text if len(text) < 200 else f"{text[:200]} ..."), class_="number")


def unfilled() -> Html:
    """Return what is shown for an array that is allocated but not filled yet."""
    return element("p", "not filled yet", class_="unfilled")


def _array(values: np.ndarray) -> Html:
    if not values.size:
        return element("p", "empty", class_="number")
    if values.ndim == 1:
        return _matrix(values[None])
    leading = list(itertools.product(*map(range, values.shape[:-2])))
    if len(leading) == 1:
        return _matrix(values.reshape(values.shape[-2:]))
    tables = []
    for place in leading[:MOST_TABLES]:
        caption = element("figcaption", f"[{', '.join(map(str, place))}]")
        tables.append(element("figure", caption, _matrix(values[place])))
    more = len(leading) - MOST_TABLES
    note = element("p", f"and {more} more", class_="more") if more > 0 else None
    return element("div", *tables, note, class_="slices")


def _matrix(values: np.ndarray) -> Html:
    across, down = values[:, :MOST_ACROSS], values.shape[1] > MOST_ACROSS
    rows = []
    for row in across[:MOST_ACROSS]:
        cells = [element("td", number(value)) for value in row]
        rows.append(element("tr", *cells, element("td", "…") if down else None))
    if len(values) > MOST_ACROSS:
        rows.append(element("tr", element("td", escape("…"))))
    return element("table", element("tbody", join(rows)), class_="matrix")
