"""``backprop export``: a finished run's model in a format that other programs read."""

import argparse

import numpy as np

from benchmarks import engines, files, tasks
from benchmarks.commands import argument_types
from benchmarks.errors import Failure, UsageError, shown
from benchmarks.runs import folder, onnx_model, record
from benchmarks.runs.parts import load_model
from benchmarks.runs.settings import Settings

EXAMPLES = """\
The network is written with its weights in one file, in evaluation mode, for any number of rows. Before the file is
written, onnxruntime runs it on the test set, and the result is compared with both engines. A run of both engines holds
two sets of weights, and each has its own file, RUN/scratch/model.onnx and RUN/torch/model.onnx.

Needs the onnx extra: pip install '.[onnx]' in the project's folder.

examples:
  backprop export runs/mnist --onnx
  backprop export runs/mnist/scratch --onnx --out digits.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("folder", metavar="RUN", type=argument_types.path, help="folder of a finished run")
    parser.add_argument("--onnx", action="store_true", required=True, help="write ONNX, the only format")
    parser.add_argument(
        "--out", type=argument_types.path, metavar="FILE", help="file to write (model.onnx beside the weights)"
    )
    argument_types.add_data_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Export every set of weights in the run."""
    settings = Settings.of_config(record.load_config(args.folder))
    parts = {name: folder.part(args.folder, name, settings.engine) for name in settings.engines()}
    if args.out is not None and len(parts) > 1:
        choices = " or ".join(map(str, parts.values()))
        raise UsageError(f"--out names one file, and {shown(args.folder)} holds two sets of weights; export {choices}")
    paths = {name: args.out or part / "model.onnx" for name, part in parts.items()}
    for path in paths.values():
        files.check_new(path)
    every_engine = [engines.get(name, settings.dtype) for name in engines.NAMES]
    trained = {
        trainer: {engine.name: load_model(engine, settings, part) for engine in every_engine}
        for trainer, part in parts.items()
    }
    onnx_model.require()
    data = tasks.get(settings.task).load(argument_types.data_dir(args.data_dir))
    x = data.x_test.astype(settings.dtype, copy=False)

    rows, contents = [], {}
    for trainer, models in trained.items():
        by_name = {engine.name: engine for engine in every_engine}
        contents[trainer] = onnx_model.build(by_name["torch"], models["torch"], x)
        logits = onnx_model.predict(contents[trainer], x)
        for engine in every_engine:
            expected = engine.predict(models[engine.name], x)
            difference = compare(
                logits, expected, f"{shown(paths[trainer])} is not written: onnxruntime and {engine.name}"
            )
            accuracies = [float((one.argmax(axis=1) == data.y_test).mean()) for one in (expected, logits)]
            rows.append((trainer, engine.name, difference, *accuracies))
    for trainer, path in paths.items():
        files.write_new(path, contents[trainer])

    from benchmarks.commands import run_tables
    from benchmarks.tables import console

    screen = console()
    screen.print(run_tables.export_table(rows))
    screen.print("Written: " + ", ".join(map(shown, paths.values())), soft_wrap=True)
    return 0


def compare(logits: np.ndarray, expected: np.ndarray, who: str) -> float:
    """Return the largest difference between two outputs; where both are NaN they do not differ.

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
        raise Failure(f"{who} differ by {difference:.1e}, and rounding may explain {allowed:.1e}")
    return difference
