"""One engine's part of a run: trained and written, or read back; and the run that the parts make up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.errors import Failure, shown
from benchmarks.runs import folder, record
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import Trained, train
from benchmarks.tasks import Data


def own_settings(settings: Settings, engine: Engine) -> Settings:
    """Return the settings of one engine's part of a run, which is a run of that engine alone."""
    own = replace(settings, engine=engine.name, device=engine.device)
    return own if engine.name == "torch" else replace(own, processes=1, precision=None, compile=False)


def train_or_load(
    run: Path,
    config: dict,
    engine: Engine,
    data: Data,
    data_dir: Path,
    on_step: Callable | None,
    every: int | None,
    interrupts: Interrupts,
) -> Trained:
    """Return one engine's part of a run: what its folder already holds, or else the result of training, saved there.

    Parameters
    ----------
    run : Path
    config : dict
        The run's, as `record.describe` returned it.
    engine : Engine
    data : Data
    data_dir : Path
        Where the processes find the data, if there are several.
    on_step : callable or None
        Called with the progress after every step; None where the part is finished.
    every : int or None
        Steps between two checkpoints.
    interrupts : Interrupts
    """
    settings = Settings.of_config(config)
    part, own = folder.part(run, engine.name, settings.engine), own_settings(settings, engine)
    if folder.is_finished(part):
        return load(part, own, engine)
    keeper = Keeper(part / folder.CHECKPOINT, own, every, interrupts)
    with interrupts.deferred():
        if own.processes > 1:
            from benchmarks.runs.processes import train_together

            one = train_together(own, engine, data, data_dir, on_step, keeper, interrupts)
        else:
            one = train(own, engine, data, on_step, keeper)
        described = record.describe(own, config["data"], [engine])
        record.save(part, described, one.history, engine.state(one.model))
    return one


def load(part: Path, settings: Settings, engine: Engine) -> Trained:
    """Return what an engine trained, from its folder."""
    found = Settings.of_config(record.load_config(part))
    if found != settings:
        raise Failure(f"{shown(part)} was run with other settings: {found.command()}")
    history = record.load_history(part)
    return Trained(engine, load_model(engine, settings, part), history)


def load_model(engine: Engine, settings: Settings, part: Path) -> object:
    """Return the task's network in ``engine``, with the weights that the folder ``part`` holds."""
    model = engine.place(tasks.get(settings.task).build(engine, settings.dropout))
    engine.load_state(model, record.load_weights(part, engine.state(model)))
    return model


def finish(run: Path, config: dict) -> None:
    """Mark the run as finished, if it is not yet, and remove its checkpoints."""
    if not folder.is_finished(run):
        record.write_config(run, {name: value for name, value in config.items() if name != "unfinished"})
    folder.clean(run)
