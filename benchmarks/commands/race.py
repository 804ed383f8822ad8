"""``backprop race``: the seconds to 99% of MNIST's test images."""

import argparse

from benchmarks import engines
from benchmarks.commands import argument_types
from benchmarks.errors import UsageError

EXAMPLES = """\
Each contender trains a small network for one epoch of MNIST, by a recipe made for speed, once with each seed. The data
are in memory. Only training is timed; set-up (moving the data to the device, compiling, recording the step, a warm-up
step) is reported separately, and the test runs afterwards.

scratch runs on the CPU; torch on the CPU and, where there is one, on a GPU. On a GPU, or with a precision or --compile,
torch uses the loop written for accelerators: the data on the device as bytes, channels-last, and on CUDA the whole step
as one graph. tf32 and bf16 are for devices that have them.

examples:
  backprop race
  backprop race --engine scratch --seeds 5
  backprop race --engine torch --device cuda --precision bf16 --compile --seeds 20
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("--engine", choices=(*engines.NAMES, "both"), default="both", help="which engines race (both)")
    parser.add_argument(
        "--device",
        type=argument_types.device,
        default="auto",
        help="torch's device; auto: the CPU, and any GPU (auto)",
    )
    parser.add_argument("--precision", choices=engines.PRECISIONS, default="fp32", help="of torch's products (fp32)")
    parser.add_argument("--compile", action="store_true", help="use torch.compile on torch's network")
    parser.add_argument(
        "--seeds", type=argument_types.count, default=3, metavar="N", help="runs of each, seeds 0 to N - 1 (3)"
    )
    argument_types.add_data_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Race, and show the table."""
    racers = contenders(args)

    from benchmarks import environment, tasks
    from benchmarks.speed import machine, race
    from benchmarks.tables import console

    data = tasks.get("mnist").load(argument_types.data_dir(args.data_dir))
    screen = console()
    for line in machine.lines(machine.describe([environment.cores()])):
        screen.print(line)
    laps = {racer: [] for racer in racers}
    for seed in range(args.seeds):  # in turns, so that a disturbance affects all of them
        for racer in racers:
            laps[racer].append(race.run(racer, data, seed))
    screen.print(race.table(laps))
    for racer in racers:
        screen.print(f"{racer.name}: {racer.engine.reason}")
    return 0


def contenders(args: argparse.Namespace) -> list:
    """Return the racers, each checked for whether it can do what is asked."""
    from benchmarks.speed.race import Racer

    asked = args.precision != "fp32" or args.compile
    if args.engine == "scratch":
        if asked or args.device not in ("auto", "cpu"):
            raise UsageError(
                "the scratch engine computes on the CPU in fp32; leave out --device, --precision, --compile"
            )
        return [Racer(engines.get("scratch"))]

    from torch_ref.scale import fast

    found = [engines.get("torch", device=args.device)]
    if args.device == "auto" and found[0].device != "cpu" and not asked:
        found.insert(0, engines.get("torch"))
    for engine in found:
        try:
            fast.check(engine.device, args.precision, args.compile)
        except ValueError as error:
            raise UsageError(f"--device {engine.device}: {error}") from None
    racers = [Racer(engine, args.precision, args.compile) for engine in found]
    return [Racer(engines.get("scratch")), *racers] if args.engine == "both" else racers
