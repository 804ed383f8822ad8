"""``backprop check``: a layer that you wrote, held against PyTorch's or against finite differences."""

import argparse
import ast
import functools
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import UsageError

EXAMPLES = """\
Your layer is a class with forward(x) and backward(grad_output) -> grad_input. Its parameters are attributes: objects
with .data and .grad, or arrays self.W with the gradient in self.dW (or grad_W, W_grad). backward adds to gradients.
Two functions do as well: forward(*inputs), and backward(grad_output, *inputs) with a gradient for each input.

Both layers get the same parameters, made of random numbers, and a random upstream gradient; then once more inputs with
ties and zeros. Without --against, the gradients are held against finite differences of forward. A mistake that is a
classic one is named. The file is run to load it.

exit status: 0 they agree; 1 they differ, nothing could be decided (finite differences have no answer where forward has
a kink), or your layer raised; 2 the command is not understood

examples:
  backprop check my.py:Conv2d --against torch.nn.Conv2d --args "3, 8, kernel_size=3, padding=1" --input 2,3,9,11
  backprop check my.py:Loss --against torch.nn.CrossEntropyLoss --input 5,4 --target classes
  backprop check my.py:relu,relu_backward --against torch.nn.functional.relu --input 4,3
  backprop check my.py:Swish --input 4,3
"""


