"""A text chart: curves over steps, for a terminal of 80 columns."""

import numpy as np

WIDTH, HEIGHT = 64, 14


def chart(curves: dict[str, list[float]]) -> list[str]:
    """Return the lines of a chart; a curve's name is the character that draws it, later curves over earlier ones."""
    every = np.concatenate([np.asarray(one, float) for one in curves.values()])
    every = every[np.isfinite(every)]
    low, high = (every.min(), every.max()) if every.size else (0.0, 1.0)
    high = high if high > low else low + 1
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    steps = max(len(one) for one in curves.values())
    for sign, values in curves.items():
        for column in range(WIDTH):
            part = values[column * steps // WIDTH : max((column + 1) * steps // WIDTH, column * steps // WIDTH + 1)]
            part = [one for one in part if np.isfinite(one)]
            if part:
                row = round((high - float(np.mean(part))) / (high - low) * (HEIGHT - 1))
                grid[row][column] = sign
    lines = []
    for number, row in enumerate(grid):
        label = f"{high:9.3g}" if number == 0 else f"{low:9.3g}" if number == HEIGHT - 1 else " " * 9
        lines.append(f"{label} |{''.join(row)}".rstrip())
    return [*lines, " " * 10 + "+" + "-" * WIDTH, " " * 11 + "1" + f"{steps} steps".rjust(WIDTH - 1)]
