"""Masks and lengths among forward's inputs: drawn as booleans and as integers; random numbers cannot stand for them."""

import re
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.learner import Learner

MASKS = re.compile(r"^(\w*_)?mask$", re.I)
LENGTHS = re.compile(r"^(\w*_)?(lengths?|lens?|seq_?lens?)$", re.I)


def drawn(
    found: Found, inputs: tuple[np.ndarray, ...], extras: dict, constants: tuple[str, ...], seed: int
) -> Iterator[tuple[tuple[np.ndarray, ...], list[str]]]:
    """Yield the inputs as they are and with masks and lengths, and what to say of it, the likeliest first.

    What is declared a constant is a mask first of all; else it is one if forward fails on random numbers, or if
    backward has no gradient of it.
    """
    names = [p.name for p in found.parameters(found.forward) if p.name not in extras]
    at = {i: name for i, name in enumerate(names[: len(inputs)]) if inputs[i].dtype.kind == "f"}
    special = {i: name for i, name in at.items() if MASKS.match(name) or LENGTHS.match(name)}
    others = []
    for numbers in (False, True) if special else ():
        values = {i: _draw(name, inputs, i, numbers, seed) for i, name in special.items()}
        said = [f"{name}: drawn as {_words(values[i])}" for i, name in special.items()]
        others.append((tuple(values.get(i, x) for i, x in enumerate(inputs)), said))
    declared = any(name in constants for name in special.values())
    yield from others if declared else ()
    yield inputs, []
    yield from () if declared else others


def without_gradient(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether one of the inputs is called a mask or lengths, and has no gradient."""
    names = learner.input_names(len(inputs))
    return any((MASKS.match(n) or LENGTHS.match(n)) and i not in learner.reading.inputs for i, n in enumerate(names))


def _draw(name: str, inputs: tuple[np.ndarray, ...], index: int, numbers: bool, seed: int) -> np.ndarray:
    shape, rng = inputs[index].shape, np.random.default_rng(seed)
    if LENGTHS.match(name):
        longest = inputs[0].shape[1] if inputs[0].ndim > 1 else max(inputs[0].shape, default=1)
        return rng.integers(1, longest + 1, shape)
    values = rng.random(shape) < 0.6
    if values.ndim and values.shape[-1] > 1:  # each row has both
        values[..., 0], values[..., -1] = True, False
        values = rng.permuted(values, axis=-1)
    return values.astype(inputs[index].dtype) if numbers else values


def _words(values: np.ndarray) -> str:
    return {"b": "booleans", "i": "whole numbers, lengths of the first input"}.get(values.dtype.kind, "zeros and ones")
