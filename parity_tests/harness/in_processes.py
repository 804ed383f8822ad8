"""What the processes of tests do; in a file of its own, because each of them imports all of its file."""

import os
import time
from collections.abc import Callable


def rows_of_this_process(rivals: list, seconds: float) -> list[dict]:
    """Return a benchmark's rows, which contain this process's id; for `benchmarks.speed.benches.repeat`."""
    row = {"work": rivals[0], "seconds": 4.0, "scratch_seconds": seconds, "ratio": seconds / 4}
    ranges = {"range": [2.0, 6.0], "scratch_range": [seconds - 0.5, 2 * seconds]}
    return [{**row, **ranges, "quartiles": [3.0, 5.0], "scratch_quartiles": [os.getpid(), 1e9]}]


def measure_for_ever(rivals: list) -> None:
    """Print the process's id; a benchmark for `benchmarks.speed.benches.repeat`."""
    print(os.getpid(), flush=True)
    time.sleep(600)


def work_for_ever(rank: int, processes: int, send: Callable) -> None:
    """Send the process's id; work for `torch_ref.scale.workers.run`."""
    send(os.getpid())
    time.sleep(600)
