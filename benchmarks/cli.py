"""The ``backprop`` command: a table of subcommands, and what they all share.

A subcommand is a module with two functions and no heavy import outside them:

    add_arguments(parser)    declare the options; set ``parser.epilog`` to a few examples
    run(args) -> int         do it; return the exit status

Only the module of the command that was asked for is imported, so that ``backprop --help`` answers at once.

Exit status: 0 done, 1 failure, 2 usage error, 130 interrupted by Ctrl-C, 143 by SIGTERM. Failures and usage errors are
one line on standard error; set the environment variable BACKPROP_TRACEBACK to any value to see where an error was
raised.
"""

import argparse
import importlib
import os
import sys
from typing import NoReturn

from benchmarks.errors import Failure, Interrupted, UsageError, one_line

COMMANDS = {
    "check": (
        "benchmarks.commands.check",
        "compare a layer that you wrote with PyTorch, or with finite differences",
    ),
    "trace": ("benchmarks.commands.trace", "show one of our layers step by step, with each gradient beside autograd's"),
    "mistakes": ("benchmarks.commands.mistakes", "show a museum of wrong layers, and which test catches which mistake"),
    "demo": ("benchmarks.commands.demo", "train a small CNN in both engines on bundled digits, and compare"),
    "train": ("benchmarks.commands.train", "train a task's network in one engine, or in both"),
    "evaluate": ("benchmarks.commands.evaluate", "load a finished run's weights into either engine, and test them"),
    "export": ("benchmarks.commands.export", "write a finished run's model as ONNX, and compare it with both engines"),
    "bench": ("benchmarks.commands.bench", "time scratch against PyTorch on the same cores: layers, steps, training"),
    "parity": (
        "benchmarks.commands.parity",
        "compare every layer, loss, optimizer and model with PyTorch's, in a table",
    ),
    "race": ("benchmarks.commands.race", "time the two engines to 99% test accuracy on MNIST"),
    "drift": ("benchmarks.commands.drift", "show how far apart the losses of a run's two engines are, step by step"),
    "pages": ("benchmarks.commands.pages", "write derivations, code and numbers side by side, as a site to browse"),
    "exercises": (
        "benchmarks.commands.exercises",
        "write the backward passes yourself, one per file, and be told what is wrong with them",
    ),
    "lesson": ("benchmarks.commands.lesson", "run a lesson of the course, or all of them, with figures and tables"),
    "notebook": ("benchmarks.commands.notebook", "write the course as one Jupyter notebook, text and runnable cells"),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`, which ends the command with status 2."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser(chosen: str | None) -> Parser:
    """Return the parser, with the options of the ``chosen`` command only."""
    parser = Parser(
        prog="backprop",
        description="Deep learning by hand in NumPy, beside the same networks in PyTorch.",
        epilog="backprop COMMAND --help shows a command's options and examples.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary.replace("%", "%%"),
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    command = argv[0] if argv and argv[0] in COMMANDS else None
    try:
        for word in argv:
            if word.startswith("--") and word.endswith("=--"):  # argparse would read it as an option without a value
                raise UsageError(f"{word.removesuffix('=--')}: expected a value, got '--'")
        args = build_parser(command).parse_args(argv)
        if args.version:
            from benchmarks.environment import version

            print(f"backprop {version('backprop-reference') or '(not installed)'}")
            return 0
        if command is None:
            raise UsageError(f"choose a command: {', '.join(COMMANDS)} (see backprop --help)")
        return importlib.import_module(COMMANDS[command][0]).run(args)
    except SystemExit as leaving:  # argparse exits by itself, after --help and after an error
        return leaving.code
    except KeyboardInterrupt:
        status, message = 130, "interrupted"
    except Interrupted as stop:
        status, message = 128 + stop.number, str(stop)
    except BrokenPipeError:  # the reader of our output has left: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if "BACKPROP_TRACEBACK" in os.environ:
            raise
        status = 2 if isinstance(error, UsageError) else 1
        expected = isinstance(error, (UsageError, Failure, OSError))
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) and error.filename is not None:
            message = f"{error.filename}: {error.strerror}"
    program = f"backprop {command}" if command else "backprop"
    print(f"{program}: {one_line(message, argv)}", file=sys.stderr)
    return status
