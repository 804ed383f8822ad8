"""What processes do that are there to be ended; in a file of its own, because each of them imports all of its file."""

import os
import time
from collections.abc import Callable


def measure_for_ever(rivals: list) -> None:
    """Print the process's id; a benchmark for `benchmarks.speed.benches.repeat`."""
    print(os.getpid(), flush=True)
    time.sleep(600)


def work_for_ever(rank: int, processes: int, send: Callable) -> None:
    """Send the process's id; work for `torch_ref.scale.workers.run`."""
    send(os.getpid())
    time.sleep(600)
