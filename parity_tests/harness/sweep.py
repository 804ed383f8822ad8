"""Run many cases of the catalogue, and keep the worst error of each kind of quantity."""

from dataclasses import dataclass, field

import numpy as np

from parity_tests.catalogue import Entry
from parity_tests.harness import budget
from parity_tests.harness.report import AGAIN, Quantity, Report

QUANTITIES = ("output", "input gradient", "parameter gradients")
DTYPES = ("float64", "float32")


@dataclass
class Worst:
    """The worst of one kind of quantity over all cases.

    Attributes
    ----------
    error : float
        The largest absolute error.
    relative : float
        The largest error divided by the largest number of its kind in the same case.
    share : float
        The largest error as a share of its rounding budget; above 1 it is more than rounding. Infinity for a fault.
    """

    error: float = 0.0
    relative: float = 0.0
    share: float = 0.0

    def add(self, quantity: Quantity, size: float) -> None:
        """Take another array into account; ``size`` is the largest number of its kind in the same case."""
        error, allowed = quantity.max_abs, float(np.max(quantity.allowed, initial=0))
        share = error / allowed if allowed else np.inf if error else 0.0
        if not quantity.ok:  # a fault, or a NaN in the wrong place, is not in the error
            share = max(share, np.inf if quantity.fault or share <= 1 else share)
        self.error = max(self.error, error)
        self.relative = max(self.relative, error / size if size else 0.0)
        self.share = max(self.share, share)


@dataclass
class Row:
    """One entry of the catalogue in one dtype.

    Attributes
    ----------
    name, kind, dtype : str
        What was compared.
    cases, different : int
        How many cases were tried, and how many of them differ.
    worst : dict
        By the names of `QUANTITIES`; only those that occur.
    failure : str
        The first case that differs, in words; empty if none does.
    """

    name: str
    kind: str
    dtype: str
    cases: int = 0
    different: int = 0
    worst: dict[str, Worst] = field(default_factory=dict)
    failure: str = ""


def kind_of(quantity: str) -> str:
    """Return which of `QUANTITIES` an array belongs to; buffers count as output."""
    last = quantity.removesuffix(AGAIN).rpartition(".")[2]
    if last.startswith("grad_input"):
        return "input gradient"
    return "parameter gradients" if last.startswith("grad_") else "output"


def sweep(entry: Entry, dtype: str, cases: int) -> Row:
    """Compare both engines on the first ``cases`` cases of an entry, or on its share of them."""
    row = Row(entry.name, entry.kind, dtype)
    for number in range(max(1, cases // entry.share)):
        row.cases += 1
        try:
            report = entry.case(dtype, number).check(number)
        except Exception as error:
            report = Report(f"{entry.name}: {dtype}", faults=[f"{type(error).__name__}: {error}"])
        sizes = dict.fromkeys(QUANTITIES, 0.0)
        for quantity in report.quantities:
            kind = kind_of(quantity.name)
            sizes[kind] = max(sizes[kind], budget.magnitude(quantity.expected))
        for quantity in report.quantities:
            kind = kind_of(quantity.name)
            row.worst.setdefault(kind, Worst()).add(quantity, sizes[kind])
        if report.faults:
            row.worst.setdefault("output", Worst()).share = np.inf
        if not report.ok:
            row.different += 1
            row.failure = row.failure or _words(report, entry, dtype, number)
    return row


def _words(report: Report, entry: Entry, dtype: str, number: int) -> str:
    wrong = [quantity.words() for quantity in report.wrong] + report.faults
    again = f"parity_tests.catalogue.named({entry.name!r}).case({dtype!r}, {number}).check({number})"
    return "\n".join([report.title, *wrong, f"The whole report: {again}"])
