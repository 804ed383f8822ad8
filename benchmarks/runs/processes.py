"""One training run in several processes: each has its share of every batch, and process 0 writes for all.

A signal reaches the command's own process, which passes it on to process 0 in reply to the message that process 0 sends
after each step. The processes then agree on it, so that all of them end after the same step, with one checkpoint.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch.distributed as dist

from benchmarks import engines, tasks
from benchmarks.engines import Engine
from benchmarks.errors import Failure, Interrupted
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import Trained, prepare, train
from benchmarks.tasks import Data
from torch_ref.scale import distributed


class SharedKeeper(Keeper):
    """A `Keeper` in each of several processes: process 0 writes the file, with the generators of all of them."""

    def _save(self, rest: dict, arrays: dict[str, np.ndarray]) -> None:
        states = [json.loads(state) for state in distributed.gather(json.dumps(rest["generator"]).encode())]
        if "generator/device" in arrays:
            for number, state in enumerate(distributed.gather(arrays["generator/device"].tobytes())):
                arrays[f"generator/device/{number}"] = np.frombuffer(state, np.uint8)
        if dist.get_rank() == 0:
            super()._save(rest | {"generators": states}, arrays)

    def _own(self, rest: dict, arrays: dict[str, np.ndarray]) -> tuple[dict, dict[str, np.ndarray]]:
        rank = dist.get_rank()
        if "generator/device" in arrays:
            arrays = arrays | {"generator/device": arrays[f"generator/device/{rank}"]}
        return rest | {"generator": rest["generators"][rank]}, arrays


def train_together(
    settings: Settings,
    engine: Engine,
    data: Data,
    data_dir: Path,
    on_step: Callable,
    keeper: Keeper,
    interrupts: Interrupts,
) -> Trained:
    """Train as `train` does, in several processes, each of which loads the data from its folder.

    Raises
    ------
    Failure
        If one of them fails or dies, or the keeper's checkpoint is refused.
    Interrupted
        If a signal asked for it; there is a checkpoint then.
    """

    def on_message(message: tuple[int, int, list[float]]) -> int:
        progress = engine.train.Progress()
        progress.epoch, progress.step, progress.history.test_accuracy = message
        on_step(progress)
        return interrupts.received or 0

    # Check the checkpoint here: one error is better than one from each of many processes.
    model, optimizer = prepare(settings, engine)
    keeper.read(engine, model, optimizer, len(data.x_train))
    try:
        learned = distributed.launch(
            _train_share,
            settings.processes,
            *(settings, data_dir, keeper.path, keeper.every),
            device=settings.device,
            on_message=on_message,
        )
    except RuntimeError as error:
        raise Failure(str(error)) from None
    if learned is None:
        raise Interrupted(interrupts.received)
    history, state = learned
    engine.load_state(model, state)
    return Trained(engine, model, history)


def _train_share(
    device: str, send: Callable, settings: Settings, data_dir: Path, path: Path, every: int | None
) -> tuple[dict, dict] | None:
    """Train in one of the processes; return the history and the weights, or None if a signal ended it."""
    engine, data = engines.get("torch", settings.dtype, device), tasks.get(settings.task).load(data_dir)
    interrupts = Interrupts()  # never entered: signals are the parent's

    def on_step(progress: object) -> None:
        heard = send((progress.epoch, progress.step, progress.history.test_accuracy[-1:]))
        interrupts.received = distributed.largest(heard or 0) or None

    try:
        one = train(settings, engine, data, on_step, SharedKeeper(path, settings, every, interrupts))
    except Interrupted:
        return None
    return one.history, engine.state(one.model)
