"""``bench --out FILE.json`` and ``bench --compare``: what a stranger's file may hold, and what is ranked."""

import copy
import dataclasses
import json

import pytest

from benchmarks import cli, environment
from benchmarks.speed import benches, compare, machine, results, work
from parity_tests.tests.commands.test_cli import refused

MACHINE = {
    "processor": "Processor X",
    "cores": 4,
    "caches": {"L2": 1 << 20, "L3": 3 << 19},
    "load": 0.25,
    "system": "Linux",
    "python": "3.12.1",
    "numpy": "2.3.0",
    "torch": "2.8.0",
    "torch_simd": "AVX2",
    "numpy_blas": [{"internal_api": "openblas", "version": "0.3.29", "architecture": "Zen", "num_threads": 4}],
    "kernel_held": {},
    "threads": [4],
}


def row(work_, *ratios, **more):
    ordered = sorted(ratios)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return {
        "benchmark": "layers",
        "work": work_,
        "contender": "torch",
        "dtype": "float32",
        "threads": 4,
        "scratch_seconds": 0.5,
        "seconds": 1.0,
        "ratio": middle,
        "ratios": list(ratios),
        "range": [0.75, 2.0],
        **more,
    }


def result(*rows, **more):
    return {"format": 2, "machine": {**MACHINE, **more}, "rows": list(rows)}


def save(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("ratios", "order"),
    [
        ({"A": [0.7, 0.8], "B": [0.9, 1.0]}, "A < B"),
        ({"A": [0.7, 0.9], "B": [0.9, 1.0]}, "A ~ B"),
        ({"A": [0.9, 1.0], "B": [0.7, 0.9]}, "A ~ B"),
        ({"A": [0.5, 0.9], "B": [0.6, 0.65], "C": [0.85, 1.0], "D": [1.1, 1.2]}, "A ~ B ~ C < D"),
        ({"C": [0.3, 0.2], "A": [0.9, 0.7]}, "C < A"),
        ({"A": [0.1], "B": [0.9, 1.0]}, ""),
        ({"A": [0.1], "B": [0.9, 1.0], "C": [0.2, 0.3]}, "C < B"),
        ({"A": [], "B": [0.9, 1.0]}, ""),
    ],
)
def test_what_overlaps_is_not_ranked(ratios, order):
    assert compare.order(ratios) == order


def test_a_table_of_several_machines(tmp_path, capsys):
    relu = row("ReLU", 0.7, 0.75, 0.9, shape=[2, 3])
    other = row("ReLU", 0.1, 0.2, 0.3, shape=[4, 3])  # another row, of another shape
    one = save(tmp_path, "one.json", result(relu, other, row("GELU", 2.0, 3.0)))
    two = save(tmp_path, "two.json", result(row("ReLU", 1.0, 1.25, shape=[2, 3]), row("GELU", 2.5), processor="Y"))
    six = [row("ReLU", 0.5, 0.625, shape=[2, 3], threads=1), row("ReLU", 0.25, 0.375, shape=[2, 3], threads=6)]
    three = save(tmp_path, "three.json", result(*six, threads=[1, 6], cores=6))
    assert cli.main(["bench", "--compare", str(one), str(two), str(three)]) == 0
    shown = capsys.readouterr().out
    assert "Processor X, 4 cores, L2 1 MiB, L3 1.5 MiB; 4 threads for each contender; load 0.2 before" in shown
    assert "openblas 0.3.29 (Zen)" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    relu_line = next(line for line in lines if line.startswith("ReLU, 2 x 3"))
    assert "0.75 (0.70 to 0.90) 1.12 (1.00 to 1.25) 0.56 (0.50 to 0.62) 0.31 (0.25 to 0.38)" in relu_line
    assert relu_line.endswith("C(6) < C(1) < A < B")
    assert next(line for line in lines if line.startswith("GELU")).endswith("2.50 (2.00 to 3.00) 2.50 - -")
    assert "ReLU, 4 x 3" not in shown
    assert "1 rows that only one has" in shown


def test_nothing_in_common_is_said_before_anything_is_shown(tmp_path, capsys):
    one, two = (save(tmp_path, f"{name}.json", result(row(name, 0.5))) for name in ("ReLU", "GELU"))
    assert "no two of the results share any work" in refused(capsys, 1, ["bench", "--compare", one, two])
    assert capsys.readouterr().out == ""


