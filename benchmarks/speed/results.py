"""Results as they are kept: one JSON file for each benchmark, with the machine that it was measured on."""

from pathlib import Path

from benchmarks.errors import Failure
from benchmarks.runs import folder as runs

FORMAT = 1


def write(folder: Path, name: str, machine: dict, rows: list[dict]) -> Path:
    """Write a benchmark's rows, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    runs.write_json(path, {"format": FORMAT, "benchmark": name, "machine": machine, "rows": rows})
    return path


def read(path: Path) -> dict:
    """Read a file of `write`'s.

    Raises
    ------
    Failure
        If it is missing, damaged, or no result of this version.
    """
    content = runs.read_json(path)
    if content.get("format") != FORMAT or not isinstance(content.get("rows"), list):
        raise Failure(f"{path}: expected the results of a benchmark in format {FORMAT}")
    return content


def changes(old: dict, rows: list[dict]) -> list[tuple[str, str, float, float]]:
    """Return (work, contender, old ratio, new ratio) for each row that both results have."""
    before = {(row["work"], row["contender"], row.get("dtype")): row["ratio"] for row in old["rows"]}
    found = []
    for row in rows:
        key = (row["work"], row["contender"], row.get("dtype"))
        if key in before and before[key] and row["ratio"]:
            found.append((row["work"], row["contender"], before[key], row["ratio"]))
    return found
