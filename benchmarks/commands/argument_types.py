"""Values on the command line, checked as they are read; argparse turns an ArgumentTypeError into one line."""

import argparse
import ast
import math
import os
import re
from pathlib import Path

from benchmarks.engines import DEVICE
from benchmarks.errors import quoted, shown


def count(text: str) -> int:
    """Read an integer of 1 or more."""
    value = _number(text, int, "an integer")
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {shown(text)}")
    return value


def counts(text: str) -> list[int]:
    """Read integers of 1 or more, separated by commas, each of them once."""
    values = [count(part) for part in text.split(",")]
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise argparse.ArgumentTypeError(f"expected each number once, got {twice} twice in {quoted(text)}")
    return values


def seed(text: str) -> int:
    """Read an integer from 0 to 2**64 - 1, which is what PyTorch's ``manual_seed`` takes."""
    value = _number(text, int, "an integer")
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"expected 0 to 2**64 - 1, got {shown(text)}")
    return value


def non_negative(text: str) -> float:
    """Read a finite number of 0 or more."""
    value = _number(text, float, "a number")
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a finite number of 0 or more, got {shown(text)}")
    return value


def probability(text: str) -> float:
    """Read a number from 0 to 1."""
    value = _number(text, float, "a number")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, got {shown(text)}")
    return value


def device(text: str) -> str:
    """Read a device's name."""
    if not re.fullmatch(DEVICE, text):
        raise argparse.ArgumentTypeError(f"expected auto, cpu, cuda, cuda:N or mps, got {quoted(text)}")
    return text


def shape(text: str) -> tuple[int, ...]:
    """Read lengths separated by commas; nothing, or ``()``, is the shape of a scalar."""
    parts = [part for part in text.strip(" ,()[]").split(",") if part.strip()]
    lengths = tuple(_number(part, int, "lengths separated by commas, such as 2,3") for part in parts)
    if min(lengths, default=0) < 0:
        raise argparse.ArgumentTypeError(f"expected lengths of 0 or more, got {quoted(text)}")
    return lengths


def call(text: str) -> tuple[tuple, dict]:
    """Read the arguments of a call, literals only, in Python's syntax: ``3, 8, bias=False``."""
    try:
        found = ast.parse(f"f({text})", mode="eval").body
        values = tuple(ast.literal_eval(node) for node in found.args)
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in found.keywords}
    except (SyntaxError, ValueError, AttributeError):
        found, named = None, {}
    if not isinstance(found, ast.Call) or getattr(found.func, "id", "") != "f" or None in named:
        raise argparse.ArgumentTypeError(f'expected literals such as "3, 8, bias=False", got {quoted(text)}')
    return values, named


def path(text: str) -> Path:
    """Read the name of a file or folder: not empty, without a zero byte, and one that the system can encode."""
    try:
        possible = 0 not in os.fsencode(text) and text != ""
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise argparse.ArgumentTypeError(f"expected the name of a file or folder, got {quoted(text)}")
    return Path(text)


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names the folder of the data sets, for `data_dir`."""
    words = "folder of the data sets (BACKPROP_DATA, or ./data)"
    parser.add_argument("--data-dir", type=path, metavar="DIR", help=words)


def data_dir(text: str | Path | None) -> Path:
    """Return the folder of the data sets: what was asked for, or the environment's BACKPROP_DATA, or ./data."""
    return Path(text or os.environ.get("BACKPROP_DATA") or "data")


def _number(text: str, kind: type, words: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {words}, got {quoted(text)}") from None
