"""``backprop export``: a finished run's model in a format that other programs read."""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import engines, tasks
from benchmarks.commands import argument_types as options
from benchmarks.errors import Failure, UsageError
from benchmarks.runs import folder as runs
from benchmarks.runs import onnx_model
from benchmarks.runs.training import Settings, load_model

EXAMPLES = """\
The network is written with its weights in one file, in evaluation mode, for any number of rows. It is run by
onnxruntime on the test set and held against both engines before the file is written. A run of both engines holds two
sets of weights, and each has its own file, RUN/scratch/model.onnx and RUN/torch/model.onnx.

Needs the onnx extra: pip install '.[onnx]' in the project's folder.

examples:
  backprop export runs/mnist --onnx
  backprop export runs/mnist/scratch --onnx --out digits.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--onnx", action="store_true", required=True, help="write ONNX, the one format there is")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (model.onnx beside the weights)")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data sets (BACKPROP_DATA, or ./data)")


def run(args: argparse.Namespace) -> int:
    """Export every set of weights in the run."""
    settings = Settings.of_config(runs.load_config(args.folder))
    parts = {name: runs.part(args.folder, name, settings.engine) for name in settings.engines()}
    if args.out is not None and len(parts) > 1:
        choices = " or ".join(map(str, parts.values()))
        raise UsageError(f"--out names one file, and {args.folder} holds two sets of weights; export {choices}")
    files = {name: args.out or part / "model.onnx" for name, part in parts.items()}
    for path in files.values():
        if path.exists():
            raise Failure(f"{path} exists already, and is not overwritten")
        if not path.parent.is_dir():
            raise Failure(f"cannot write {path}: there is no folder {path.parent}")
    states = {name: runs.load(part)[0] for name, part in parts.items()}
    onnx_model.require()
    data = tasks.get(settings.task).load(options.data_dir(args.data_dir))
    every_engine = [engines.get(name, settings.dtype) for name in engines.NAMES]
    x = data.x_test.astype(settings.dtype, copy=False)

    rows, contents = [], {}
    for trainer, state in states.items():
        models = {engine.name: load_model(engine, settings, state, parts[trainer]) for engine in every_engine}
        by_name = {engine.name: engine for engine in every_engine}
        contents[trainer] = onnx_model.build(by_name["torch"], models["torch"], x)
        logits = onnx_model.predict(contents[trainer], x)
        for engine in every_engine:
            expected = engine.predict(models[engine.name], x)
            difference = compare(logits, expected, f"{files[trainer]} is not written: onnxruntime and {engine.name}")
            accuracies = [float((one.argmax(axis=1) == data.y_test).mean()) for one in (expected, logits)]
            rows.append((trainer, engine.name, difference, *accuracies))
    for trainer, path in files.items():
        runs.write_bytes(path, contents[trainer])

    from benchmarks.commands import tables as screen

    console = screen.console()
    console.print(screen.export_table(rows))
    console.print("Written: " + ", ".join(map(str, files.values())), soft_wrap=True)
    return 0


def compare(logits: np.ndarray, expected: np.ndarray, who: str) -> float:
    """Return the largest difference of two outputs; where both are NaN they do not differ.

    Raises
    ------
    Failure
        If it is more than rounding: if less than half of the digits of the largest output agree.
    """
    with np.errstate(invalid="ignore"):
        same = (logits == expected) | (np.isnan(logits) & np.isnan(expected))
        difference = float(np.where(same, 0, np.abs(logits - expected)).max())
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    allowed = float(largest * np.sqrt(np.finfo(expected.dtype).eps))
    if not difference <= allowed:
        raise Failure(f"{who} differ by {difference:.1e}, and {allowed:.1e} is what rounding may explain")
    return difference
