"""The benchmarks: each gives rows, a dict for each piece of work and contender, ready for JSON and for the tables.

Every row has ``work``, ``contender``, ``dtype``, ``seconds`` (of the contender), ``scratch_seconds`` and ``ratio``:
scratch's time over the contender's, the median over the rounds.
"""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from benchmarks import environment
from benchmarks.errors import Failure
from benchmarks.speed import work
from benchmarks.speed.contenders import CONTENDERS, Scratch
from benchmarks.speed.mnist_run import NAMES
from benchmarks.speed.results import DTYPES
from benchmarks.speed.timing import Times, interleave
from torch_ref.scale import workers

BATCHES = (32, 64, 128, 256, 512, 1024)


def _row(name: str, contender: str, dtype: str, ours: Times, theirs: Times, **more: object) -> dict:
    low, high = ours.quartiles()
    return {
        "work": name,
        "contender": contender,
        "dtype": dtype,
        "scratch_seconds": ours.median,
        "scratch_quartiles": [low, high],
        "scratch_range": list(ours.range()),
        "seconds": theirs.median,
        "quartiles": list(theirs.quartiles()),
        "range": list(theirs.range()),
        "ratio": ours.ratio(theirs),
        **more,
    }


def repeat(
    bench: Callable[..., Iterable[dict]],
    repeats: int,
    *arguments: object,
    threads: int = 0,
    on_row: Callable[[int, dict], object] = lambda process, row: None,
) -> list[dict]:
    """Run a benchmark in several processes, one after the other, and return the medians of their rows.

    Where a process's memory ends up is chance, and can slow a step down by a third for as long as the process lives;
    the rounds within one process do not show that.

    Parameters
    ----------
    bench : callable
        `layers`, `steps` or `scaling`.
    repeats : int
        How many processes; with 1, this one.
    *arguments
        The benchmark's.
    threads : int
        How many threads the processes begin with. Then even a single run gets a new process, because the libraries of
        this one have begun with another number. 0 leaves the number to the libraries.
    on_row : callable
        Called after each row, with the number of the process, from 1, and the row. Nothing is being measured meanwhile.

    Returns
    -------
    list of dict
        Rows like the benchmark's, each with ``ratios``: one for each process.
    """
    if repeats == 1 and not threads:
        return combine([_rows(functools.partial(on_row, 1), bench, arguments)])
    runs = []
    try:
        with environment.processes_with_threads(threads) if threads else nullcontext():
            for process in range(1, repeats + 1):
                runs.append(workers.run(_measure, 1, (bench, arguments), functools.partial(on_row, process)))
    except RuntimeError as error:
        raise Failure(f"measuring: {error}") from None
    return combine(runs)


def _measure(rank: int, processes: int, send: Callable, bench: Callable, arguments: tuple) -> list[dict]:
    return _rows(send, bench, arguments)


def _rows(on_row: Callable[[dict], object], bench: Callable[..., Iterable[dict]], arguments: tuple) -> list[dict]:
    rows = []
    for row in bench(*arguments):
        rows.append(row)
        on_row(row)
    return rows


def combine(runs: list[list[dict]]) -> list[dict]:
    """Return the medians of the rows of several runs."""
    combined = []
    for rows in zip(*runs, strict=True):
        row = {**rows[0], "ratios": [row["ratio"] for row in rows]}
        row |= {key: median(each[key] for each in rows) for key in ("seconds", "scratch_seconds", "ratio")}
        for key in ("quartiles", "scratch_quartiles"):
            row[key] = [median(each[key][end] for each in rows) for end in (0, 1)]
        for key in ("range", "scratch_range"):
            row[key] = [min(each[key][0] for each in rows), max(each[key][1] for each in rows)]
        combined.append(row)
    return combined


