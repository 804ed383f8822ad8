"""What a comparison found: numbers for a table, and the sentences to read first."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parity_tests.harness.budget import NOTHING, Budget
from scratch.gradcheck import products

AGAIN = " after a second backward"


@dataclass
class Quantity:
    """One compared quantity, and how far its two arrays are apart.

    Attributes
    ----------
    name : str
        "output", "grad_input", "grad_weight", "buffer running_mean", ...; with `AGAIN` appended after a second
        backward.
    expected, got : numpy.ndarray
        The reference's array and the layer's.
    truth : numpy.ndarray or None
        The reference's result in float64 on the same numbers, from which float32's errors are measured.
    budget : Budget
        The largest error that rounding explains, also as ``allowed``.
    reference_error : float or None
        The reference's own largest error in float32.
    undecided : numpy.ndarray of bool, or None
        Where the reference has no answer: finite differences at a kink.
    whole : tuple of int, or None
        The shape of an array that is too large to be compared element by element: ``expected`` and ``got`` are its
        products with random directions (`scratch.gradcheck.directions`), in which any wrong element shows.
    different : numpy.ndarray of bool
        Where ``got`` is wrong.
    max_abs, max_rel, max_ulps : float
        The largest error of ``got``: absolute, relative to the truth, and in units in the last place of the truth.
    where : tuple of int, or None
        The index of the largest absolute error.
    """

    name: str
    expected: np.ndarray
    got: np.ndarray
    budget: Budget = NOTHING
    truth: np.ndarray | None = None
    reference_error: float | None = None
    undecided: np.ndarray | None = None
    whole: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Measure the differences."""
        if self.whole is not None and self.got.shape == self.whole:
            self.got = products(self.got)
        self.fault = ""
        self.max_abs = self.max_rel = self.max_ulps = 0.0
        self.where: tuple[int, ...] | None = None
        self.different = np.zeros(self.expected.shape, bool)
        if self.got.shape != self.expected.shape:
            self.fault = f"has shape {self.got.shape}, expected {self.whole or self.expected.shape}"
            return
        if self.got.dtype != self.expected.dtype:
            self.fault = f"has dtype {self.got.dtype}, expected {self.expected.dtype}"
        if self.expected.size:
            self._measure(self.expected if self.truth is None else self.truth)

    def _measure(self, truth: np.ndarray) -> None:
        finite = np.isfinite(self.expected) & np.isfinite(self.got) & np.isfinite(truth)
        same = (self.got == self.expected) | (np.isnan(self.got) & np.isnan(self.expected))
        size = np.abs(np.where(finite, truth, 1.0).astype(np.float64))
        error = np.abs(np.where(finite, self.got, 0.0).astype(np.float64) - np.where(finite, truth, 0.0))
        self.different = np.where(finite, self.budget.exceeded(error), ~same)

        dtype = self.expected.dtype if self.expected.dtype.kind == "f" else np.dtype(np.float64)
        spacing = np.spacing(np.maximum(size, np.finfo(dtype).smallest_normal).astype(dtype)).astype(np.float64)
        with np.errstate(over="ignore"):
            relative = np.divide(error, size, out=np.where(error > 0, np.inf, 0.0), where=size > 0)
            ulps = error / spacing
        self.max_abs, self.max_rel, self.max_ulps = error.max(), relative.max(), ulps.max()
        worst = np.where(self.different, np.where(finite, error, np.inf), -1.0) if self.different.any() else error
        self.where = tuple(int(i) for i in np.unravel_index(worst.argmax(), worst.shape))

    @property
    def allowed(self) -> float | np.ndarray:
        """The largest error that rounding explains."""
        return self.budget.allowed

    @property
    def ok(self) -> bool:
        """Whether it agrees."""
        return not self.fault and not self.different.any()

    @property
    def zero_signs_agree(self) -> bool:
        """Whether zeros have the same sign, too; the comparison of values treats -0.0 and 0.0 as equal."""
        zero = (self.got == 0) & (self.expected == 0)
        return bool((np.signbit(self.got) == np.signbit(self.expected))[zero].all())

    @property
    def nothing_decided(self) -> bool:
        """Whether the reference has no answer for any of its elements, so that nothing was compared."""
        return self.ok and self.undecided is not None and self.undecided.size > 0 and bool(self.undecided.all())

    def words(self) -> str:
        """Return what is wrong, or why nothing can be said."""
        if self.fault:
            return f"{self.name} {self.fault}"
        if self.nothing_decided:
            return f"{self.name}: nothing could be decided: every element is at a kink; move the inputs off it"
        count = int(self.different.sum())
        items = f"{self.different.size} {'elements' if self.whole is None else 'random directions'}"
        expected, got = self.expected[self.where], self.got[self.where]
        digits = 6 if f"{expected:.6g}" != f"{got:.6g}" else 17  # as many as show a difference
        values = f"expected {expected:.{digits}g}, got {got:.{digits}g}"
        where = f"the largest at {self.where}: {values}" if self.where else values
        return f"{self.name}: {count} of {items} differ{'s' * (count == 1)}, {where}"


