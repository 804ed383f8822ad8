"""The benchmarks: that they time what they say, pair the turns, and refuse what they cannot read."""

import dataclasses
import functools
import importlib
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

from benchmarks import cli
from benchmarks.errors import Failure
from benchmarks.speed import benches, mnist_run, progress, report, results, timing, work
from benchmarks.speed.contenders import CONTENDERS, Plain, Scratch, TorchEager
from benchmarks.speed.timing import Times, interleave
from benchmarks.tables import console
from parity_tests.harness.in_processes import rows_of_this_process
from parity_tests.tests.commands.test_cli import refused


def test_a_ratio_is_of_the_turns_of_one_round():
    ours, theirs = Times(np.array([1.0, 2.0, 30.0])), Times(np.array([2.0, 4.0, 60.0]))
    assert ours.ratio(theirs) == 0.5
    assert theirs.median == 4.0


def test_turns_alternate():
    seen = []
    interleave({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=3, threads=1)
    switches = sum(one != other for one, other in itertools.pairwise(seen))
    assert switches >= 2 * 3


def test_a_turn_begins_when_nothing_computes_any_more(monkeypatch):
    seen = []
    monkeypatch.setattr(timing, "come_to_rest", lambda: seen.append("rest"))
    interleave({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=2, threads=1)
    begins = [one for before, one in itertools.pairwise(seen) if before == "rest"]
    assert begins == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("cpu_time", "pauses"),
    [([0, 1, 1, 1.5, 1.5, 1.5], 3), (itertools.count(), timing.MOST_PAUSES), ([0, 0.09 * timing.PAUSE], 1)],
)
def test_a_thread_that_spins_is_waited_for_but_not_for_ever(cpu_time, pauses, monkeypatch):
    slept = []
    monkeypatch.setattr(timing, "process_time", iter(cpu_time).__next__)
    monkeypatch.setattr(timing, "sleep", slept.append)
    timing.come_to_rest()
    assert slept == [timing.PAUSE] * pauses


@pytest.mark.parametrize("layer", work.layers(batch=2, frames=1), ids=lambda layer: f"{layer.name}, {layer.network}")
def test_a_timed_layer_runs_and_its_products_are_counted(layer):
    has_products = "Conv", "Linear", "RNN", "GRU", "LSTM", "MultiheadAttention"
    assert (layer.products > 0) == (layer.name.startswith(has_products))
    module = layer.build(Scratch(1).engine.nn, "float64")
    if layer.products and layer.network != "sequences":  # whose products `test_bench_why` counts one by one
        # Every output is a sum over one filter or one row of the weight; when transposed, every input spreads one.
        x = work.upstream(layer.shape, "float64")
        places = x if layer.name.startswith("ConvTranspose") else module(x)
        assert layer.products == places.size * module.weight.data[0].size
    Scratch(1).layer(layer, "float64")()
    Plain(1).layer(layer, "float64")()
    TorchEager(1).layer(layer, "float64")()


@pytest.mark.parametrize("name", ["scratch", "plain", "torch", "torch-channels-last"])
def test_a_timed_step_moves_the_parameters(name):
    contender = CONTENDERS[name](1)
    models = []
    step = work.mlp_step()
    build = step.build

    def keep(package, dtype):
        models.append(build(package, dtype))
        return models[-1]

    run = contender.step(work.Step(step.name, keep, step.adam, step.shape, step.classes), "float64")
    before = {key: np.asarray(value).copy() for key, value in models[0].state_dict().items()}
    run()
    assert all((np.asarray(value) != before[key]).any() for key, value in models[0].state_dict().items())


def test_steps_writes_draws_and_compares(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(work, "cnn_step", lambda: dataclasses.replace(work.mlp_step(), name="another"))
    arguments = ["bench", "steps", "--rounds", "2", "--repeats", "1", "--threads", "1", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    content = json.loads((tmp_path / "steps.json").read_text())
    assert content["machine"]["threads"] == [1]
    assert content["machine"]["numpy_blas"]
    assert {row["dtype"] for row in content["rows"]} == set(benches.DTYPES)
    assert (tmp_path / "steps.png").exists()
    again = [*arguments[:-1], str(tmp_path / "again"), "--compare", str(tmp_path / "steps.json")]
    assert cli.main(again) == 0
    assert "B  measured now" in capsys.readouterr().out
    assert "steps.json exists already" in refused(capsys, 1, arguments)


@pytest.mark.parametrize("rival", CONTENDERS)
def test_a_rivals_name_is_not_cut_off(rival, capsys):
    numbers = {name: [0.0123, 0.0234] for name in ("scratch_quartiles", "ratios")}
    row = {"work": "ConvTranspose2d 128 to 64, 5x5, stride 2", "dtype": "float32", "contender": rival, **numbers}
    row |= {"scratch_seconds": 0.0123, "seconds": 0.0234, "ratio": 1.0, "operations": 1}
    report.show(console(), "layers", [row], {"float32": {"operations": 1.0, "bytes": 1.0}})
    assert f" {rival} " in capsys.readouterr().out


def test_each_repeat_is_a_process_of_its_own():
    seen = []
    on_row = lambda number, row: seen.append((number, row["work"], row["scratch_quartiles"][0] == os.getpid()))  # noqa: E731
    (row,) = benches.repeat(rows_of_this_process, 2, ["mlp"], 1.0, on_row=on_row)
    assert (row["work"], row["ratio"], row["ratios"]) == ("mlp", 0.25, [0.25, 0.25])
    assert row["scratch_quartiles"][0] not in (os.getpid(), 0)
    (row,) = benches.repeat(rows_of_this_process, 1, ["mlp"], 1.0, on_row=on_row)
    assert row["scratch_quartiles"] == [os.getpid(), 1e9]
    assert row["ratios"] == [0.25]
    assert seen == [(1, "mlp", False), (2, "mlp", False), (1, "mlp", True)]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_benchmark_says_how_far_it_is(is_terminal, monkeypatch, capsys):
    (row,) = rows_of_this_process(["mlp"], 1.0)
    row |= {"dtype": "float32", "contender": "torch"}
    monkeypatch.setattr(progress, "Console", functools.partial(Console, force_terminal=is_terminal, width=100))
    with progress.progress("steps", 2) as on_row:
        for number in (1, 1, 2, 2):
            on_row(number, row)
    shown = capsys.readouterr().err
    if is_terminal:
        assert "process 1 of 2, 2 rows (mlp, float32, torch)" in shown
        assert "process 2 of 2, 1 of 2 rows (mlp, float32, torch)" in shown
    else:
        assert shown.splitlines() == ["Measuring steps: process 1 of 2", "Measuring steps: process 2 of 2"]


def test_what_several_processes_measured_becomes_its_median():
    one, two, three = (rows_of_this_process(["mlp"], seconds)[0] for seconds in (1.0, 8.0, 2.0))
    two["quartiles"] = [2.0, 9.0]
    (row,) = benches.combine([[one], [two], [three]])
    assert (row["scratch_seconds"], row["ratio"], row["ratios"]) == (2.0, 0.5, [0.25, 2.0, 0.5])
    assert row["quartiles"] == [3.0, 5.0]
    assert (row["range"], row["scratch_range"]) == ([2.0, 6.0], [0.5, 16.0])  # of all of them


def test_what_is_no_result_is_refused(tmp_path):
    path = tmp_path / "old.json"
    path.write_text('{"format": 99, "rows": []}')
    with pytest.raises(Failure, match="format"):
        results.read(path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "engines"],
        ["bench", "steps", "layers", "steps"],
        ["bench", "layers", "--engine-b", "jax"],
    ],
)
def test_usage_errors_are_one_line(arguments, capsys):
    assert cli.main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_training_without_data_fails_before_anything_is_timed(tmp_path, capsys):
    assert cli.main(["bench", "train", "--data-dir", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


def test_the_peak_of_memory_is_measured_on_unix_and_unknown_on_windows(monkeypatch):
    if sys.platform != "win32":
        assert mnist_run.peak_bytes() > 1e7
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)  # importing it raises, as it does there
    assert math.isnan(importlib.reload(mnist_run).peak_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak")
def test_a_peak_of_memory_is_not_the_parents():
    child = "from benchmarks.speed.mnist_run import peak_bytes; print(peak_bytes())"
    start = f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    parent = f"import subprocess, sys; held = b'1' * (1 << 29); {start}"
    answer = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 1e6 < int(answer.stdout) < 1 << 29


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_measuring_process_outlives_the_command(number):
    code = (
        "from benchmarks.runs.interrupts import Interrupts\n"
        "from benchmarks.speed import benches\n"
        "from parity_tests.harness.in_processes import measure_for_ever\n"
        "if __name__ == '__main__':\n"
        "    with Interrupts():\n"
        "        benches.repeat(measure_for_ever, 2, [])\n"
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    command = subprocess.Popen([sys.executable, "-c", code], **options)
    measuring = int(command.stdout.readline())
    command.send_signal(number)
    command.wait(60)
    command.stdout.close()
    for _ in range(100):
        try:
            os.kill(measuring, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(measuring, signal.SIGKILL)
    pytest.fail("the measuring process outlived the command")


def test_what_cannot_be_written_is_known_before_anything_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.commands.bench.measure", lambda *args: pytest.fail("it measured"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "steps.png").write_text("mine")
    (tmp_path / "old.json").write_text('{"format": 2, "rows": [{"a": 1}]}')
    assert "cannot write to" in refused(capsys, 1, ["bench", "steps", "--out", tmp_path / "file" / "results"])
    assert "steps.png exists already" in refused(capsys, 1, ["bench", "steps", "--out", tmp_path])
    (tmp_path / "all.json").write_text("mine")
    assert "all.json exists already" in refused(capsys, 1, ["bench", "steps", "--out", tmp_path / "all.json"])
    assert "old.json is damaged" in refused(capsys, 1, ["bench", "steps", "--compare", tmp_path / "old.json"])
    assert (tmp_path / "steps.png").read_text() == "mine"
