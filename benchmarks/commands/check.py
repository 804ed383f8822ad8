"""``backprop check``: compare a layer that you wrote with PyTorch's or with finite differences."""

import argparse
import math
import re
from pathlib import Path

from benchmarks.errors import UsageError

EXAMPLES = """\
Your layer may be a class or an object with forward(x) and backward(grad_output) under these or the usual other names
(forward_pass, __call__ and gradient, forward(ctx, x), ...), or two functions. Its parameters are what its output
depends on, wherever it keeps them; gradients are what backward writes or returns. The report begins with how your code
was read. Where it is not understood, you get an adapter to paste and run.

Both layers get the same random parameters and a random upstream gradient; then come inputs with ties and zeros, other
draws, inputs over a wider range and extreme ones, other sizes, and a second batch without a reset after the first.
Without --against, the gradients are compared with finite differences of forward. A classic mistake is named. Reading
your file runs it.

exit status: 0 they agree; 1 they differ, or not everything was compared (something the output depends on has no
gradient; finite differences have no answer where forward has a kink), or your code raised; 2 the command is not
understood

examples:
  backprop check my.py:Conv2d --against torch.nn.Conv2d --args "3, 8, kernel_size=3, padding=1" --input 2,3,9,11
  backprop check my.py:Loss --against torch.nn.CrossEntropyLoss --input 5,4 --target classes
  backprop check my.py:relu,relu_backward --against torch.nn.functional.relu --input 4,3
  backprop check my.py:Swish --input 4,3
  backprop check my.py:Adam --against torch.optim.Adam --args "lr=1e-3"
  backprop check my.py:Network.train_step --args "3, 4" --input 5,3 --input 5
  backprop check my.py:Network.backprop --args "[3, 4, 2]" --input 3,1 --input 2,1
  backprop check my.py:xavier_normal --against torch.nn.init.xavier_normal_
"""

LARGEST = 10_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser._negative_number_matcher = re.compile(r"^-[\d.][\d.,eE+-]*$")  # "--range -2,2" is a value, not an option
    parser.add_argument(
        "layer",
        metavar="FILE.py:NAME",
        help="your class, object or function, CLASS.METHOD, or FORWARD,BACKWARD for two functions",
    )
    parser.add_argument(
        "--against", metavar="TORCH", help="PyTorch's, such as torch.nn.Conv2d; else finite differences"
    )
    parser.add_argument(
        "--args",
        metavar="ARGS",
        default="",
        help='arguments of both constructors, "3, 8, bias=False"; may name things of '
        'your file, "3, 4, activation=Tanh()"; a function\'s further arguments, by keyword',
    )
    parser.add_argument("--torch-args", metavar="ARGS", help="arguments of PyTorch's, where they differ")
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        action="append",
        default=[],
        help="shape of the input, 2,3,9,11; repeated for two",
    )
    parser.add_argument(
        "--target",
        choices=("classes", "one-hot", "values", "binary"),
        help="for a loss: what its target is (classes are passed as one-hot rows if that is what it takes)",
    )
    parser.add_argument("--range", metavar="LOW,HIGH", help="draw the input between these, such as 0,1 (about -1.5,2)")
    parser.add_argument(
        "--constant",
        metavar="NAME",
        action="append",
        default=[],
        help="an array, an input or one of forward's outputs that gets no gradient",
    )
    parser.add_argument(
        "--layout",
        choices=("batch,features", "features,batch"),
        metavar="AXES",
        default="batch,features",
        help="batch,features or features,batch: with the latter the columns are the examples (batch,features; detected "
        "where PyTorch refuses the input)",
    )
    parser.add_argument(
        "--averages", action="store_true", help="gradients of parameters are means over the batch, not sums"
    )
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64", help="(float64)")
    parser.add_argument("--eval", action="store_true", help="compare in evaluation mode")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random draw (0)")


def run(args: argparse.Namespace) -> int:
    """Compare, print the report, and return 0 for agreement or 1."""
    if args.against is None and args.dtype == "float32":
        raise UsageError("finite differences need --dtype float64; name a layer with --against for float32")
    if not 0 <= args.seed < 2**31:
        raise UsageError(f"--seed: expected 0 or more, below 2^31, got {args.seed}")
    path, names = _named(args.layer)
    shapes = [_shape(text) for text in args.input]
    limits = _range(args.range) if args.range is not None else None
    from parity_tests.diagnosis.examine import examine
    from parity_tests.diagnosis.reading.running import INTERRUPTION, NotUnderstoodError
    from parity_tests.diagnosis.request import Request

    request = Request(
        path=path,
        names=names,
        inputs=shapes,
        against=args.against,
        args=args.args,
        torch_args=args.torch_args,
        target=args.target,
        range=limits,
        dtype=args.dtype,
        training=not args.eval,
        seed=args.seed,
        constants=tuple(args.constant),
        columns=args.layout == "features,batch",
        averages=args.averages,
    )
    try:
        with INTERRUPTION("backprop check: interrupted"):
            verdict = examine(request)
    except NotUnderstoodError as error:
        if error.adapter:
            print(f"An adapter to fill in, as {path.stem}_adapter.py:\n\n{error.adapter}")
        raise UsageError(str(error)) from error
    print(verdict.text)
    return verdict.status


def _named(text: str) -> tuple[Path, str]:
    file, colon, names = text.rpartition(":")
    path = Path(file if colon else text)
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(f"expected FILE.py:NAME with a file that exists, got {text!r}")
    if not (colon and names):
        raise UsageError(f"expected FILE.py:NAME with the NAME of what to check in {path.name}, got {text!r}")
    return path, names


def _shape(text: str) -> tuple[int, ...]:
    shape = tuple(_numbers("--input", text, int))
    if min(shape) < 0:
        raise UsageError(f"--input: expected lengths of 0 or more, got {text!r}")
    if math.prod(shape) > LARGEST:
        raise UsageError(f"--input: expected at most {LARGEST:,} numbers, got {text!r}")
    return shape


def _range(text: str) -> tuple[float, float]:
    low, high = _numbers("--range", text, float) if text.count(",") == 1 else (1.0, 0.0)
    if not low < high or not math.isfinite(high - low):
        raise UsageError(f"--range: expected LOW,HIGH with LOW below HIGH, both finite, got {text!r}")
    return low, high


def _numbers(option: str, text: str, kind: type) -> list:
    try:
        return [kind(part) for part in text.strip(" ,()[]").split(",")]
    except ValueError as error:
        raise UsageError(f"{option}: expected numbers separated by commas, got {text!r}") from error
