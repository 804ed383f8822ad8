"""What a run leaves behind: a folder that says what was run, how it went, and what was learned.

    RUN/config.json          everything needed to repeat it: settings, the command, versions, the machine
    RUN/history.json         per step and per epoch: losses, accuracies, seconds
    RUN/model.safetensors    the weights and buffers, under PyTorch's names
    RUN/*.png                figures

A run of both engines holds one such folder for each, and the figures that compare them:

    RUN/config.json          as above, with "engine": "both"
    RUN/scratch/             config.json, history.json, model.safetensors
    RUN/torch/               the same
    RUN/*.png

A file comes into being whole or not at all: it is written under a temporary name, flushed to the disk, and renamed.
Nothing in a file is executed when it is read. A number that is not finite is null in history.json.

A run's life:

1. Under way. config.json is written before the first step, with an entry "unfinished" that says where the data are and
   how often to save. From time to time, if that was asked for, RUN/checkpoint.safetensors is replaced by a newer one
   (RUN/scratch/checkpoint.safetensors in a run of both; see ``benchmarks/runs/checkpoint.py``). An engine that is done
   leaves its model.safetensors and its history.json.
2. Ended early. A run that nothing can be resumed from takes its folder away, if it still can; one with a checkpoint, or
   with an engine that is done, stays as it is. A run that was killed stays too.
   ``backprop train --resume RUN`` goes on in the same folder.
3. Finished. config.json is replaced by one without "unfinished", and the checkpoints are removed. The figures come
   after that: they can be drawn again, by ``backprop train --resume RUN``.
"""

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.engines import NAMES
from benchmarks.errors import Failure

FORMAT = 1
CHECKPOINT = "checkpoint.safetensors"
LEFTOVER = ".*.tmp"  # what a kill in the middle of a write leaves
PACKAGES = ("backprop-reference", "numpy", "torch", "torchvision", "scikit-learn", "matplotlib", "safetensors")


# Files, whole or not at all.


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk, rename it, and flush the folder."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_names(path.parent)