FIELDS = [
    (("format",), 1, "expected format to be 2, got 1"),
    (("machine",), [], "expected machine to be an object, got an empty list"),
    (("machine", "processor"), "a\nb", "expected machine.processor to be a line of text"),
    (("machine", "processor"), "x" * 5000, "expected machine.processor to be a line of text"),
    (("machine", "torch"), "\x1b[31m", "expected machine.torch to be a line of text"),
    (("machine", "cores"), 0, "expected machine.cores to be an integer of 1 or more, got 0"),
    (("machine", "cores"), True, "expected machine.cores to be an integer of 1 or more, got true"),
    (("machine", "caches", "L9\r"), 1, "machine.caches"),
    (("machine", "caches", "L2"), "1M", "expected machine.caches.L2 to be an integer of 1 or more"),
    (("machine", "load"), -1, "expected machine.load to be"),
    (("machine", "numpy_blas", 0, "architecture"), 3, "expected machine.numpy_blas[0].architecture to be a line of"),
    (("machine", "kernel_held", "HOME"), "x", "expected machine.kernel_held.HOME to be absent"),
    (("machine", "threads"), [0], "expected machine.threads[0] to be an integer of 1 or more, got 0"),
    (("machine", "owner"), "me", "expected machine.owner to be absent"),
    (("rows",), {}, "expected rows to be a list, got an empty object"),
    (("rows", 0, "benchmark"), "speed", "expected rows[0].benchmark to be one of"),
    (("rows", 1, "work"), None, "expected rows[1].work to be a line of text, got null"),
    (("rows", 0, "dtype"), "float16", "expected rows[0].dtype to be one of"),
    (("rows", 0, "threads"), 1.5, "expected rows[0].threads to be an integer"),
    (("rows", 0, "seconds"), "1", "expected rows[0].seconds to be a finite number of 0 or more"),
    (("rows", 0, "ratios"), [0.5, -0.5], "expected rows[0].ratios[1] to be a finite number of 0 or more"),
    (("rows", 0, "ratio"), 0.25, "expected rows[0].ratio to be 0.5, the median of its ratios, got 0.25"),
    (("rows", 0, "ratio"), None, "expected rows[0].ratio to be 0.5, the median of its ratios, got null"),
    (("rows", 0, "range"), [2.0, 1.0], "expected rows[0].range to be the smallest and the largest"),
    (("rows", 0, "range"), [2.0], "expected rows[0].range to be a list of 2 entries"),
    (("rows", 0, "shape"), [2, -3], "expected rows[0].shape[1] to be an integer of 0 or more"),
    (("rows", 1, "work"), "ReLU", "expected rows[1] to be another row than rows[0], got the same work again"),
    (("rows", 0, "note"), "x", "expected rows[0].note to be absent"),
]


@pytest.mark.parametrize(("place", "value", "words"), FIELDS, ids=lambda one: str(one)[:40])
def test_a_strangers_file_is_refused_by_file_and_field(place, value, words, tmp_path, capsys):
    content = copy.deepcopy(result(row("ReLU", 0.5), row("GELU", 0.5)))
    good = save(tmp_path, "good.json", content)
    assert cli.main(["bench", "--compare", str(good), str(save(tmp_path, "same.json", content))]) == 0
    capsys.readouterr()
    target = content
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    said = refused(capsys, 1, ["bench", "--compare", good, save(tmp_path, "theirs.json", content)])
    assert "theirs.json is damaged" in said
    assert words in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("place", "expected"), [(("machine", "load"), "machine.load"), (("rows", 0, "threads"), "rows[0].threads")]
)
def test_a_missing_field_is_named(place, expected, tmp_path, capsys):
    content = result(row("ReLU", 0.5))
    target = content
    for name in place[:-1]:
        target = target[name]
    del target[place[-1]]
    good, bad = save(tmp_path, "good.json", result(row("ReLU", 0.5))), save(tmp_path, "bad.json", content)
    said = refused(capsys, 1, ["bench", "--compare", good, bad])
    assert f"expected {expected} to be" in said
    assert said.endswith("got nothing\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--compare", "a.json"], "--compare needs two files or more, or a benchmark"),
        (["--compare", "a.json", "b.json", "a.json"], "--compare: expected each file once, got a.json twice"),
        (
            ["--compare", "a.json", "b.json", "--out", "c"],
            "--out: nothing is measured by --compare without a benchmark",
        ),
        (["--compare", "a.json", "b.json", "--threads", "1"], "--threads: nothing is measured"),
        (["--compare", "a.json", "b.json", "--repeats", "2"], "--repeats: nothing is measured"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, words, capsys):
    assert words in refused(capsys, 2, ["bench", *arguments])


