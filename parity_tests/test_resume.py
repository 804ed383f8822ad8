"""A run that is killed, or asked to end, goes on in its folder and gives what it would have given anyway."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks import cli, runs
from benchmarks.errors import Interrupted
from benchmarks.interrupts import Interrupts
from parity_tests.test_cli import refused

SHORT = ["--epochs", "3", "--batch-size", "150"]
TRAIN = ["train", "moons", *SHORT, "--checkpoint-every", "2"]
KILLS = 10
SLOW_IMPORTS = ("torch._dynamo", "torch.optim", "benchmarks.figures", "benchmarks.screen", "sklearn.model_selection")

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def in_child(argv, said, die_at=None):
    """Run a command line, without its pictures; ``die_at``, a pair (call, count): kill it in that call of os."""
    from benchmarks import figures

    for number, path in ((1, os.devnull), (2, said)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    figures.draw = lambda *args: None
    if die_at is not None:
        name, count = die_at
        call, calls = getattr(os, name), []

        def fatal(*args):
            calls.append(args)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)

        setattr(os, name, fatal)
    sys.exit(cli.main([str(word) for word in argv]))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return the function that starts a command in a process of its own.

    The processes are forked from one that has imported everything, which saves seconds for each; they are processes
    like any other, and a SIGKILL leaves them no time for anything.
    """
    if os.name != "posix":
        pytest.skip("needs POSIX signals")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["parity_tests.test_resume", *SLOW_IMPORTS])
    said = tmp_path_factory.mktemp("said") / "said"

    def start_one(*argv, die_at=None):
        process = context.Process(target=in_child, args=(argv, str(said), die_at))
        process.said = said
        process.start()
        return process

    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(threads, "1"))  # the forking process takes over the environment when it starts
    start_one("--version").join()
    for name, value in threads.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
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


def assert_same(run, other):
    """Hold two finished runs equal to the last bit, seconds aside, and the first tidy."""
    held = sorted(path.name for path in run.rglob("*") if path.is_file() and path.suffix != ".png")
    assert held == sorted(["config.json"] + 2 * ["config.json", "history.json", "model.safetensors"])
    assert "unfinished" not in runs.read_json(run / "config.json")
    for engine in ("scratch", "torch"):
        (state, history), (other_state, other_history) = runs.load(run / engine), runs.load(other / engine)
        assert set(state) == set(other_state)
        for name, array in state.items():
            np.testing.assert_array_equal(array, other_state[name], err_msg=f"{engine} {name}")
        assert {**history, "seconds": None} == {**other_history, "seconds": None}


def go_on(run):
    """Return the command line that goes on with a run: the first one, if it had not begun."""
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


@pytest.mark.parametrize("die_at", [("fsync", 5), ("replace", 2), ("replace", 7), ("fsync", 40)])
def test_a_kill_in_the_middle_of_a_write_changes_nothing(start, whole, tmp_path, die_at):
    run = tmp_path / "run"
    process = start(*TRAIN, "--out", run, die_at=die_at)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process = start(*go_on(run))
    process.join()
    assert process.exitcode == 0, process.said.read_text()
    assert_same(run, whole[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint(start, tmp_path, number):
    """No checkpoint was asked for, and one is left all the same."""
    run = tmp_path / "run"
    process = start("train", "moons", "--engine", "torch", "--epochs", 100000, "--out", run)
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


# In this process: what needs no kill.


def signalled(monkeypatch, engine, step):
    """Let a signal arrive in one engine's loop, in the middle of a step."""
    from benchmarks import engines

    cross_entropy = engines.get(engine).nn.CrossEntropyLoss
    forward, calls = cross_entropy.forward, []

    def fatal(self, *args):
        calls.append(1)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return forward(self, *args)

    monkeypatch.setattr(cross_entropy, "forward", fatal)


@posix
@pytest.mark.parametrize("engine", ["scratch", "torch"])
@pytest.mark.parametrize("step", [4, 12])
def test_a_signal_in_either_engines_loop(capsys, tmp_path, whole, monkeypatch, engine, step):
    run = tmp_path / "run"
    monkeypatch.setattr("benchmarks.figures.draw", lambda *args: None)
    with monkeypatch.context() as context:
        signalled(context, engine, step)
        assert cli.main(["train", "moons", *SHORT, "--out", str(run)]) == 143
    assert f"go on with: backprop train --resume {run}" in capsys.readouterr().err
    assert (run / engine / "checkpoint.safetensors").exists()
    assert (run / "scratch" / "history.json").exists() == (engine == "torch")
    for trainer in ("scratch", "torch"):
        said = refused(capsys, 1, ["evaluate", run, "--engine", trainer])
        assert f"{run} is not a finished run; go on with: backprop train --resume {run}" in said
    assert f"holds an unfinished run; go on with: backprop train --resume {run}" in refused(
        capsys, 1, ["train", "moons", "--out", run]
    )
    assert cli.main(["train", "--resume", str(run), "moons", "--epochs", "3", "--out", str(run)]) == 0
    assert "difference" in capsys.readouterr().out
    assert_same(run, whole[0])


@posix
def test_a_run_that_had_not_begun_leaves_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.commands.train.check_batches", lambda *args: os.kill(os.getpid(), signal.SIGINT))
    assert "train: interrupted\n" in refused(capsys, 130, ["train", "moons", "--out", tmp_path / "run"])
    assert os.listdir(tmp_path) == []


@posix
def test_a_second_signal_does_not_wait():
    with Interrupts() as interrupts:
        stop = None
        try:
            with interrupts.deferred():
                os.kill(os.getpid(), signal.SIGTERM)
                assert interrupts.received == signal.SIGTERM
                os.kill(os.getpid(), signal.SIGINT)
                pytest.fail("went on after the second signal")
        except Interrupted as second:
            stop = second.number
        assert stop == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is not interrupts._receive


@posix
def test_an_ignored_signal_stays_ignored():
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupts.received is None
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    """Leave a run of the scratch engine that was interrupted."""
    run = tmp_path / "run"
    with monkeypatch.context() as context:
        signalled(context, "scratch", 5)
        assert cli.main(["train", "moons", "--engine", "scratch", *SHORT, "--out", str(run)]) == 143
    return run


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@posix
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits"], "TASK digits contradicts"),
        (["--engine", "both"], "--engine both contradicts"),
        (["--epochs", "4"], "--epochs 4 contradicts"),
        (["--lr", "0.5"], "a run with 0.003; leave it out"),
        (["--seed", "1"], "--seed 1 contradicts"),
        (["--dtype", "float64"], "--dtype float64 contradicts"),
        (["--out", "elsewhere"], "--out elsewhere contradicts"),
        (["--checkpoint-every", "0"], "--checkpoint-every: expected 1 or more"),
        (["--checkpoint-every", "often"], "--checkpoint-every: expected an integer"),
    ],
)
def test_options_that_contradict_the_run(capsys, unfinished, words, message):
    before = contents(unfinished)
    capsys.readouterr()
    assert message in refused(capsys, 2, ["train", "--resume", unfinished, *words])
    assert contents(unfinished) == before