class LayerRaisedError(Exception):
    """The layer under test raised; the message says where."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("layer", metavar="FILE.py:NAME", help="your class, or FORWARD,BACKWARD for two functions")
    parser.add_argument(
        "--against", metavar="TORCH", help="PyTorch's, such as torch.nn.Conv2d; else finite differences"
    )
    parser.add_argument("--args", metavar="ARGS", default="", help='arguments of both constructors, "3, 8, bias=False"')
    parser.add_argument("--torch-args", metavar="ARGS", help="arguments of PyTorch's, where they differ")
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        action="append",
        required=True,
        help="shape of the input, 2,3,9,11; again for a second",
    )
    parser.add_argument(
        "--target", choices=("classes", "values", "binary"), help="for a loss: what the second argument is"
    )
    parser.add_argument("--range", metavar="LOW,HIGH", help="draw the input between these, such as 0,1 (about -1.5,2)")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64", help="(float64)")
    parser.add_argument("--eval", action="store_true", help="compare in evaluation mode")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (0)")


def run(args: argparse.Namespace) -> int:
    """Compare, print the report, and return 0 for agreement or 1."""
    if args.against is None and args.dtype == "float32":
        raise UsageError("finite differences need --dtype float64; name a layer with --against for float32")
    if args.seed < 0:
        raise UsageError(f"--seed: expected 0 or more, got {args.seed}")
    path, _, names = args.layer.rpartition(":")
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(f"expected FILE.py:NAME with a file that exists, got {args.layer!r}")
    ours = _parse_args("--args", args.args)
    theirs = None
    draws = {"random numbers": _inputs(args, "array")}
    if args.against is not None:
        theirs = _torch(args.against, ours if args.torch_args is None else _parse_args("--torch-args", args.torch_args))
        theirs = theirs.eval() if args.eval and hasattr(theirs, "eval") else theirs
        if not args.range:
            draws["numbers with ties and zeros"] = _inputs(args, "tied")
        refused = {kind: _refusal(theirs, inputs) for kind, inputs in draws.items()}
        if refused["random numbers"]:
            raise UsageError(f"{args.against} refuses the input: {refused['random numbers']}")
        draws = {kind: inputs for kind, inputs in draws.items() if not refused[kind]}
    try:
        with _blaming(path):
            layer = _load(path, names, ours)
            return _compare(args, layer, theirs, draws)
    except LayerRaisedError as error:
        print(error)
        return 1


def _compare(args: argparse.Namespace, layer: object, theirs: Callable | None, draws: dict[str, tuple]) -> int:
    from parity_tests import check
    from parity_tests.diagnosis.learner import Learner
    from parity_tests.harness.arrays import random_state

    if args.eval:
        layer.training = False
    shapes = [{}, {}]
    if hasattr(theirs, "state_dict"):
        shapes = [
            {n: tuple(t.shape) for n, t in named} for named in (theirs.named_parameters(), theirs.named_buffers())
        ]
    learner = random_state(Learner(layer, *shapes, args.dtype), args.seed)
    for note in learner.notes:
        print(f"note: {note}")
    for kind, inputs in draws.items():
        if _is_random(learner, inputs):
            print(f"{learner.title}: forward is random: two passes on the same numbers differ. Compare it with the")
            print("randomness off (--eval), or let it draw from a generator that it seeds itself in each pass.")
            return 1
        report = check(learner, theirs, *inputs, seed=args.seed, strict=False)
        report.title += f", {kind}"
        if not report.ok:
            print(report)
            return 1
        if kind == "random numbers":
            print(report)
    if len(draws) > 1:
        print("Nor do they differ on numbers with ties and zeros.")
    return 0


def _is_random(layer: object, inputs: tuple) -> bool:
    import copy

    import numpy as np

    import scratch

    outputs = []
    for _ in range(2):
        scratch.manual_seed(0)
        outputs.append(np.asarray(copy.deepcopy(layer).forward(*inputs)).tobytes())
    return outputs[0] != outputs[1]


# The command line's words.


def _parse_args(option: str, text: str) -> tuple[list, dict]:
    # "3, 8, kernel_size=3" as a call would have it, of literals only.
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        values = [ast.literal_eval(node) for node in call.args]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AttributeError) as error:
        raise UsageError(f'{option}: expected literals such as "3, 8, bias=False", got {text!r}') from error
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "f" or None in named:
        raise UsageError(f'{option}: expected literals such as "3, 8, bias=False", got {text!r}')
    return values, named


def _torch(name: str, args: tuple[list, dict]) -> Callable:
    import torch

    found = torch
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    if not name.startswith("torch.") or not callable(found):
        raise UsageError(f"--against: expected a layer or function such as torch.nn.Conv2d, got {name!r}")
    positional = [_tensor(value) for value in args[0]]
    named = {key: _tensor(value) for key, value in args[1].items()}
    if not isinstance(found, type):
        function = functools.partial(lambda *tensors: found(*tensors, *positional, **named))
        function.title = name
        return function
    try:
        return found(*positional, **named)
    except Exception as error:
        raise UsageError(f"{name} refuses the arguments: {_first_line(error)}") from error


def _tensor(value: object) -> object:
    # Class weights: PyTorch wants a tensor where a command line can only say a list.
    import torch

    return torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value


def _refusal(theirs: Callable, inputs: tuple) -> str:
    import copy

    import torch

    tensors = [torch.from_numpy(values) for values in inputs]
    try:
        with torch.no_grad():
            layer = copy.deepcopy(theirs)
            layer = layer.double() if hasattr(layer, "double") else layer
            layer(*(tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors))
    except Exception as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _inputs(args: argparse.Namespace, draw: str) -> tuple:
    import numpy as np

    from parity_tests.harness import arrays

    shapes = [_shape(text) for text in args.input]
    inputs = [getattr(arrays, draw)(shape, args.dtype, seed=args.seed + i) for i, shape in enumerate(shapes)]
    rng = np.random.default_rng(args.seed)
    if args.range:
        low, high = _numbers("--range", args.range, float)[:2] if args.range.count(",") == 1 else (1, 0)
        if not low < high:
            raise UsageError(f"--range: expected LOW,HIGH with LOW below HIGH, got {args.range!r}")
        inputs = [rng.uniform(low, high, shape).astype(args.dtype) for shape in shapes]
    shape = shapes[0]
    if args.target == "classes":
        classes = shape[1] if len(shape) > 1 else shape[0]
        inputs.append(rng.integers(0, classes, (shape[0], *shape[2:]) if len(shape) > 1 else ()))
    elif args.target == "values":
        inputs.append(arrays.array(shape, args.dtype, seed=args.seed + 100))
    elif args.target == "binary":
        inputs.append(rng.integers(0, 2, shape).astype(args.dtype))
    return tuple(inputs)


def _shape(text: str) -> tuple[int, ...]:
    shape = tuple(_numbers("--input", text, int))
    if min(shape) < 0:
        raise UsageError(f"--input: expected lengths of 0 or more, got {text!r}")
    return shape


def _numbers(option: str, text: str, kind: type) -> list:
    try:
        return [kind(part) for part in text.strip(" ,()[]").split(",")]
    except ValueError as error:
        raise UsageError(f"{option}: expected numbers separated by commas, got {text!r}") from error


# The layer under test.


def _load(path: Path, names: str, args: tuple[list, dict]) -> object:
    from parity_tests.diagnosis.learner import Functions

    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # it may import its neighbours
    spec.loader.exec_module(module)
    found = []
    for name in names.split(","):
        if not callable(getattr(module, name, None)):
            raise UsageError(f"{path} has no class or function {name!r}")
        found.append(getattr(module, name))
    positional, named = args
    if len(found) == 2:
        return Functions(*found)
    if len(found) > 2 or not isinstance(found[0], type):
        raise UsageError(f"expected a class, or two functions as FORWARD,BACKWARD; got {names!r}")
    try:
        inspect.signature(found[0]).bind(*positional, **named)
    except TypeError as error:
        raise UsageError(f"--args: {names} cannot be called with these: {error}") from error
    layer = found[0](*positional, **named)
    for method in ("forward", "backward"):
        if not callable(getattr(layer, method, None)):
            raise UsageError(f"{names} has no method {method}")
    return layer


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    # An exception that passed through the layer's file, or was raised by calling its methods, is the layer's.
    try:
        yield
    except SyntaxError as error:
        raise LayerRaisedError(f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}") from error
    except UsageError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if Path(frame.filename).resolve() == path.resolve()]
        called = frames[-1].name in ("forward", "backward") and Path(frames[-1].filename).name == "learner.py"
        if not theirs and not called:
            raise
        said = f"{type(error).__name__}: {_first_line(error)}"
        if theirs:
            said = f"{path}:{theirs[-1].lineno}: in {theirs[-1].name}: {theirs[-1].line}\n{said}"
        raise LayerRaisedError(said) from error