def layers(rivals: list[str], rounds: int, threads: int) -> Iterator[dict]:
    """Time forward and backward of each layer, at the shapes of the course's networks."""
    ours = Scratch(threads)
    for dtype in DTYPES:
        for name in [rival for rival in rivals if hasattr(CONTENDERS[rival], "layer")]:
            theirs = CONTENDERS[name](threads)
            for layer in work.layers():
                functions = {"scratch": ours.layer(layer, dtype), name: theirs.layer(layer, dtype)}
                times = interleave(functions, rounds, threads)
                more = {"network": layer.network, "operations": layer.operations, "shape": list(layer.shape)}
                yield _row(layer.name, name, dtype, times["scratch"], times[name], **more)


def steps(rivals: list[str], rounds: int, threads: int) -> Iterator[dict]:
    """Time whole training steps, all contenders in turn."""
    for dtype in DTYPES:
        for step in (work.cnn_step(), work.mlp_step()):
            functions = {"scratch": Scratch(threads).step(step, dtype)}
            for name in rivals:
                # In JAX float64 is a setting of the whole process.
                if not (name == "jax" and dtype == "float64"):
                    functions[name] = CONTENDERS[name](threads).step(step, dtype)
            times = interleave(functions, rounds, threads)
            ours = times.pop("scratch")
            for name, theirs in times.items():
                yield _row(step.name, name, dtype, ours, theirs)


def scaling(rivals: list[str], rounds: int, threads: int) -> Iterator[dict]:
    """Time SmallCNN's step per image, from small batches to large ones."""
    for batch in BATCHES:
        step = work.cnn_step(batch)
        functions = {"scratch": Scratch(threads).step(step, "float32")}
        functions |= {name: CONTENDERS[name](threads).step(step, "float32") for name in rivals}
        times = interleave(functions, rounds, threads)
        per_image = {name: Times(value.seconds / batch) for name, value in times.items()}
        ours = per_image.pop("scratch")
        for name, theirs in per_image.items():
            yield _row(step.name, name, "float32", ours, theirs, batch=batch)


def train(data_dir: Path, epochs: int, repeats: int, threads: int) -> list[dict]:
    """Time training on MNIST, evaluation included, each run in a process of its own; the ratio is of the seconds."""
    return _mnist_rows("seconds", data_dir, epochs, repeats, threads)


def memory(data_dir: Path, repeats: int, threads: int) -> list[dict]:
    """Measure the peak memory of an epoch of MNIST in a process of its own; the ratio is of the bytes."""
    return _mnist_rows("peak_bytes", data_dir, 1, repeats, threads)


def _mnist_rows(quantity: str, data_dir: Path, epochs: int, repeats: int, threads: int) -> list[dict]:
    results: dict[str, list[dict]] = {name: [] for name in NAMES}
    for _ in range(repeats):
        for name in NAMES:
            results[name].append(_mnist_run(name, data_dir, epochs, threads))
    ours, found = results["scratch"], []
    for name in NAMES:
        theirs = results[name]
        row = {key: median(run[key] for run in theirs) for key in ("seconds", "accuracy", "peak_bytes")}
        ratios = [a[quantity] / b[quantity] for a, b in zip(ours, theirs, strict=True)]
        found.append(
            {
                "work": f"MNIST, {epochs} epoch" + "s" * (epochs > 1),
                "contender": name,
                "dtype": "float32",
                "scratch_seconds": median(run["seconds"] for run in ours),
                "scratch_range": _range(ours),
                "range": _range(theirs),
                "ratio": median(ratios),
                "ratios": ratios,
                **row,
            }
        )
    return found


def _range(runs: list[dict]) -> list[float]:
    return [end(run["seconds"] for run in runs) for end in (min, max)]


def _mnist_run(name: str, data_dir: Path, epochs: int, threads: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.speed.mnist_run", name, "--data-dir", str(data_dir)]
    command += ["--epochs", str(epochs), "--threads", str(threads), "--parent", str(os.getpid())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise Failure(f"the MNIST run of {name} failed: {reason[0]}")
    return json.loads(done.stdout)