@posix
@pytest.mark.parametrize("file", ["config.json", "checkpoint.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01."])
def test_resume_refuses_a_damaged_run(capsys, unfinished, file, content):
    (unfinished / file).write_bytes(content)
    before = contents(unfinished)
    capsys.readouterr()
    assert cli.main(["train", "--resume", str(unfinished)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"{file} is damaged" in said
    assert contents(unfinished) == before


@posix
def test_a_checkpoint_of_another_run(capsys, tmp_path, unfinished, monkeypatch):
    other = tmp_path / "other"
    with monkeypatch.context() as context:
        signalled(context, "scratch", 5)
        assert cli.main(["train", "moons", "--engine", "scratch", "--seed", "7", *SHORT, "--out", str(other)]) == 143
    (unfinished / "checkpoint.safetensors").write_bytes((other / "checkpoint.safetensors").read_bytes())
    before = contents(unfinished)
    assert cli.main(["train", "--resume", str(unfinished)]) == 1
    assert "is a checkpoint of another run: seed 7, not 0" in capsys.readouterr().err
    assert contents(unfinished) == before


def test_resume_refuses_what_is_no_run(capsys, tmp_path):
    assert "config.json does not exist" in refused(capsys, 1, ["train", "--resume", tmp_path])
    assert "config.json does not exist" in refused(capsys, 1, ["train", "--resume", tmp_path / "absent"])


def test_resume_refuses_a_part_of_another_run(capsys, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as context:
        signalled(context, "torch", 5)
        assert cli.main(["train", "moons", *SHORT, "--out", str(run)]) == 143
    config = runs.read_json(run / "scratch" / "config.json")
    config["settings"]["lr"] = 0.25
    runs.write_json(run / "scratch" / "config.json", config)
    assert cli.main(["train", "--resume", str(run)]) == 1
    assert "scratch is a run of other settings: backprop train moons" in capsys.readouterr().err


def test_resuming_a_finished_run_draws_its_figures_again(capsys, tmp_path):
    run = tmp_path / "run"
    assert cli.main(["train", "moons", "--engine", "scratch", *SHORT, "--out", str(run)]) == 0
    (run / "curves.png").unlink()
    (run / "checkpoint.safetensors").write_bytes(b"left by a kill after the end")
    before = contents(run)
    capsys.readouterr()
    assert cli.main(["train", "--resume", str(run)]) == 0
    assert "scratch" in capsys.readouterr().out
    assert (run / "curves.png").exists()
    assert not (run / "checkpoint.safetensors").exists()
    assert {path: content for path, content in before.items() if path.suffix in (".json", ".safetensors")}.items() >= {
        path: content for path, content in contents(run).items() if path.suffix != ".png"
    }.items()


@posix
def test_the_command_line_itself(tmp_path):
    """Without the forking process: a program, a signal, and the program that goes on."""
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
    assert len(runs.load(run)[1]["test_loss"]) == 20