def flush_names(folder: Path) -> None:
    """Bring to the disk which files a folder holds, where the system can (Windows opens no folders)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: object) -> None:
    """Write plain numbers, strings, lists and dicts; a number that is not finite becomes null."""
    write_bytes(path, (json.dumps(_finite(content), indent=1, allow_nan=False) + "\n").encode())


def _finite(content: object) -> object:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path) -> dict:
    """Read a JSON object.

    Raises
    ------
    Failure
        If the file is missing, or is not a JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Failure(f"{path} does not exist; is {path.parent} the folder of a finished run?") from None
    except ValueError as error:
        raise Failure(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise Failure(f"{path} is damaged: expected an object, got {type(content).__name__}")
    return content


def write_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write named arrays in the safetensors format, which takes each array's memory to be in C order."""
    from safetensors.numpy import save

    write_bytes(path, save({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays in the safetensors format.

    Raises
    ------
    Failure
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise Failure(f"{path} does not exist; is {path.parent} the folder of a finished run?") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise Failure(f"{path} is damaged: {error}") from None


# Folders.


def free_folder(path: Path) -> Path:
    """Return ``path``, or the first of path-2, path-3, ... that does not exist."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a run's folder; if the run does not come to its end, take it away, unless there is something to resume from.

    Raises
    ------
    Failure
        If the folder holds something already, or cannot be made or written to.
    """
    existed = path.is_dir()
    try:
        path.mkdir(parents=True, exist_ok=True)
        if is_unfinished(path):
            raise Failure(f"{path} holds an unfinished run; {how_to_resume(path)}, or choose another --out")
        if any(not held.match(LEFTOVER) for held in path.iterdir()):
            raise Failure(f"{path} is not empty, and a run is never overwritten; choose another --out")
        probe = path / f".probe.{os.getpid()}.tmp"
        probe.touch()
        probe.unlink()
        flush_names(path.parent)
    except OSError as error:
        raise Failure(f"cannot write to {path}: {error.strerror}; choose another --out") from None
    try:
        yield path
    except BaseException:
        if not is_resumable(path):
            shutil.rmtree(path, ignore_errors=True)
            if existed:
                path.mkdir(exist_ok=True)
        raise


def is_finished(run: Path) -> bool:
    """Whether a folder holds a run, or an engine's part of one, that has come to its end."""
    path = run / "config.json"
    return path.exists() and "unfinished" not in read_json(path)


def is_unfinished(run: Path) -> bool:
    """Whether a folder holds a run that began and has not come to its end."""
    path = run / "config.json"
    with contextlib.suppress(Failure):  # a damaged file is somebody else's
        return path.exists() and "unfinished" in read_json(path)
    return False


def is_resumable(run: Path) -> bool:
    """Whether a run holds anything that would have to be computed again without it."""
    folders = (run, *(run / name for name in NAMES))
    return any((folder / CHECKPOINT).exists() or is_finished(folder) for folder in folders)


def how_to_resume(run: Path) -> str:
    """Return the words that a message about an unfinished run ends with."""
    return f"go on with: {shlex.join(['backprop', 'train', '--resume', str(run)])}"


def clean(run: Path) -> None:
    """Remove from a finished run what only an unfinished one needs, and what a kill in the middle of a write left."""
    for folder in (run, *(run / name for name in NAMES)):
        for path in (*folder.glob(CHECKPOINT), *folder.glob(LEFTOVER)):
            path.unlink()


# Runs.


def part(run: Path, engine: str, of: str) -> Path:
    """Return where one engine's files go in a run of ``of``, that engine or both."""
    return run / engine if of == "both" else run


def describe(settings: dict, command: str) -> dict:
    """Return the content of a config.json: what was asked for, and what it ran on."""
    return {
        "format": FORMAT,
        "command": command,
        "settings": settings,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": {key: value for key, value in os.environ.items() if key.endswith("_NUM_THREADS")},
        },
    }


def version(package: str) -> str | None:
    """Return the version of an installed package, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name, as well as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def save(folder: Path, config: dict, history: dict[str, list], state: dict[str, np.ndarray]) -> None:
    """Write one engine's finished run; config.json comes last and makes it one."""
    folder.mkdir(exist_ok=True)
    flush_names(folder.parent)
    write_tensors(folder / "model.safetensors", state)
    write_json(folder / "history.json", history)
    write_json(folder / "config.json", config)


def load_config(run: Path, unfinished: bool = False) -> dict:
    """Read the config.json of a run, of an unfinished one only where that is asked for.

    Raises
    ------
    Failure
        If it is missing, damaged, or of another format than this version writes, or if the run is not finished.
    """
    path = run / "config.json"
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise Failure(f"{path}: expected format {FORMAT}, got {config.get('format')!r}; another version wrote it")
    settings = config.get("settings")
    if not isinstance(settings, dict) or settings.get("engine") not in (*NAMES, "both"):
        raise Failure(f"{path} is damaged: expected settings with an engine, got {settings!r}")
    if "unfinished" in config and not unfinished:
        raise Failure(f"{run} is not a finished run; {how_to_resume(run)}")
    return config


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Read one engine's weights and history; null becomes NaN.

    Raises
    ------
    Failure
        If a file is missing or damaged.
    """
    state, path = read_tensors(folder / "model.safetensors"), folder / "history.json"
    try:
        history = {
            name: [math.nan if value is None else float(value) for value in values]
            for name, values in read_json(path).items()
        }
    except (TypeError, ValueError) as error:
        raise Failure(f"{path} is damaged: {error}") from None
    for name in ("test_loss", "test_accuracy"):
        if not history.get(name):
            raise Failure(f"{path} is damaged: expected the list {name} with an entry for each epoch")
    return state, history
