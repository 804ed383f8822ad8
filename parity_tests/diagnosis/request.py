"""What ``backprop check`` is asked, and what it answers."""

from dataclasses import dataclass, field
from pathlib import Path

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.harness.report import Report


@dataclass
class Request:
    """What to compare with what; the fields are the command's options."""

    path: Path
    names: str
    inputs: list[tuple[int, ...]]
    against: str | None = None
    args: str = ""
    torch_args: str | None = None
    target: str | None = None
    range: tuple[float, float] | None = None
    dtype: str = "float64"
    training: bool = True
    seed: int = 0
    constants: tuple[str, ...] = ()
    columns: bool = False
    averages: bool = False
    target_shape: tuple[int, ...] | None = None


@dataclass
class Verdict:
    """The outcome: the command's exit status, and what it prints. ``reports`` have the numbers."""

    status: int
    text: str
    reports: list[Report] = field(default_factory=list)
    learner: Learner | None = None
