"""Results as they are stored: JSON files of rows, with everything that a comparison with another machine's needs.

A file has the rows of one or more benchmarks, measured on one machine. It may come from a stranger, so `read` checks it
field by field, and the error names the field that is wrong.
"""

from pathlib import Path
from statistics import median

from benchmarks import files
from benchmarks.runs import scheme
from benchmarks.runs.kinds import Choice, Equal, Integer, Mismatch, Number, Text, Words
from benchmarks.runs.scheme import List, Object, Optional

FORMAT = 2
DTYPES = ("float32", "float64")
NAMES = ("layers", "steps", "scaling", "train", "memory")

# Text must print as one line: no control characters, and none that change the writing direction.
LINE = Text(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,200}", "a line of text")
COUNT, QUANTITY = Integer(1), Number(0)
RATE = Object({"operations": QUANTITY, "bytes": QUANTITY})
CACHES = "L1 data", "L1 instruction", "L2", "L3", "L4"
BLAS = Object(
    {
        "internal_api": LINE,
        "version": Optional(LINE),
        "architecture": Optional(LINE),  # the kernels that ran: OpenBLAS calls them core type
        "num_threads": COUNT,
    }
)
MACHINE = Object(
    {
        "processor": LINE,
        "cores": COUNT,
        "caches": Object({}, optional=dict.fromkeys(CACHES, COUNT)),  # bytes of those that are known
        "load": Optional(QUANTITY),  # processes that wanted to run, the minute before
        **dict.fromkeys(("system", "python", "numpy", "torch", "torch_simd"), LINE),
        "numpy_blas": List(BLAS),
        "kernel_held": Object({}, optional=dict.fromkeys(("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"), LINE)),
        "threads": List(COUNT),
    },
    optional={"rates": Object({}, optional=dict.fromkeys(DTYPES, RATE))},
)
PAIR = List(QUANTITY, 2)
ROW = Object(
    {
        "benchmark": Choice(NAMES),
        "work": LINE,
        "contender": LINE,
        "dtype": Choice(DTYPES),
        "threads": COUNT,
        "scratch_seconds": QUANTITY,
        "seconds": QUANTITY,
        "ratio": Optional(QUANTITY),
        "ratios": List(Optional(QUANTITY)),  # one for each process
    },
    optional={
        **dict.fromkeys(("scratch_range", "range", "scratch_quartiles", "quartiles"), PAIR),
        "network": LINE,
        "operations": Integer(0),
        "shape": List(Integer(0)),
        "batch": COUNT,
        "accuracy": Number(0, 1),
        "peak_bytes": Optional(QUANTITY),
    },
)
RESULT = Object({"format": Equal(FORMAT), "machine": MACHINE, "rows": List(ROW)})


def write(path: Path, machine: dict, rows: list[dict]) -> Path:
    """Write rows to a new file, and return its path."""
    files.write_new(path, files.encode_json({"format": FORMAT, "machine": machine, "rows": rows}))
    return path


def read(path: Path) -> dict:
    """Read a file in `write`'s format, whoever wrote it.

    Raises
    ------
    Failure
        If it is missing, damaged, or not a result of this version; the message names the wrong field.
    """
    content = files.read_json(path)
    scheme.check(path, content, RESULT)
    with scheme.naming(path):
        _check_rows(content["rows"])
    return content


def _check_rows(rows: list[dict]) -> None:
    seen: dict[tuple, int] = {}
    for number, row in enumerate(rows):
        where = f"rows[{number}]"
        measured = [ratio for ratio in row["ratios"] if ratio is not None]
        middle = median(measured) if measured else None
        if row["ratio"] != middle:
            raise Mismatch(f"{where}.ratio", f"{middle}, the median of its ratios", row["ratio"])
        for low, high, name in ((*row[name], name) for name in ("scratch_range", "range") if name in row):
            if low > high:
                raise Mismatch(f"{where}.{name}", "the smallest and the largest", [low, high])
        first = seen.setdefault((key(row), row["threads"]), number)
        if first != number:
            raise Mismatch(where, f"another row than rows[{first}]", Words("the same work again"))


def key(row: dict) -> tuple:
    """Return what rows of the same work share on any two machines, with any number of threads."""
    return row["benchmark"], row["work"], tuple(row.get("shape", ())), row["contender"], row["dtype"]
