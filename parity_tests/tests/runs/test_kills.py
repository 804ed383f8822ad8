"""A killed run, in a process of its own, continues in its folder and gives what it would have given anyway."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import cli, figures
from benchmarks.commands import run_tables
from parity_tests.harness import processes
from parity_tests.tests.commands.test_cli import read_part
from parity_tests.tests.runs.test_resume import SHORT, assert_same, posix

TRAIN = ["train", "moons", *SHORT, "--checkpoint-every", "2"]
KILLS = 10
TORCH = ("torch._dynamo", "torch.optim", "torch.nn.parallel.distributed")
PARTS = ("actor_critic", "sequence_models", "train", "world_model")
ENGINES = [f"{package}.{part}" for package in ("scratch", "torch_ref") for part in PARTS]
COMMAND = ("benchmarks.commands.train", "benchmarks.runs.parts", run_tables.__name__, "benchmarks.tasks.moons")
PRELOADED = (__name__, *TORCH, *ENGINES, *COMMAND, "safetensors.numpy", "sklearn.datasets", "sklearn.model_selection")

CALLS = ("open", "fsync", "replace", "unlink")


def in_child(argv, said, die_at=None, count_in=None):
    """Run a command line, without its pictures.

    ``die_at``, a pair (call, count), kills it in that call of os; ``count_in`` is the file that the counts go to.
    """
    for number, path in ((1, os.devnull), (2, said)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    figures.draw = lambda *args: None
    counts = collections.Counter()

    def watched(name, call):
        def watching(*args, **options):
            counts[name] += 1
            if (name, counts[name]) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return watching

    if die_at is not None or count_in is not None:
        for name in CALLS:
            setattr(os, name, watched(name, getattr(os, name)))
    status = cli.main([str(word) for word in argv])
    if count_in is not None:
        count_in.write_text(json.dumps(counts))
    sys.exit(status)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a function that starts a command in a process of its own."""
    if os.name != "posix":
        pytest.skip("needs POSIX signals")
    context = processes.context(PRELOADED)
    said = tmp_path_factory.mktemp("said") / "said"

    def start_one(*argv, die_at=None, count_in=None):
        process = context.Process(target=in_child, args=(argv, str(said), die_at, count_in))
        process.said = said
        process.start()
        return process

    return start_one


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """Train without interruption; return the folder and the seconds it took."""
    out = tmp_path_factory.mktemp("whole") / "run"
    began = time.monotonic()
    process = start(*TRAIN, "--out", out)
    process.join()
    assert process.exitcode == 0, process.said.read_text()
    return out, time.monotonic() - began


def go_on(run):
    """Return the command line that continues a run, or the first one if the run had not begun."""
    return ["train", "--resume", run] if (run / "config.json").exists() else [*TRAIN, "--out", run]


def test_ten_kills_at_random_moments_change_nothing(start, whole, tmp_path):
    expected, seconds = whole
    chance = random.Random(0)
    kills, checkpoints, number = 0, 0, 0
    while kills < KILLS:
        number += 1
        run = tmp_path / f"run-{number}"
        finished = False
        while not finished:
            began, fresh = time.monotonic(), not run.exists()
            process = start(*go_on(run))
            process.join(chance.uniform(0, seconds) if kills < KILLS else None)
            finished = process.exitcode is not None
            if finished:
                assert process.exitcode == 0, process.said.read_text()
                seconds = min(seconds, time.monotonic() - began) if fresh else seconds
            else:
                process.kill()
                process.join()
                kills += 1
                checkpoints += any(run.rglob("checkpoint.safetensors"))
        assert_same(run, expected)
    assert checkpoints > 0


@pytest.fixture(scope="module")
def counts(start, tmp_path_factory):
    """Count the calls of os in a run from its beginning to its end."""
    folder = tmp_path_factory.mktemp("counted")
    process = start(*TRAIN, "--out", folder / "run", count_in=folder / "counts.json")
    process.join()
    assert process.exitcode == 0, process.said.read_text()
    return json.loads((folder / "counts.json").read_text())


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("share", [0, 0.2, 0.4, 0.6, 0.8, 0.9, 1])
def test_a_kill_at_any_call_changes_nothing(start, whole, counts, tmp_path, call, share):
    """The kills go from the first call to the last: writes, renames and removals, also those at the run's end."""
    run = tmp_path / "run"
    number = 1 + round(share * (counts[call] - 1))
    process = start(*TRAIN, "--out", run, die_at=(call, number))
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process = start(*go_on(run))
    process.join()
    assert process.exitcode == 0, process.said.read_text()
    assert_same(run, whole[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint(start, tmp_path, number):
    """No checkpoint was asked for, but one is left all the same."""
    run = tmp_path / "run"
    process = start("train", "moons", "--engine", "torch", "--device", "cpu", "--epochs", 100000, "--out", run)
    deadline = time.monotonic() + 60
    while not (run / "config.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 128 + number
    said = process.said.read_text()
    assert said.splitlines()[-1] == f"backprop train: interrupted; go on with: backprop train --resume {run}"
    assert "Traceback" not in said
    assert sorted(os.listdir(run)) == ["checkpoint.safetensors", "config.json"]


@posix
def test_the_command_line_itself(tmp_path):
    """Without the forking process: a program, a signal, and a program that continues the run."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "benchmarks", "train"]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    options["env"] = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    words = ["moons", "--engine", "scratch", "--epochs", "20", "--checkpoint-every", "10", "--out", str(run)]
    process = subprocess.Popen([*command, *words], **options)
    deadline = time.monotonic() + 60
    while not (run / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    done = subprocess.run([*command, "--resume", str(run)], timeout=120, **options)
    assert done.returncode == 0, done.stderr
    assert len(read_part(run)[1]["test_loss"]) == 20