@dataclass
class Report:
    """The quantities in the order in which they are computed, and the faults that are not numbers.

    Attributes
    ----------
    title : str
        What was compared with what, on what.
    quantities : list of Quantity
        Every compared array.
    faults : list of str
        Sentences: an argument written to, a gradient missing, a state that does not match.
    read : list of str
        How each part of somebody else's layer was read.
    notes : list of str
        Sentences about what is not a mistake.
    unseen : list of str
        What the output depends on but was not compared.
    agreement : str
        The verdict if nothing differs; another one where a further comparison has found a difference.
    suspects : callable
        Returns the classic mistakes that would explain the differences, a sentence each
        (`parity_tests.diagnosis.diagnose`).
    """

    title: str
    quantities: list[Quantity] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    agreement: str = "All agree."
    suspects: Callable[["Report"], list[str]] = lambda report: []

    @property
    def ok(self) -> bool:
        """Whether everything was compared and agrees."""
        return bool(self.quantities) and not self.differs and not self.unknown and not self.unseen

    @property
    def differs(self) -> bool:
        """Whether something is wrong."""
        return bool(self.faults or self.wrong)

    @property
    def wrong(self) -> list[Quantity]:
        """What differs; after a second backward, only what was right after the first."""
        names = {quantity.name for quantity in self.quantities if not quantity.ok}
        return [q for q in self.quantities if not q.ok and q.name.removesuffix(AGAIN) not in names - {q.name}]

    @property
    def unknown(self) -> list[Quantity]:
        """What could not be compared at all: neither right nor wrong."""
        return [q for q in self.quantities if q.nothing_decided and not q.name.endswith(AGAIN)]

    def __getitem__(self, name: str) -> Quantity:
        """Return the quantity called ``name``."""
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(f"{name!r}; there are {[quantity.name for quantity in self.quantities]}")

    def raise_if_different(self) -> None:
        """Raise ``AssertionError`` with the printed report unless everything agrees."""
        if not self.ok:
            raise AssertionError(f"\n{self}")

    def words(self) -> str:
        """Say what differs, in the order of computation, what agrees, and what the mistake may be."""
        once = [q for q in self.quantities if not q.name.endswith(AGAIN)]
        if not self.differs and not self.unknown and not self.quantities:
            return "\n".join(["Nothing was compared: no gradient was found.", *self.unseen])
        if not self.differs and not self.unknown:
            kinks = [f"{q.undecided.sum()} of {q.undecided.size} in {q.name}" for q in once if np.any(q.undecided)]
            left_out = f" Elements at a kink were left out: {', '.join(kinks)}." * bool(kinks)
            if along := [q.name for q in once if q.whole is not None]:
                left_out += f" Compared along random directions, not element by element: {', '.join(along)}."
            if self.unseen:
                return f"What was compared agrees, but not everything was compared.{left_out}\n" + "\n".join(
                    self.unseen
                )
            return f"{self.agreement}{left_out}"
        lines = [quantity.words() for quantity in [*self.wrong, *self.unknown]]
        right = [quantity.name for quantity in once if quantity.ok and not quantity.nothing_decided]
        if lines and right:
            names = ", ".join(right[:-1]) + " and " * (len(right) > 1) + right[-1]
            lines[0] += f"; {names} agree{'s' * (len(right) == 1)}"
        return "\n".join([*lines, *self.faults, *self.unseen, *(f"-> {sentence}" for sentence in self.suspects(self))])

    def table(self) -> str:
        """Return a line for each quantity; those of a second backward only where it found something."""
        shown = [q for q in self.quantities if not q.name.endswith(AGAIN) or q in self.wrong]
        own = any(q.reference_error is not None for q in shown)
        rows = [["", "shape", "max abs", "max rel", "ulps", "allowed", *["torch's own"] * own, "at", "differ"]]
        for q in shown:
            errors = [q.max_abs, q.max_rel, q.max_ulps, np.max(q.allowed, initial=0), *[q.reference_error or 0] * own]
            at = "" if q.where is None else str(q.where)
            verdict = "all" if q.fault else f"{q.different.sum()} of {q.different.size}" if not q.ok else "-"
            verdict = "unknown" if q.nothing_decided else verdict
            verdict += " directions" * (q.whole is not None and not q.ok)
            rows.append([q.name, str(q.whole or q.expected.shape), *(f"{error:.1e}" for error in errors), at, verdict])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        padded = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in padded)

    def __str__(self) -> str:
        read = ["\n".join(["read as:", *(f"  {line}" for line in self.read)])] if self.read else []
        notes = ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join([*read, self.title, *[self.table()] * bool(self.quantities), self.words(), *notes])
