"""A checkpoint: all that one engine's training loop needs to go on as if it had never stopped.

It is one file in the safetensors format. The arrays:

    model/NAME               parameters and buffers
    optimizer/NUMBER/NAME    what the optimizer keeps for each parameter
    progress/order           the order of the rows in the epoch under way; absent between epochs
    history/NAME             the lists of History, as float64
    generator/device         the state of an accelerator's generator; absent on the CPU
    generator/device/NUMBER  in a run of several processes, the state of each process's

and, in the file's metadata, "format", "rest" (JSON: the run's settings, epoch, step, seconds, the optimizer's groups,
the state of the CPU generator, and in a run of several processes a list of the states of all of them) and "sha256", a
checksum of all of it. The file replaces the one before by a rename, so that a kill at any moment leaves a complete one.
It is checked from end to end before anything in it is used: against its checksum, and, field by field, against what the
run says that it must hold (`rest_scheme`, `array_scheme`).
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import files
from benchmarks.engines import Engine
from benchmarks.errors import Failure, shown
from benchmarks.runs import scheme, tensor_files
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.kinds import AnyNumber, Equal, Flag, Integer, Kind, Number
from benchmarks.runs.record import history_kinds
from benchmarks.runs.scheme import Array, List, Object, Optional, Order
from benchmarks.runs.settings import Settings

FORMAT = 1
LARGEST_COUNT = 2**24  # where float32, in which Adam counts its steps, stops counting
GENERATOR = Object(
    {
        "seed": Integer(0, 2**64 - 1),
        "words": List(Integer(0, 2**32 - 1), 624),
        "position": Integer(0, 624),
        "next_normal": Optional(Number()),
    }
)


class Keeper:
    """Saves the state of one engine's loop every so many steps, and when a signal asks the command to end.

    Parameters
    ----------
    path : Path
        The file.
    settings : Settings
        What determines the run; a checkpoint with other settings is refused.
    every : int or None
        Steps between two checkpoints; None: save only on a signal.
    interrupts : Interrupts
    """

    def __init__(self, path: Path, settings: Settings, every: int | None, interrupts: Interrupts) -> None:
        self.path, self.settings, self.every, self.interrupts = path, settings, every, interrupts

    def begin(self, engine: Engine, model: object, optimizer: object, rows: int) -> object:
        """Return the `Progress` to start from: the checkpoint's, if there is one, else the beginning.

        Raises
        ------
        Failure
            If the checkpoint is damaged, of another format, or of another run. Nothing has been changed then.
        """
        self._parts = (engine, model, optimizer)
        content = self.read(engine, model, optimizer, rows)
        if content is None:
            return engine.train.Progress()
        return restore(engine, model, optimizer, *self._own(*content))

    def read(
        self, engine: Engine, model: object, optimizer: object, rows: int
    ) -> tuple[dict, dict[str, np.ndarray]] | None:
        """Return the checkpoint's content, checked against the run; None if there is no checkpoint.

        Raises
        ------
        Failure
            As `begin` does.
        """
        if not os.path.lexists(self.path):
            return None
        expected: dict[str, Array] = {}

        def fits(rest: dict, header: tensor_files.Header) -> None:
            _check_settings(self.path, rest, self.settings)
            rest_scheme(self.settings, optimizer, rows).check(rest, "")
            progress = rest["progress"]
            if progress["epoch"] == self.settings.epochs:
                Integer(0, 0).check(progress["step"], "step")
            expected.update(array_scheme(self.settings, engine, model, rows, progress["epoch"], progress["step"]))
            scheme.check_headers(header, expected)

        rest, arrays = read(self.path, fits)
        for name, kind in expected.items():
            with scheme.naming(self.path):
                kind.check(arrays[name], name)
        return rest, arrays

    def after_step(self, progress: object) -> None:
        """Save if it is time to; end the command if a signal asked for it."""
        steps = len(progress.history.step_loss)
        if self.interrupts.received is not None or (self.every and steps % self.every == 0):
            self._save(*capture(*self._parts, progress, self.settings.to_dict()))
        self.interrupts.stop_if_received()

    def after_epoch(self, progress: object) -> None:
        """Save and end the command if a signal asked for it while the epoch was being evaluated."""
        if self.interrupts.received is not None:
            self.after_step(progress)

    def _save(self, rest: dict, arrays: dict[str, np.ndarray]) -> None:
        write(self.path, rest, arrays)

    def _own(self, rest: dict, arrays: dict[str, np.ndarray]) -> tuple[dict, dict[str, np.ndarray]]:
        """Return the part of the content that is this process's own: all of it."""
        return rest, arrays


