"""Results as they are kept: one JSON file for each benchmark, with the machine that it was measured on."""

from pathlib import Path

from benchmarks import files
from benchmarks.runs import scheme
from benchmarks.runs.scheme import Choice, Equal, List, Number, Object, Optional, Text

FORMAT = 1
NAMES = ("layers", "steps", "scaling", "train", "memory")
ROW = Object(
    {"work": Text(), "contender": Text(), "dtype": Text(), "ratio": Optional(Number(0))},
    open=True,
)
RESULT = Object(
    {"format": Equal(FORMAT), "benchmark": Choice(NAMES), "machine": Object({}, open=True), "rows": List(ROW)}
)


def write(folder: Path, name: str, machine: dict, rows: list[dict]) -> Path:
    """Write a benchmark's rows, and return the file, a new one."""
    path = folder / f"{name}.json"
    content = {"format": FORMAT, "benchmark": name, "machine": machine, "rows": rows}
    files.write_new(path, files.encode_json(content))
    return path


def read(path: Path) -> dict:
    """Read a file of `write`'s.

    Raises
    ------
    Failure
        If it is missing, damaged, or no result of this version.
    """
    content = files.read_json(path)
    scheme.check(path, content, RESULT)
    return content


def changes(old: dict, rows: list[dict]) -> list[tuple[str, str, float, float]]:
    """Return (work, contender, old ratio, new ratio) for each row that both results have."""
    before = {(row["work"], row["contender"], row["dtype"]): row["ratio"] for row in old["rows"]}
    found = []
    for row in rows:
        key = (row["work"], row["contender"], row["dtype"])
        if key in before and before[key] and row["ratio"]:
            found.append((row["work"], row["contender"], before[key], row["ratio"]))
    return found
