"""``backprop evaluate``: the weights of a finished run, in either engine."""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import engines, tasks
from benchmarks.commands import argument_types as options
from benchmarks.engines import Engine
from benchmarks.runs import folder as runs
from benchmarks.runs.training import Settings, load_model
from benchmarks.tasks import Data

EXAMPLES = """\
Weights are weights: what one engine learned gives the same accuracy in the other. A run of both engines holds two
sets of weights, and each is tested. The network, the dtype and the task are those of the run.

examples:
  backprop evaluate runs/demo --engine torch
  backprop evaluate runs/demo/scratch --engine torch
  backprop evaluate runs/mnist --engine scratch --data-dir ~/data
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--engine", choices=engines.NAMES, required=True, help="the engine that tests")
    parser.add_argument("--device", type=options.device, default="cpu", help="auto, cpu, cuda, cuda:N or mps (cpu)")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data sets (BACKPROP_DATA, or ./data)")


def run(args: argparse.Namespace) -> int:
    """Test every set of weights in the run."""
    settings = Settings.of_config(runs.load_config(args.folder))
    parts = {name: runs.part(args.folder, name, settings.engine) for name in settings.engines()}
    found = {name: runs.load(part) for name, part in parts.items()}
    engine = engines.get(args.engine, settings.dtype, args.device)
    data = tasks.get(settings.task).load(options.data_dir(args.data_dir))

    rows = []
    for trainer, (state, history) in found.items():
        loss, accuracy = test(engine, settings, state, data, parts[trainer])
        rows.append((trainer, engine.name, loss, accuracy, history["test_loss"][-1], history["test_accuracy"][-1]))

    from benchmarks.commands import tables as screen

    screen.console().print(screen.evaluation_table(rows))
    return 0


@np.errstate(all="ignore")  # as in training
def test(engine: Engine, settings: Settings, state: dict, data: Data, part: Path) -> tuple[float, float]:
    """Load weights into the task's network, and return its loss and accuracy on the test set."""
    model = load_model(engine, settings, state, part)
    test_set = (engine.asarray(data.x_test), engine.asarray(data.y_test))
    return engine.train.evaluate(model, engine.nn.CrossEntropyLoss(), test_set)