def test_a_result_of_another_benchmark_is_refused_before_anything_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.commands.bench.measure", lambda *args, **options: pytest.fail("it measured"))
    old = save(tmp_path, "old.json", result(row("ReLU", 0.5)))
    arguments = ["bench", "steps", "--compare", old, "--out", tmp_path / "new.json"]
    assert "old.json is a result of layers, not of steps" in refused(capsys, 1, arguments)


def test_one_file_has_what_a_comparison_needs(tmp_path, capsys, monkeypatch):
    small = work.Layer("Linear", "MLP", lambda nn, dtype: nn.Linear(3, 2, dtype=dtype), (5, 3), 30)
    monkeypatch.setattr(work, "layers", lambda: [small])
    monkeypatch.setattr(machine, "rates", lambda dtype, threads: {"operations": 1e9, "bytes": 1e9})
    monkeypatch.setattr("benchmarks.speed.benches.steps", lambda *arguments: _steps())
    out = tmp_path / "mine.json"
    options = ["--rounds", "2", "--repeats", "1", "--threads", "1", "--out", str(out)]
    assert cli.main(["bench", "layers", "steps", *options]) == 0
    assert sorted(tmp_path.iterdir()) == [out]
    content = results.read(out)
    assert {one["benchmark"] for one in content["rows"]} == {"layers", "steps"}
    found = content["rows"][0]
    low, high = found["scratch_range"]
    assert low <= found["scratch_seconds"] <= high
    assert found["range"][0] <= found["seconds"] <= found["range"][1]
    described = content["machine"]
    assert described["processor"] == environment.processor()
    assert described["numpy_blas"][0]["architecture"]
    assert described["threads"] == [1]
    assert set(described["rates"]) == {"float32", "float64"}


def _steps():
    times = {"seconds": 1.0, "scratch_seconds": 0.5, "ratio": 0.5}
    ranges = {name: [0.5, 1.0] for name in ("range", "scratch_range", "quartiles", "scratch_quartiles")}
    return [{"work": "MLP", "contender": "torch", "dtype": "float32", **times, **ranges}]


def test_the_results_of_this_project_can_be_read():
    from benchmarks.pages.speed import RESULTS

    paths = sorted(RESULTS.parent.glob("*.json"))
    assert len(paths) >= 5
    for path in paths:
        content = results.read(path)
        assert {one["benchmark"] for one in content["rows"]} == {path.stem.partition("-")[0]}  # then the machine


def test_caches_are_those_that_the_system_tells_of(tmp_path, monkeypatch):
    for number, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2M"), ("3", "Unified", "odd")]
    ):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    monkeypatch.setattr(environment, "CACHES", tmp_path)
    assert environment.caches() == {"L1 data": 48 << 10, "L1 instruction": 32 << 10, "L2": 2 << 20}
    monkeypatch.setattr(environment, "CACHES", tmp_path / "absent")
    assert environment.caches() == {}


def test_what_the_benchmarks_return_fits_the_scheme(tmp_path, monkeypatch):
    runs = {"scratch": 2.0, "torch": 4.0, "plain": 8.0}
    run = {"accuracy": 0.9, "peak_bytes": float("nan")}  # Windows tells no peak
    monkeypatch.setattr(benches, "_mnist_run", lambda name, *arguments: {"seconds": runs[name], **run})
    monkeypatch.setattr(work, "cnn_step", lambda batch=128: dataclasses.replace(work.mlp_step(), name=f"batch {batch}"))
    found = {
        "train": benches.train(tmp_path, 1, 2, 1),
        "memory": benches.memory(tmp_path, 1, 1),
        "scaling": benches.combine([benches.scaling(["torch"], 1, 1)]),
    }
    rows = [{"benchmark": name, "threads": 1, **one} for name, some in found.items() for one in some]
    path = results.write(tmp_path / "all.json", MACHINE, rows)
    read = results.read(path)["rows"]
    assert len(read) == 3 + 3 + len(benches.BATCHES)
    assert (read[1]["ratio"], read[1]["ratios"], read[1]["range"]) == (0.5, [0.5, 0.5], [4.0, 4.0])
    assert (read[4]["ratio"], read[4]["ratios"]) == (None, [None])
    assert compare.measured(read[4]) == []
