"""A checkpoint: all that one engine's training loop needs to go on as if it had never stopped.

It is one file in the safetensors format. The tensors:

    model/NAME               parameters and buffers
    optimizer/NUMBER/NAME    what the optimizer keeps for each parameter
    progress/order           the order of the rows in the epoch under way; absent between epochs
    history/NAME             the lists of History, as float64
    generator/device         the state of an accelerator's generator; absent on the CPU
    generator/device/NUMBER  in a run of several processes, the state of each one's

and, in the file's metadata, "format", "rest" (JSON: the run's settings, epoch, step, seconds, the optimizer's groups,
the state of the CPU generator, and in a run of several processes the list of all of theirs) and "sha256", a checksum of
all of it. The file replaces the one before by a rename, so that a kill at any moment leaves a whole one. It is checked
from end to end before anything is taken from it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from benchmarks.engines import Engine
from benchmarks.errors import Failure
from benchmarks.runs import folder as runs
from benchmarks.runs.interrupts import Interrupts

FORMAT = 1


class Keeper:
    """Saves the state of one engine's loop every so many steps, and when a signal asks the command to end.

    Parameters
    ----------
    path : Path
        The file.
    settings : dict
        What decides the run; a checkpoint of other settings is refused.
    every : int or None
        Steps between two checkpoints; None: a signal only.
    interrupts : Interrupts
    """

    def __init__(self, path: Path, settings: dict, every: int | None, interrupts: Interrupts) -> None:
        self.path, self.settings, self.every, self.interrupts = path, settings, every, interrupts

    def begin(self, engine: Engine, model: object, optimizer: object, rows: int, batch_size: int) -> object:
        """Return the `Progress` to start from: the checkpoint's, if there is one, else the beginning.

        Raises
        ------
        Failure
            If the checkpoint is damaged, of another format, or of another run. The model, the optimizer and the
            generator may have been changed only if their sizes fit; no file has been.
        """
        self._parts = (engine, model, optimizer)
        content = self.read()
        if content is None:
            return engine.train.Progress()
        rest, tensors = content
        try:
            _check_progress(rest["progress"], tensors, rows, batch_size)
            return restore(engine, model, optimizer, *self._own(rest, tensors))
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise Failure(f"{self.path} does not fit the run: {error}") from None

    def read(self) -> tuple[dict, dict[str, np.ndarray]] | None:
        """Return the checkpoint's content, None if there is no checkpoint; one of another run is a ``Failure``."""
        if not self.path.exists():
            return None
        rest, tensors = read(self.path)
        _check_settings(self.path, rest, self.settings)
        return rest, tensors

    def after_step(self, progress: object) -> None:
        """Save, if it is time to; end the command, if a signal asked for it."""
        steps = len(progress.history.step_loss)
        if self.interrupts.received is not None or (self.every and steps % self.every == 0):
            self._save(*capture(*self._parts, progress, self.settings))
        self.interrupts.stop_if_received()

    def after_epoch(self, progress: object) -> None:
        """Save and end the command, if a signal asked for it while the epoch was being evaluated."""
        if self.interrupts.received is not None:
            self.after_step(progress)

    def _save(self, rest: dict, tensors: dict[str, np.ndarray]) -> None:
        write(self.path, rest, tensors)

    def _own(self, rest: dict, tensors: dict[str, np.ndarray]) -> tuple[dict, dict[str, np.ndarray]]:
        """Return what of the content is this process's own: all of it."""
        return rest, tensors


# From a loop to plain values and arrays, and back.


def capture(engine: Engine, model: object, optimizer: object, progress: object, settings: dict) -> tuple[dict, dict]:
    """Return the state of a training loop: plain values, and arrays by name."""
    state = optimizer.state_dict()
    tensors = {f"model/{name}": array for name, array in engine.state(model).items()}
    for number, entry in state["state"].items():
        for name, array in entry.items():
            if array is not None:
                tensors[f"optimizer/{number}/{name}"] = engine.numpy(array)
    if progress.order is not None:
        tensors["progress/order"] = engine.numpy(progress.order)
    for name, values in progress.history.to_dict().items():
        tensors[f"history/{name}"] = np.array(values, np.float64)
    device_state = engine.device_generator_state()
    if device_state is not None:
        tensors["generator/device"] = device_state
    rest = {
        "settings": settings,
        "progress": {"epoch": progress.epoch, "step": progress.step, "seconds": progress.seconds},
        "groups": state["param_groups"],
        "generator": engine.random.get_state(),
    }
    return rest, tensors


def restore(engine: Engine, model: object, optimizer: object, rest: dict, tensors: dict[str, np.ndarray]) -> object:
    """Bring what `capture` returned into a new model and optimizer and the engine's generators; return the progress."""

    def under(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}

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
    if "progress/order" in tensors:
        progress.order = engine.from_numpy(tensors["progress/order"])
    engine.load_state(model, under("model/"))
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
    engine.random.set_state(rest["generator"])
    if "generator/device" in tensors:
        engine.set_device_generator_state(tensors["generator/device"])
    return progress


def _check_settings(path: Path, rest: dict, settings: dict) -> None:
    found = rest.get("settings")
    if not isinstance(found, dict) or set(found) != set(settings):
        raise Failure(f"{path} is not a checkpoint of this run: expected the settings {', '.join(settings)}")
    differing = [f"{name} {found[name]}, not {settings[name]}" for name in settings if found[name] != settings[name]]
    if differing:
        raise Failure(f"{path} is a checkpoint of another run: {'; '.join(differing)}")


def _check_progress(progress: dict, tensors: dict[str, np.ndarray], rows: int, batch_size: int) -> None:
    epoch, step = progress["epoch"], progress["step"]
    steps = -(-rows // batch_size)
    order = tensors.get("progress/order")
    if order is not None and not np.array_equal(np.sort(order), np.arange(rows)):
        raise ValueError(f"its epoch is not in an order of the {rows} training rows")
    if not (0 <= step <= steps and (step == 0) == (order is None)):
        raise ValueError(f"expected 0 to {steps} steps in an epoch, got {step}")
    expected = {"step_loss": epoch * steps + step, "test_loss": epoch}
    for name, count in expected.items():
        if tensors[f"history/{name}"].shape != (count,):
            raise ValueError(f"expected {count} entries of {name}, got {tensors[f'history/{name}'].size}")


# The file.


def write(path: Path, rest: dict, tensors: dict[str, np.ndarray]) -> None:
    """Replace the file at ``path``."""
    from safetensors.numpy import save

    text = json.dumps(rest)
    tensors = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    metadata = {"format": str(FORMAT), "rest": text, "sha256": checksum(text, tensors)}
    path.parent.mkdir(exist_ok=True)
    runs.write_bytes(path, save(tensors, metadata))


def read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Read what `write` wrote.

    Raises
    ------
    Failure
        If the file is truncated, damaged, no checkpoint, or of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            version = metadata.get("format")
            if version is not None and version != str(FORMAT):
                raise Failure(
                    f"{path}: expected a checkpoint of format {FORMAT}, got {version}; another version wrote it"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        if not {"format", "rest", "sha256"} <= set(metadata):
            raise Failure(f"{path} is not a checkpoint")
        if metadata["sha256"] != checksum(metadata["rest"], tensors):
            raise Failure(f"{path} is damaged: its content is not what its checksum says")
        return json.loads(metadata["rest"]), tensors
    except (SafetensorError, ValueError, TypeError) as error:
        raise Failure(f"{path} is damaged: {error}") from None


def checksum(text: str, tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a text and of arrays, names, dtypes and shapes included."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.asarray(array, order="C").tobytes())
    return digest.hexdigest()
