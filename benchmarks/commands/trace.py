"""``backprop trace``: one of our layers, plain, step by step, on numbers small enough for a pencil."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.commands import argument_types
from benchmarks.errors import Failure, UsageError, quoted, shown

if TYPE_CHECKING:
    from parity_tests.harness.execution import Step
    from parity_tests.harness.trace import Trace
    from scratch.nn import Module
    from scratch.optim.optimizer import Optimizer

EXAMPLES = """\
A layer of scratch.nn is run by its plain functions, statement by statement. Each F is shown with its equation, its code
and the numbers that it computes. Each B is shown with the gradient that it computes, and with the same gradient as the
tape finds it (scratch/tape.py), which knows nothing of the derivation:

  equal       they agree to 1e-12; where several statements use the quantity, they are named
  part        the tape's has further terms, which another statement adds
  room        zeros, which a later statement fills
  constant    the quantity is a number here: a parameter that is None, say
  helper      no gradient: a value that later statements need
  differs     they do not agree; the exit status is 1

An optimizer takes two steps with one parameter, of --input's shape; its statements are labelled U.

Without --args and --input the layer is small. All numbers follow from --seed; the upstream gradient of a loss is 2.

--json writes the same as JSON, to a file or, for -, instead of the table: "layer", "inputs", and "pairs", whose keys
parity_tests/harness/trace.py describes.

examples:
  backprop trace Linear
  backprop trace BatchNorm1d --args "2, eps=0.25" --input 4,2
  backprop trace CrossEntropyLoss --args "label_smoothing=0.2" --input 3,4 --target classes
  backprop trace Conv2d --json -
  backprop trace Adam --args "lr=0.1, betas=(0.5, 0.75)"
