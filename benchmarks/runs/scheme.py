"""Schemas: what a file must hold, as a value; kinds of fields are combined into the kind of a whole document.

    PROGRESS = Object({"epoch": Integer(0, 5), "seconds": Number(0)})
    check(path, content, PROGRESS)

`check` goes through a document field by field. A field that does not fit raises a ``Failure`` that names the file, the
field, what was expected there and what was found. Everything must be there, and nothing else may be, unless the scheme
says so. Arrays are checked twice: by `Array.check_header` before their numbers are read, so that no memory is allocated
for what does not fit, and by `Array.check` after that.
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.errors import Failure, shown

LONGEST = 80


class Mismatch(ValueError):  # noqa: N818 - it is no error of the program
    """A field that is not what it must be."""

    def __init__(self, where: str, expected: str, found: object) -> None:
        super().__init__(f"expected {where or 'the content'} to be {expected}, got {_words(found)}")


class Words(str):
    """What was found, in words: not a value of the file."""


NOTHING = Words("nothing")


def _words(found: object) -> str:
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
class Integer(Kind):
    """A whole number."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return f"an integer{_between(self.low, self.high)}"

    def fits(self, value: object) -> bool:
        """Whether it is an integer within the bounds; true and false are not."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are whole and within the bounds."""
        return (array == np.floor(array)) & (array >= self.low) & (array <= self.high)


@dataclass(frozen=True)
class Number(Kind):
    """A finite number."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return f"a finite number{_between(self.low, self.high)}"

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

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return f"a whole number{_between(self.low, self.high)}"

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
        return _words(self.value)

    def fits(self, value: object) -> bool:
        """Whether it is this value, and of its type."""
        return type(value) is type(self.value) and value == self.value

    def fit_each(self, array: np.ndarray) -> np.ndarray:
        """Return which numbers are this one."""
        return array == self.value


@dataclass(frozen=True)
class Optional(Kind):
    """A value of a kind, or null."""

    kind: Kind

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return f"{self.kind.words}, or null"

    def fits(self, value: object) -> bool:
        """Whether it is null, or of the kind."""
        return value is None or self.kind.fits(value)


@dataclass(frozen=True)
class List(Kind):
    """A list of values of one kind, of a certain length if there is one."""

    item: Kind
    length: int | None = None

    @property
    def words(self) -> str:
        """Return the kind's name."""
        return "a list" if self.length is None else f"a list of {self.length} entries"

    def check(self, value: object, where: str) -> None:
        """Raise ``Mismatch`` unless it is a list, and each entry of the kind."""
        if not isinstance(value, list):
            raise Mismatch(where, self.words, value)
        if self.length not in (None, len(value)):
            raise Mismatch(where, self.words, Words(f"{len(value)}"))
        for number, entry in enumerate(value):
            self.item.check(entry, f"{where}[{number}]")


@dataclass(frozen=True)
class Object(Kind):
    """An object: fields that must be there, fields that may be, and no others, unless it is ``open``.

    With ``bare``, messages call its fields by their own names, without the name of the object.
    """

    fields: Mapping[str, Kind]
    optional: Mapping[str, Kind] = field(default_factory=dict)
    bare: bool = False
    open: bool = False

    words = "an object"

    def check(self, value: object, where: str) -> None:
        """Raise ``Mismatch`` unless every field is there and of its kind, and there is no other."""
        if not isinstance(value, dict):
            raise Mismatch(where, self.words, value)
        prefix = "" if self.bare or not where else f"{where}."
        for name, kind in {**self.fields, **self.optional}.items():
            if name in value:
                kind.check(value[name], prefix + name)
            elif name in self.fields:
                raise Mismatch(prefix + name, kind.words, NOTHING)
        more = [name for name in value if name not in self.fields and name not in self.optional]
        if more and not self.open:
            raise Mismatch(prefix + shown(more[0]), "absent", value[more[0]])


@dataclass(frozen=True)
class Mapped(Kind):
    """An object with any names, whose values are of one kind."""

    kind: Kind

    words = "an object"

    def check(self, value: object, where: str) -> None:
        """Raise ``Mismatch`` unless it is an object of such values."""
        if not isinstance(value, dict):
            raise Mismatch(where, self.words, value)
        for name, found in value.items():
            self.kind.check(found, f"{where}.{shown(name)}")


@dataclass(frozen=True)
class Array(Kind):
    """An array of a dtype and a shape, whose numbers are all of one kind."""

    dtype: str
    shape: tuple[int, ...]
    each: Kind = AnyNumber()

    @property
    def words(self) -> str:
        """Return dtype and shape."""
        return f"{self.dtype} of shape {self.shape}"

    def check_header(self, dtype: str, shape: tuple[int, ...], where: str) -> None:
        """Raise ``Mismatch`` unless an array that has not been read yet is of this dtype and shape."""
        if (dtype, shape) != (self.dtype, self.shape):
            raise Mismatch(where, self.words, Words(f"{dtype} of shape {shape}"))

    def check(self, value: np.ndarray, where: str) -> None:
        """Raise ``Mismatch`` unless it is of this dtype and shape, and each number of the kind."""
        self.check_header(value.dtype.name, value.shape, where)
        with np.errstate(invalid="ignore"):
            wrong = np.argwhere(~self.each.fit_each(value))
        if len(wrong):
            place = tuple(int(index) for index in wrong[0])
            raise Mismatch(f"{where}{list(place) if place else ''}", self.each.words, value[place])


@dataclass(frozen=True)
class Order(Array):
    """An order of ``rows`` rows: a permutation of their numbers."""

    def __init__(self, rows: int) -> None:
        super().__init__("int64", (rows,), Integer(0, rows - 1))

    @property
    def words(self) -> str:
        """Return what it is."""
        return f"a permutation of the {self.shape[0]} training rows"

    def check(self, value: np.ndarray, where: str) -> None:
        """Raise ``Mismatch`` unless every row is there once."""
        super().check(value, where)
        counts = np.bincount(value, minlength=len(value))
        if (counts != 1).any():
            raise Mismatch(where, self.words, Words(f"row {counts.argmax()} {counts.max()} times"))


def check(path: Path, content: object, scheme: Kind, where: str = "") -> None:
    """Raise ``Failure`` unless a file's content fits the scheme."""
    with naming(path):
        scheme.check(content, where)


@contextmanager
def naming(path: Path, what: str = "is damaged") -> Iterator[None]:
    """Turn a ``Mismatch`` inside the ``with`` block into a ``Failure`` about a file."""
    try:
        yield
    except Mismatch as error:
        raise Failure(f"{shown(path)} {what}: {error}") from None


def check_headers(found: Mapping[str, tuple[str, tuple[int, ...]]], scheme: Mapping[str, Array]) -> None:
    """Raise ``Mismatch`` unless the arrays of a file, not read yet, are those that the scheme has."""
    for name, kind in scheme.items():
        if name not in found:
            raise Mismatch(name, kind.words, NOTHING)
    for name, (dtype, shape) in found.items():
        if name not in scheme:
            raise Mismatch(shown(name), "absent", Words(f"{dtype} of shape {shape}"))
        scheme[name].check_header(dtype, shape, name)
