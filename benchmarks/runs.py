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
"""

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.engines import NAMES
from benchmarks.errors import Failure

FORMAT = 1
PACKAGES = ("backprop-reference", "numpy", "torch", "torchvision", "scikit-learn", "matplotlib", "safetensors")


# Files, whole or not at all.


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk, and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
    """Make a run's folder; if the run does not come to its end, take away what it wrote.

    Raises
    ------
    Failure
        If the folder holds something already, or cannot be made or written to.
    """
    existed = path.is_dir()
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise Failure(f"{path} is not empty, and a run is never overwritten; choose another --out")
        write_bytes(path / "probe", b"")
        (path / "probe").unlink()
    except OSError as error:
        raise Failure(f"cannot write to {path}: {error.strerror}; choose another --out") from None
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        if existed:
            path.mkdir(exist_ok=True)
        raise


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
    write_tensors(folder / "model.safetensors", state)
    write_json(folder / "history.json", history)
    write_json(folder / "config.json", config)


def load_config(run: Path) -> dict:
    """Read the config.json of a run.

    Raises
    ------
    Failure
        If it is missing, damaged, or of another format than this version writes.
    """
    path = run / "config.json"
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise Failure(f"{path}: expected format {FORMAT}, got {config.get('format')!r}; another version wrote it")
    settings = config.get("settings")
    if not isinstance(settings, dict) or settings.get("engine") not in (*NAMES, "both"):
        raise Failure(f"{path} is damaged: expected settings with an engine, got {settings!r}")
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