# From a loop to plain values and arrays, and back.


def capture(engine: Engine, model: object, optimizer: object, progress: object, settings: dict) -> tuple[dict, dict]:
    """Return the state of a training loop: plain values, and arrays by name."""
    state = optimizer.state_dict()
    arrays = {f"model/{name}": array for name, array in engine.state(model).items()}
    for number, entry in state["state"].items():
        for name, array in entry.items():
            if array is not None:
                arrays[f"optimizer/{number}/{name}"] = engine.numpy(array)
    if progress.order is not None:
        arrays["progress/order"] = engine.numpy(progress.order)
    for name, values in progress.history.to_dict().items():
        arrays[f"history/{name}"] = np.array(values, np.float64)
    device_state = engine.device_generator_state()
    if device_state is not None:
        arrays["generator/device"] = device_state
    rest = {
        "settings": settings,
        "progress": {"epoch": progress.epoch, "step": progress.step, "seconds": progress.seconds},
        "groups": state["param_groups"],
        "generator": engine.random.get_state(),
    }
    return rest, arrays


def restore(engine: Engine, model: object, optimizer: object, rest: dict, arrays: dict[str, np.ndarray]) -> object:
    """Load what `capture` returned into a new model and optimizer and the engine's generators; return the progress."""

    def under(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    entries: dict[int, dict] = {}
    for name, array in under("optimizer/").items():
        number, _, key = name.partition("/")
        entries.setdefault(int(number), {})[key] = engine.from_numpy(array)
    # JSON has no tuples, and an optimizer's pairs of numbers are tuples.
    groups = [
        {key: tuple(value) if isinstance(value, list) and key != "params" else value for key, value in group.items()}
        for group in rest["groups"]
    ]
    progress = engine.train.Progress()
    progress.history = engine.train.History(**{name: array.tolist() for name, array in under("history/").items()})
    progress.epoch, progress.step, progress.seconds = (rest["progress"][key] for key in ("epoch", "step", "seconds"))
    if "progress/order" in arrays:
        progress.order = engine.from_numpy(arrays["progress/order"])
    engine.load_state(model, under("model/"))
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
    engine.random.set_state(rest["generator"])
    if "generator/device" in arrays:
        engine.set_device_generator_state(arrays["generator/device"])
    return progress


def _check_settings(path: Path, rest: object, settings: Settings) -> None:
    """Raise ``Failure`` if the settings are another run's; `rest_scheme` checks whether they are settings at all."""
    found = rest.get("settings") if isinstance(rest, dict) else None
    wanted = settings.to_dict()
    if isinstance(found, dict) and set(found) == set(wanted):
        differing = [
            f"{name} {shown(found[name])}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]
        ]
        if differing:
            raise Failure(f"{shown(path)} is a checkpoint of another run: {'; '.join(differing)}")


# What a checkpoint must hold.


def rest_scheme(settings: Settings, optimizer: object, rows: int) -> Object:
    """Return the scheme of the plain values.

    Parameters
    ----------
    settings : Settings
    optimizer
        A new one: its options are those of the whole run.
    rows : int
        Rows of the training set.
    """
    fields: dict[str, Kind] = {
        "settings": Object({name: Equal(value) for name, value in settings.to_dict().items()}),
        "progress": Object(
            {"epoch": Integer(0, settings.epochs), "step": Integer(0, settings.steps(rows)), "seconds": Number(0)},
            bare=True,
        ),
        "groups": List(_group_scheme(optimizer), 1),
        "generator": GENERATOR,
    }
    if settings.processes > 1:
        fields["generators"] = List(GENERATOR, settings.processes)
    return Object(fields)


def _group_scheme(optimizer: object) -> Object:
    (group,) = optimizer.state_dict()["param_groups"]
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
    fields: dict[str, Kind] = {name: Equal(value) for name, value in plain.items()}
    if "capturable" in fields:
        fields["capturable"] = Flag()  # PyTorch's mark of a step that was recorded as a graph
    return Object(fields)


def array_scheme(
    settings: Settings, engine: Engine, model: object, rows: int, epoch: int, step: int
) -> dict[str, Array]:
    """Return the schemes of the arrays, by name, of a checkpoint taken ``step`` steps after ``epoch`` whole epochs."""
    steps = epoch * settings.steps(rows) + step
    found = {f"model/{name}": Array(array.dtype.name, array.shape) for name, array in engine.state(model).items()}
    for number, parameter in enumerate(model.parameters()):
        shape = tuple(parameter.shape)
        found[f"optimizer/{number}/step"] = Array("float32", (), Equal(min(steps, LARGEST_COUNT)))
        found[f"optimizer/{number}/exp_avg"] = Array(settings.dtype, shape)
        found[f"optimizer/{number}/exp_avg_sq"] = Array(settings.dtype, shape, NotNegative())
    if step:
        found["progress/order"] = Order(rows)
    for name, kind in history_kinds(settings).items():
        found[f"history/{name}"] = Array("float64", (steps if name.startswith("step_") else epoch,), kind)
    device_state = engine.device_generator_state()
    if device_state is not None:
        names = [f"generator/device/{number}" for number in range(settings.processes)]
        for name in ["generator/device", *(names if settings.processes > 1 else [])]:
            found[name] = Array("uint8", device_state.shape)
    return found


class NotNegative(AnyNumber):
    """A number that is not negative, and may be infinite or NaN: a mean of squares, even in a run that diverged."""

    words = "0 or more"

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are not negative."""
        return ~(array < 0)


# The file.


def write(path: Path, rest: dict, arrays: dict[str, np.ndarray]) -> None:
    """Replace the file at ``path``."""
    text = json.dumps(rest)
    metadata = {"format": str(FORMAT), "rest": text, "sha256": checksum(text, arrays)}
    path.parent.mkdir(exist_ok=True)
    tensor_files.write(path, arrays, metadata)


def read(
    path: Path, fits: Callable[[object, tensor_files.Header], None] | None = None
) -> tuple[dict, dict[str, np.ndarray]]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : Path
    fits : callable, optional
        Takes the plain values, and the dtype and shape of each array, before the arrays are read; raises ``Failure`` or
        `kinds.Mismatch` if they are not what is wanted.

    Raises
    ------
    Failure
        If the file is truncated, damaged, not a checkpoint, or of another format.
    """

    def look(metadata: dict[str, str], header: tensor_files.Header) -> None:
        version = metadata.get("format")
        if version is not None and version != str(FORMAT):
            raise Failure(
                f"{shown(path)}: expected a checkpoint of format {FORMAT}, got {shown(version)}; "
                "another version wrote it"
            )
        if not {"format", "rest", "sha256"} <= set(metadata):
            raise Failure(f"{shown(path)} is not a checkpoint")
        if fits is not None:
            fits(files.parse_json(metadata["rest"]), header)

    metadata, arrays = tensor_files.read(path, look)
    if metadata["sha256"] != checksum(metadata["rest"], arrays):
        raise Failure(f"{shown(path)} is damaged: its content does not match its checksum")
    return json.loads(metadata["rest"]), arrays


def checksum(text: str, arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a text and of arrays, names, dtypes and shapes included."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.asarray(array, order="C").tobytes())
    return digest.hexdigest()
