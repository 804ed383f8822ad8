"""The figures of a run, one file per kind; each shows all the engines that ran in one picture."""

from pathlib import Path

import matplotlib

from benchmarks import files
from benchmarks.figures import style
from benchmarks.figures.boundary import boundary
from benchmarks.figures.confusion import confusion
from benchmarks.figures.curves import curves
from benchmarks.figures.drift import drift
from benchmarks.figures.images import feature_maps, filters
from benchmarks.runs.drift import between
from benchmarks.runs.training import Trained
from benchmarks.tasks import Data, Task

__all__ = ["boundary", "confusion", "curves", "draw", "drift", "feature_maps", "filters"]


def draw(folder: Path, task: Task, data: Data, trained: list[Trained]) -> None:
    """Draw every figure that belongs to a task's run, replacing those drawn before."""
    with matplotlib.rc_context(style.RC):
        figures = {"curves": curves(task, trained)}
        if task.images:
            figures["feature_maps"] = feature_maps(task, data, trained)
            figures["filters"] = filters(task, trained)
            figures["confusion"] = confusion(task, data, trained)
        else:
            figures["boundary"] = boundary(task, data, trained)
        if len(trained) > 1:
            losses = [one.history["step_loss"] for one in trained]
            title = f"{task.title}: two engines, one seed, nothing copied"
            figures["drift"] = drift(title, {trained[0].engine.dtype_name: [between(*losses)]})
        for name, figure in figures.items():
            files.write_bytes(folder / f"{name}.png", style.as_png(figure))
