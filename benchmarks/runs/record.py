"""What a run leaves behind: files that say what was run, how it went, and what was learned.

    RUN/config.json          everything needed to repeat it: settings, the command, versions, the machine, threads,
                             a checksum of the data
    RUN/history.json         per step and per epoch: losses, accuracies, seconds
    RUN/model.safetensors    the weights and buffers, under PyTorch's names
    RUN/*.png                figures

A run of both engines holds one such folder for each, and the figures that compare them:

    RUN/config.json          as above, with "engine": "both"
    RUN/scratch/             config.json, history.json, model.safetensors
    RUN/torch/               the same
    RUN/*.png

config.json has the checksums of the other two, and one of itself. All three are read as if a stranger had written them:
nothing in them is executed, and every field is checked against the schemes below. A number that is not finite is null
in history.json. `benchmarks.runs.folder` describes the life of a run.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from benchmarks import environment, files
from benchmarks.engines import Engine
from benchmarks.errors import Failure, shown
from benchmarks.runs import folder, scheme, tensor_files
from benchmarks.runs.kinds import AnyNumber, Equal, Integer, Kind, Number, Text, Whole
from benchmarks.runs.scheme import Array, List, Mapped, Object, Optional
from benchmarks.runs.settings import BOTH, SETTINGS, Settings
from benchmarks.tasks import Data

FORMAT = 2
CONFIG, HISTORY, MODEL = "config.json", "history.json", "model.safetensors"

SHA256 = Text("[0-9a-f]{64}", "a SHA-256 checksum")
DATA = Object({"rows": Integer(1), "test_rows": Integer(1), "sha256": SHA256})
UNFINISHED = Object({"data_dir": Optional(Text()), "checkpoint_every": Optional(Integer(1))}, bare=True)
MACHINE = Object(
    {"system": Text(), "processor": Text(), "cores": Optional(Integer(1)), "threads": Mapped(Text())},
)
COMMON = {
    "format": Equal(FORMAT),
    "command": Text(),
    "settings": SETTINGS,
    "data": DATA,
    "threads": Mapped(Mapped(Integer(1))),
    "versions": Mapped(Optional(Text())),
    "machine": MACHINE,
    "sha256": SHA256,
}
UNDER_WAY = Object({**COMMON, "unfinished": UNFINISHED})
FINISHED = Object({**COMMON, "files": Object({HISTORY: SHA256, MODEL: SHA256})})
FINISHED_BOTH = Object(COMMON)


def history_kinds(settings: Settings) -> dict[str, Kind]:
    """Return the kind of the numbers in each list of a history: of every step, or of every epoch."""
    return {
        "step_loss": AnyNumber(),
        "step_correct": Whole(0, settings.batch_size),
        "train_loss": AnyNumber(),
        "train_accuracy": Number(0, 1),
        "test_loss": AnyNumber(),
        "test_accuracy": Number(0, 1),
        "seconds": Number(0),
    }


def history_scheme(settings: Settings, rows: int) -> Object:
    """Return the scheme of the history of a finished run."""
    steps = settings.epochs * settings.steps(rows)
    return Object(
        {
            name: List(kind, steps if name.startswith("step_") else settings.epochs)
            for name, kind in history_kinds(settings).items()
        }
    )


def fingerprint(data: Data) -> dict[str, object]:
    """Return what identifies a task's data: their sizes, and a checksum of all numbers."""
    digest = hashlib.sha256()
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array))
    return {"rows": len(data.x_train), "test_rows": len(data.x_test), "sha256": digest.hexdigest()}


def describe(settings: Settings, data: dict[str, object], engines: list[Engine]) -> dict:
    """Return the content of a config.json: what was asked for, and what it ran on.

    Parameters
    ----------
    settings : Settings
    data : dict
        What `fingerprint` returned.
    engines : list of Engine
        Those that run.
    """
    return {
        "format": FORMAT,
        "command": settings.command(),
        "settings": settings.to_dict(),
        "data": data,
        "threads": threads(settings, engines),
        "versions": environment.versions(),
        "machine": environment.machine(),
    }


def threads(settings: Settings, engines: list[Engine]) -> dict[str, dict[str, int]]:
    """Return the thread counts of each engine that runs: the last bits of a run on the CPU may depend on them."""
    return {engine.name: engine.threads(settings.processes) for engine in engines}


def checksum(config: dict) -> str:
    """Return the SHA-256 of a config.json's content, without the entry for the checksum itself."""
    content = {name: value for name, value in config.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(files.finite(content), sort_keys=True).encode()).hexdigest()


def write_config(run: Path, config: dict) -> None:
    """Replace a run's config.json."""
    files.write_json(run / CONFIG, {**config, "sha256": checksum(config)})


def load_config(run: Path, unfinished: bool = False) -> dict:
    """Read the config.json of a run, which must be finished unless ``unfinished`` is set.

    Raises
    ------
    Failure
        If it is missing, damaged, or of another format than this version writes, or if the run is not finished.
    """
    path = run / CONFIG
    config = files.read_json(path)
    if config.get("format") != FORMAT:
        found = shown(config.get("format"))
        raise Failure(f"{shown(path)}: expected format {FORMAT}, got {found}; another version wrote it")
    under_way = "unfinished" in config
    alone = isinstance(config.get("settings"), dict) and config["settings"].get("engine") != BOTH
    scheme.check(path, config, UNDER_WAY if under_way else FINISHED if alone else FINISHED_BOTH)
    if config["sha256"] != checksum(config):
        raise Failure(f"{shown(path)} is damaged: its content does not match its checksum")
    if under_way and not unfinished:
        raise Failure(f"{shown(run)} is not a finished run; {folder.how_to_resume(run)}")
    return config


def save(part: Path, config: dict, history: dict[str, list], state: dict[str, np.ndarray]) -> None:
    """Write one engine's finished run; config.json comes last and makes it finished."""
    part.mkdir(exist_ok=True)
    files.flush_names(part.parent)
    model = tensor_files.write(part / MODEL, state)
    content = files.encode_json(history)
    files.write_bytes(part / HISTORY, content)
    write_config(part, {**config, "files": {HISTORY: hashlib.sha256(content).hexdigest(), MODEL: model}})


def load_history(part: Path) -> dict[str, list[float]]:
    """Read one engine's history; null becomes NaN.

    Raises
    ------
    Failure
        If the file, or config.json, is missing or damaged.
    """
    config, path = load_config(part), part / HISTORY
    history = files.read_json(path, config["files"][HISTORY])
    scheme.check(path, history, history_scheme(Settings.of_config(config), config["data"]["rows"]))
    return {name: [math.nan if value is None else float(value) for value in values] for name, values in history.items()}


def load_weights(part: Path, network: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Read one engine's weights and buffers.

    Parameters
    ----------
    part : Path
        The folder of a finished run of one engine.
    network : dict
        What the network holds now, by name: the weights must have these names, shapes and dtypes.

    Raises
    ------
    Failure
        If the file, or config.json, is missing or damaged, or does not fit the network.
    """
    config, path = load_config(part), part / MODEL
    expected = {name: Array(array.dtype.name, array.shape) for name, array in network.items()}

    def fits(metadata: dict[str, str], header: tensor_files.Header) -> None:
        with scheme.naming(path, f"does not fit the network of {config['settings']['task']}"):
            scheme.check_headers(header, expected)

    return tensor_files.read(path, fits, config["files"][MODEL])[1]
