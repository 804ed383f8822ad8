"""Schemas: what a file must hold, as a value; kinds of fields are combined into the kind of a whole document.

    PROGRESS = Object({"epoch": Integer(0, 5), "seconds": Number(0)})
    check(path, content, PROGRESS)

`check` goes through a document field by field. A field that does not fit raises a ``Failure`` that names the file, the
field, what was expected there and what was found. Everything must be there, and nothing else may be, unless the scheme
says so. Arrays are checked twice: by `Array.check_header` before their numbers are read, so that no memory is allocated
for what does not fit, and by `Array.check` after that.

`benchmarks.runs.kinds` has the kinds of single values.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.errors import Failure, shown
from benchmarks.runs.kinds import NOTHING, AnyNumber, Integer, Kind, Mismatch, Words


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
    each: Kind = field(default_factory=AnyNumber)

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
