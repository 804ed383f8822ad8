"""Kinds of single values: numbers, texts, choices. `benchmarks.runs.scheme` combines them into documents."""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

LONGEST = 80


class Mismatch(ValueError):  # noqa: N818 - it is no error of the program
    """A field that is not what it must be."""

    def __init__(self, where: str, expected: str, found: object) -> None:
        super().__init__(f"expected {where or 'the content'} to be {expected}, got {in_words(found)}")


class Words(str):
    """What was found, in words: not a value of the file."""


NOTHING = Words("nothing")


def in_words(found: object) -> str:
    """Return a value as a message shows it."""
    if isinstance(found, Words):
        return str(found)
    if isinstance(found, (list, dict)) and not found:
        return f"an empty {'list' if isinstance(found, list) else 'object'}"
    if isinstance(found, np.generic):
        found = found.item()
    try:
        text = json.dumps(found)
    except TypeError:
        text = str(found)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


class Kind:
    """A kind of value; a subclass says in `words` what it is, and in `fits` whether a value is of this kind."""

    words: str

    def fits(self, value: object) -> bool:
        """Whether a value is of this kind."""
        raise NotImplementedError

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return for each number of an array whether it is of this kind."""
        raise NotImplementedError

    def check(self, value: object, where: str) -> None:
        """Raise ``Mismatch`` unless the value, called ``where``, is of this kind."""
        if not self.fits(value):
            raise Mismatch(where, self.words, value)


def _between(low: float, high: float) -> str:
    if math.isinf(high):
        return "" if math.isinf(low) else f" of {low} or more"
    return f" from {low} to {high}"


@dataclass(frozen=True)
class Bounded(Kind):
    """A number between bounds, which are within."""

    low: float = -math.inf
    high: float = math.inf
    called: ClassVar[str]

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return f"{self.called}{_between(self.low, self.high)}"


@dataclass(frozen=True)
class Integer(Bounded):
    """A whole number."""

    called = "an integer"

    def fits(self, value: object) -> bool:
        """Whether it is an integer within the bounds; true and false are not."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are whole and within the bounds."""
        return (array == np.floor(array)) & (array >= self.low) & (array <= self.high)


@dataclass(frozen=True)
class Number(Bounded):
    """A finite number."""

    called = "a finite number"

    def fits(self, value: object) -> bool:
        """Whether it is a finite number within the bounds; true and false are not."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        return -math.inf < value < math.inf and self.low <= value <= self.high

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are finite and within the bounds."""
        return np.isfinite(array) & (array >= self.low) & (array <= self.high)


@dataclass(frozen=True)
class Whole(Number):
    """A whole number, which may be written as 3.0."""

    called = "a whole number"

    def fits(self, value: object) -> bool:
        """Whether it is a whole number within the bounds."""
        return super().fits(value) and value == int(value)

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are whole and within the bounds."""
        return super().fit_each(array) & (array == np.floor(array))


@dataclass(frozen=True)
class AnyNumber(Kind):
    """A number, which may be infinite or NaN; JSON has null for those."""

    words = "a number, or null"

    def fits(self, value: object) -> bool:
        """Whether it is a number or null."""
        return value is None or Number().fits(value)

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return True for every number."""
        return np.ones(array.shape, bool)


@dataclass(frozen=True)
class Text(Kind):
    """A text, of a regular expression's form if there is one."""

    pattern: str = r"(?s).*"
    words: str = "a text"

    def fits(self, value: object) -> bool:
        """Whether it is such a text."""
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    words = "true or false"

    def fits(self, value: object) -> bool:
        """Whether it is true or false."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few texts."""

    values: Collection[str]

    @property
    def words(self) -> str:
        """Return the choice."""
        return f"one of {', '.join(self.values)}" if len(self.values) > 1 else "".join(self.values)

    def fits(self, value: object) -> bool:
        """Whether it is one of them."""
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True)
class Equal(Kind):
    """One value and no other."""

    value: object

    @property
    def words(self) -> str:
        """Return the value."""
        return in_words(self.value)

    def fits(self, value: object) -> bool:
        """Whether it is this value, and of its type."""
        return type(value) is type(self.value) and value == self.value

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are this one."""
        return array == self.value
