"""``backprop evaluate``: the weights of a finished run, in either engine."""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import engines, tasks
from benchmarks.commands import argument_types
from benchmarks.engines import Engine
from benchmarks.runs import folder, record
from benchmarks.runs.parts import load_model
from benchmarks.runs.settings import Settings
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
    parser.add_argument("folder", metavar="RUN", type=argument_types.path, help="folder of a finished run")
    parser.add_argument("--engine", choices=engines.EVERY, required=True, help="the engine that runs the test")
    parser.add_argument(
        "--device", type=argument_types.device, default="cpu", help="auto, cpu, cuda, cuda:N or mps (cpu)"
    )
    argument_types.add_data_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Test every set of weights in the run."""
    settings = Settings.of_config(record.load_config(args.folder))
    parts = {name: folder.part(args.folder, name, settings.engine) for name in settings.engines()}
    histories = {name: record.load_history(part) for name, part in parts.items()}
    engine = engines.get(args.engine, settings.dtype, args.device)
    data = tasks.get(settings.task).load(argument_types.data_dir(args.data_dir))

    rows = []
    for trainer, history in histories.items():
        loss, accuracy = test(engine, settings, data, parts[trainer])
        rows.append((trainer, engine.name, loss, accuracy, history["test_loss"][-1], history["test_accuracy"][-1]))

    from benchmarks.commands import run_tables
    from benchmarks.tables import console

    console().print(run_tables.evaluation_table(rows))
    return 0


@np.errstate(all="ignore")  # as in training
def test(engine: Engine, settings: Settings, data: Data, part: Path) -> tuple[float, float]:
    """Load a part's weights into the task's network, and return its loss and accuracy on the test set."""
    model = load_model(engine, settings, part)
    test_set = (engine.asarray(data.x_test), engine.asarray(data.y_test))
    with engine.running():
        return engine.train.evaluate(model, engine.nn.CrossEntropyLoss(), test_set)