"""
MOST_NUMBERS = 32
STYLES = {"equal": "green", "differs": "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("layer", metavar="LAYER", help="a layer, loss or optimizer of ours, such as Linear")
    parser.add_argument(
        "--args", metavar="ARGS", type=argument_types.call, help='the constructor\'s, such as "3, 2, bias=False"'
    )
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        type=argument_types.shape,
        action="append",
        default=[],
        help="such as 2,3; repeat for a target",
    )
    parser.add_argument(
        "--target", choices=("classes", "values", "binary"), help="for a loss: what the second argument is"
    )
    parser.add_argument("--eval", action="store_true", help="in evaluation mode")
    parser.add_argument("--seed", type=argument_types.seed, default=0, help="seed of all numbers (default: 0)")
    parser.add_argument(
        "--json", metavar="FILE", help="write JSON, too, a new file; - for standard output instead of the table"
    )


def run(args: argparse.Namespace) -> int:
    """Trace the layer, and show it."""
    from benchmarks import files
    from parity_tests.harness import pencil

    if args.json not in (None, "-"):
        files.check_new(Path(args.json))
    if args.layer not in pencil.names():
        raise UsageError(f"unknown layer {quoted(args.layer)}; choose from {', '.join(sorted(pencil.names()))}")
    traced, arrays, found = (_steps if pencil.optimizer_of(args.layer) else _passes)(args)
    if not found:
        raise UsageError(f"{args.layer} is made of other layers; trace one of them")
    if args.json:
        _write(args.json, traced, arrays, found)
    if args.json != "-":
        show(traced, found)
    if not all(one.agrees for one in found):
        raise Failure("a statement does not compute the gradient that its name says")
    return 0


def _passes(args: argparse.Namespace) -> tuple[Module, tuple, list[Trace]]:
    from parity_tests.harness import pencil

    values, named = args.args or (None, {})
    try:
        layer = pencil.make(args.layer, values, named, args.seed)
    except (RuntimeError, ValueError, TypeError) as error:
        raise UsageError(f"--args: {args.layer} refuses them: {error}") from error
    if args.args and not args.input and args.layer in pencil.ARGUMENTS:
        raise UsageError(f"--args changes the shapes that {args.layer} takes: give --input, too")
    try:
        arrays = pencil.inputs(layer, args.input, args.target, args.seed)
        return layer, arrays, pencil.traces(layer.train(not args.eval), arrays, args.seed)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise UsageError(f"{args.layer} refuses the input: {error}") from error


def _steps(args: argparse.Namespace) -> tuple[Optimizer, tuple, list[Trace]]:
    from parity_tests.harness import pencil

    values, named = args.args or (None, {})
    try:
        shape = args.input[0] if args.input else (3,)
        optimizer = pencil.make_optimizer(args.layer, values, named, shape, args.seed)
    except (RuntimeError, ValueError, TypeError) as error:
        raise UsageError(f"--args: {args.layer} refuses them: {error}") from error
    return optimizer, (), pencil.traces_of_steps(optimizer, args.seed)


def _write(file: str, traced: Module | Optimizer, arrays: tuple, found: list[Trace]) -> None:
    from benchmarks import files
    from parity_tests.harness.trace import as_json

    content = {"layer": title(traced), "inputs": as_json(arrays), "pairs": [one.as_json() for one in found]}
    text = json.dumps(content, allow_nan=False)
    if file == "-":
        print(text)
        return
    try:
        files.write_new(Path(file), f"{text}\n".encode())
    except OSError as error:
        raise Failure(f"cannot write {shown(file)}: {error.strerror}; choose another --json") from None


def title(traced: Module | Optimizer) -> str:
    """Return a layer's or optimizer's name with its options."""
    if not hasattr(traced, "param_groups"):
        return repr(traced)
    options = [f"{name}={value!r}" for name, value in traced.param_groups[0].items() if name != "params"]
    return f"{type(traced).__name__}({', '.join(options)})"


def show(traced: Module | Optimizer, found: list[Trace]) -> None:
    """Print the tables."""
    from benchmarks.tables import console, new_table

    screen = console()
    if not screen.is_terminal:
        screen.width = 150
    screen.print(title(traced))
    for one in found:
        screen.print(f"\n{one.name}, in {one.module.__name__}", style="bold")
        given = new_table("", "", words=2)
        given.show_header = False
        for name, value in one.arguments.items():
            given.add_row(name, numbers(value))
        screen.print(given)
        forward = new_table("", "forward" if one.backward else "step", "shape", "numbers", words=4)
        for step in one.forward:
            forward.add_row(step.label, _code(step), step.shape or "", _values(step), end_section=True)
        screen.print(forward)
        if not one.backward:
            continue
        for name, value in {"grad_y": one.grad_y, **one.grad_others}.items():
            screen.print(f"{name} = {textwrap.indent(numbers(value), ' ' * (len(name) + 3)).lstrip()}\n")
        backward = new_table("", "backward", "gradient", "by the tape", "", words=5)
        for step in one.backward:
            tape = "" if step.tape is None else numbers(step.tape)
            backward.add_row(step.label, _code(step), _values(step), tape, _verdict(step), end_section=True)
        screen.print(backward)


def _code(step: Step) -> Any:
    from rich.text import Text

    return Text.assemble(
        step.equation, "\n", (step.statement, "cyan"), (f"\n{step.remark}" if step.remark else "", "dim")
    )


def _verdict(step: Step) -> Any:
    from rich.text import Text

    # Where a quantity is used twice: the uses whose shares add up to the gradient.
    uses = [f"{'+' if one.counted else 'not'} {one.through}" for one in step.contributions]
    told = "\n" + "\n".join(uses) if len(uses) > 1 else ""
    return Text.assemble((step.verdict, STYLES.get(step.verdict, "yellow")), told)


def _values(step: Step) -> str:
    return "\n".join(f"{name} =\n{numbers(value)}" for name, value in step.values.items())


def numbers(value: Any) -> str:
    """Return numbers as they are printed: four digits, large arrays abbreviated."""
    import numpy as np

    if isinstance(value, (float, np.generic)):
        return f"{value:.4g}"
    if not isinstance(value, np.ndarray):
        return repr(value)
    look = {"precision": 4, "suppress_small": True, "threshold": MOST_NUMBERS, "edgeitems": 2, "max_line_width": 46}
    text = np.array2string(value, **look)
    return f"{text} {value.shape}" if value.size > MOST_NUMBERS else text
