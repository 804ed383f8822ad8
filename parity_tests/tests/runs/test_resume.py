"""A run that was interrupted goes on in its folder, and what contradicts it is refused."""

import os
import signal

import numpy as np
import pytest

from benchmarks import cli, files
from benchmarks.errors import Interrupted
from benchmarks.runs import record
from benchmarks.runs.interrupts import Interrupts
from parity_tests.tests.commands.test_cli import read_part, refused

SHORT = ["--epochs", "3", "--batch-size", "150", "--device", "cpu"]  # the last bit is promised there alone

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train both engines without interruption; return the folder."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert cli.main(["train", "moons", *SHORT, "--out", str(out)]) == 0
    return out


def assert_same(run, other):
    """Assert that two finished runs are equal to the last bit, seconds aside, and that the first is tidy."""
    held = sorted(path.name for path in run.rglob("*") if path.is_file() and path.suffix != ".png")
    assert held == sorted(["config.json"] + 2 * ["config.json", "history.json", "model.safetensors"])
    assert "unfinished" not in files.read_json(run / "config.json")
    for engine in ("scratch", "torch"):
        (state, history), (other_state, other_history) = read_part(run / engine), read_part(other / engine)
        assert set(state) == set(other_state)
        for name, array in state.items():
            np.testing.assert_array_equal(array, other_state[name], err_msg=f"{engine} {name}")
        assert {**history, "seconds": None} == {**other_history, "seconds": None}


def signalled(monkeypatch, engine, step):
    """Send a signal in one engine's loop, in the middle of a step."""
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
    assert_same(run, whole)


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
    said = refused(capsys, 1, ["train", "--resume", tmp_path])
    assert f"config.json does not exist; is {tmp_path} the folder of a run?" in said
    assert "config.json does not exist" in refused(capsys, 1, ["train", "--resume", tmp_path / "absent"])


def test_resume_refuses_a_part_of_another_run(capsys, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as context:
        signalled(context, "torch", 5)
        assert cli.main(["train", "moons", *SHORT, "--out", str(run)]) == 143
    config = files.read_json(run / "scratch" / "config.json")
    config["settings"]["lr"] = 0.25
    record.write_config(run / "scratch", config)
    assert cli.main(["train", "--resume", str(run)]) == 1
    assert "scratch was run with other settings: backprop train moons" in capsys.readouterr().err


def test_resuming_a_finished_run_draws_its_figures_again(capsys, tmp_path):
    run = tmp_path / "run"
    assert cli.main(["train", "moons", "--engine", "torch", *SHORT, "--out", str(run)]) == 0
    (run / "curves.png").unlink()
    (run / "checkpoint.safetensors").write_bytes(b"left by a kill after the end")
    before = contents(run)
    said = capsys.readouterr().out
    assert f"Written to {run}: " in said
    assert "the recipe must reach" not in said  # three epochs are not the recipe
    assert cli.main(["train", "--resume", str(run)]) == 0
    out, err = capsys.readouterr()
    assert "torch computed on cpu: where the run began" in out
    assert f"The run was finished; its figures in {run} were drawn again" in out
    assert "Written" not in out
    assert "0/" not in err  # no bar: nothing trains
    assert (run / "curves.png").exists()
    assert not (run / "checkpoint.safetensors").exists()
    assert {path: content for path, content in before.items() if path.suffix in (".json", ".safetensors")}.items() >= {
        path: content for path, content in contents(run).items() if path.suffix != ".png"
    }.items()
