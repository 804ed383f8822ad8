"""``bench --threads 1,2``: each number has processes that began with it, and how each engine scales."""

import json
import os

import pytest

from benchmarks import cli, environment
from benchmarks.speed import benches, report
from benchmarks.tables import console
from parity_tests.tests.commands.test_cli import refused

TIMES = {"seconds": 1.0, "scratch_seconds": 0.5, "ratio": 0.5}
RANGES = {name: [0.5, 1.0] for name in ("range", "scratch_range", "quartiles", "scratch_quartiles")}


def probe(rivals):
    """Return a row with the thread counts that a measuring process began with."""
    from scratch.kernels import threads

    begun = {name: int(os.environ.get(name, 0)) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return [{"work": "", **TIMES, **RANGES, "pid": os.getpid(), "own": threads.get_num_threads(), **begun}]


def test_a_number_of_threads_has_processes_that_began_with_it(monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for number in (1, 2):
        (row,) = benches.repeat(probe, 1, [], threads=number)
        assert row["pid"] != os.getpid()
        assert (row["own"], row["OMP_NUM_THREADS"], row["MKL_NUM_THREADS"]) == (number,) * 3
    assert os.environ["MKL_NUM_THREADS"] == "7"
    assert "OMP_NUM_THREADS" not in os.environ


def rows(threads, seconds, ours):
    times = {"seconds": seconds, "scratch_seconds": ours, "ratio": ours / seconds, "ratios": [ours / seconds]}
    common = {"work": "ReLU", "shape": [2, 3], "dtype": "float32", "threads": threads}
    return [{**common, "contender": name, **times} for name in ("plain", "torch")]


def test_how_both_engines_scale(capsys):
    report.show_threads(console(), "layers", [*rows(1, 0.008, 0.006), *rows(4, 0.004, 0.002)])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == "work dtype engine 1 thread, ms 4 threads, ms"
    assert lines[3:-2] == [
        "ReLU float32 scratch 6 2 (3.00)",
        "ReLU float32 plain 8 4 (2.00)",
        "ReLU float32 scratch / plain 0.75 0.50",
        "ReLU float32 torch 8 4 (2.00)",
        "ReLU float32 scratch / torch 0.75 0.50",
    ]


def test_each_number_is_measured_and_kept(tmp_path, capsys, monkeypatch):
    asked = []

    def measure(name, args, threads, apart):
        asked.append((threads, apart))
        row = {"work": "MLP", "contender": "torch", "dtype": "float32", **TIMES, **RANGES, "ratios": [0.5]}
        return [{**row, "scratch_seconds": 0.5 / threads}]

    monkeypatch.setattr("benchmarks.commands.bench.measure", measure)
    monkeypatch.setattr(environment, "cores", lambda: 4)
    assert cli.main(["bench", "steps", "--threads", "1,4", "--out", str(tmp_path)]) == 0
    assert asked == [(1, True), (4, True)]
    content = json.loads((tmp_path / "steps.json").read_text())
    assert content["machine"]["threads"] == [1, 4]
    assert [row["threads"] for row in content["rows"]] == [1, 4]
    assert "125 (4.00)" in capsys.readouterr().out
    assert cli.main(["bench", "steps", "--threads", "4", "--out", str(tmp_path / "one")]) == 0
    assert asked[2:] == [(4, False)]


@pytest.mark.parametrize(
    ("threads", "words"),
    [
        ("0", "expected 1 or more, got 0"),
        ("1,0", "expected 1 or more, got 0"),
        ("-1", "expected"),
        ("1,2,1", "expected each number once, got 1 twice"),
        ("1,,2", "expected an integer"),
        ("two", "expected an integer"),
        ("1,65536", "--threads 65536: this process may use "),
        ("65536", "--threads 65536: this process may use "),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(threads, words, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.commands.bench.measure", lambda *args, **options: pytest.fail("it measured"))
    assert words in refused(capsys, 2, ["bench", "steps", f"--threads={threads}"])
