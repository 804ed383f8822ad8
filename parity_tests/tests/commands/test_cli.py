"""The ``backprop`` command: what it writes, and how it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cli, engines
from benchmarks.runs import record, tensor_files
from benchmarks.tasks import idx
from parity_tests.tests.commands.test_tasks import offline, write_small_mnist

__all__ = ["offline"]

QUICK = ["--epochs", "1", "--batch-size", "500", "--device", "cpu"]


def refused(capsys, status, argv):
    """Run a command line that must fail with ``status``; return the one line that it prints."""
    assert cli.main([str(word) for word in argv]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


def read_part(part):
    """Return the weights and the history that a run's folder holds."""
    return tensor_files.read(part / record.MODEL)[1], record.load_history(part)


def backprop(*words, **options):
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(command, **options)


def test_help_is_quick_and_light():
    watch = (
        "import sys, time; began = time.perf_counter(); from benchmarks.cli import main; status = main(['--help']);"
        "heavy = {'numpy', 'torch', 'torchvision', 'sklearn', 'matplotlib', 'rich'} & set(sys.modules);"
        "print(status, sorted(heavy), time.perf_counter() - began, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    for command in cli.COMMANDS:
        assert command in done.stdout
    assert done.stderr.startswith("0 [] ")
    assert float(done.stderr.split()[-1]) < 0.5


def test_a_check_against_finite_differences_does_not_wait_for_pytorch(tmp_path):
    (tmp_path / "double.py").write_text("def forward(x):\n    return 2 * x\n\n\ndef backward(g):\n    return 2 * g\n")
    watch = (
        "import sys; from benchmarks.cli import main;"
        "status = main(['check', 'double.py:forward,backward', '--input', '3']);"
        "print(status, 'torch' in sys.modules); import parity_tests.catalogue; print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", watch], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("0 False\nFalse\n")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_examples(capsys, command):
    assert cli.main([command, "--help"]) == 0
    assert "example" in capsys.readouterr().out


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("backprop ")


@pytest.mark.parametrize("engine", engines.NAMES)
def test_the_bar_ends_with_the_accuracy_after_the_last_epoch(capsys, tmp_path, engine):
    words = ["train", "moons", "--engine", engine, "--out", str(tmp_path / "run"), *QUICK, "--epochs", "3"]
    assert cli.main(words) == 0
    accuracies = record.load_history(tmp_path / "run")["test_accuracy"]
    assert len(set(accuracies)) == 3
    assert f"test accuracy {accuracies[-1]:.4f}" in capsys.readouterr().err


@pytest.mark.parametrize("engine", engines.EVERY)
def test_train_writes_a_run(capsys, tmp_path, engine):
    out = tmp_path / "run"
    assert cli.main(["train", "moons", "--engine", engine, "--out", str(out), "--seed", "3", *QUICK]) == 0
    assert {path.name for path in out.iterdir()} == {
        "config.json",
        "history.json",
        "model.safetensors",
        "curves.png",
        "boundary.png",
    }
    config = record.load_config(out)
    assert config["settings"] == {
        "task": "moons",
        "engine": engine,
        "epochs": 1,
        "batch_size": 500,
        "lr": 3e-3,
        "weight_decay": 1e-4,
        "dropout": 0.1,
        "seed": 3,
        "dtype": "float32",
        "device": "cpu",
        "processes": 1,
    }
    state, history = read_part(out)
    assert state["net.0.weight"].shape == (64, 2)
    assert [len(history[name]) for name in ("step_loss", "train_loss", "test_accuracy")] == [3, 1, 1]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "epoch" in capsys.readouterr().out


def test_the_recorded_command_repeats_the_run(capsys, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert cli.main(["train", "moons", "--engine", "both", "--dtype", "float64", "--out", str(first), *QUICK]) == 0
    command = record.load_config(first / "torch")["command"].split()
    assert command[0] == "backprop"
    assert cli.main([*command[1:], "--out", str(second)]) == 0
    (state, history), (state_again, history_again) = read_part(first / "torch"), read_part(second)
    assert history["step_loss"] == history_again["step_loss"]
    assert all((state[key] == state_again[key]).all() for key in state)


def test_both_engines_and_evaluate(capsys, tmp_path):
    out = tmp_path / "run"
    assert cli.main(["train", "moons", "--engine", "both", "--out", str(out), *QUICK]) == 0
    assert "difference" in capsys.readouterr().out
    pictures = {"curves.png", "boundary.png", "drift.png"}
    assert {path.name for path in out.iterdir()} == {"config.json", "scratch", "torch", *pictures}
    for engine in ("scratch", "torch"):
        assert cli.main(["evaluate", str(out), "--engine", engine]) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines() if f" {engine} " in line]
        assert [row[:2] for row in rows] == [["scratch", engine], ["torch", engine]]
        assert all(float(row[-1]) < 1e-5 for row in rows)
        assert cli.main(["evaluate", str(out / "scratch"), "--engine", engine]) == 0


def test_images_have_their_figures(capsys, tmp_path):
    write_small_mnist(tmp_path)
    out = tmp_path / "run"
    command = ["train", "mnist", "--device", "cpu", "--epochs", "2", "--batch-size", "16"]
    command += ["--data-dir", tmp_path, "--out", out]
    assert cli.main([str(word) for word in command]) == 0
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {"curves", "feature_maps", "filters", "confusion", "drift"}
    assert cli.main(["evaluate", str(out), "--engine", "scratch", "--data-dir", str(tmp_path)]) == 0


def test_a_run_that_diverges_is_told_as_it_was(capsys, tmp_path):
    out = tmp_path / "run"
    assert cli.main(["train", "moons", "--device", "cpu", "--lr", "1e30", "--epochs", "2", "--out", str(out)]) == 0
    assert "nan" in capsys.readouterr().out
    assert json.loads((out / "torch" / "history.json").read_text(), parse_constant=pytest.fail)["test_loss"][-1] is None
    assert cli.main(["evaluate", str(out), "--engine", "torch"]) == 0


def test_default_folder_never_collides(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli.main(["train", "moons", "--engine", "torch", *QUICK]) == 0
    assert sorted(os.listdir("runs")) == ["moons-torch", "moons-torch-2"]


# Bad input.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "choose a command"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "TASK"),
        (["train", "cifar"], "invalid choice: 'cifar'"),
        (["train", "moons", "--engine", "jax"], "invalid choice: 'jax'"),
        (["train", "moons", "--batch-size", "0"], "--batch-size: expected 1 or more, got 0"),
        (["train", "moons", "--batch-size", "-3"], "--batch-size: expected 1 or more"),
        (["train", "moons", "--batch-size", "2.5"], "--batch-size: expected an integer"),
        (["train", "moons", "--batch-size", "1501"], "--batch-size: expected at most the 1500 training rows"),
        (["train", "moons", "--batch-size", "1"], "batch norm needs 2"),
        (["train", "moons", "--batch-size", "1499"], "leaves a batch of 1"),
        (["train", "moons", "--epochs", "0"], "--epochs: expected 1 or more"),
        (["train", "moons", "--lr", "-0.1"], "--lr: expected a finite number of 0 or more"),
        (["train", "moons", "--lr", "nan"], "--lr: expected a finite number"),
        (["train", "moons", "--lr", "fast"], "--lr: expected a number"),
        (["train", "moons", "--weight-decay", "-1"], "--weight-decay"),
        (["train", "moons", "--dropout", "1.5"], "--dropout: expected 0 to 1"),
        (["train", "moons", "--seed", "-1"], "--seed: expected 0 to"),
        (["train", "moons", "--seed", "18446744073709551616"], "--seed"),
        (["train", "moons", "--seed", "x"], "--seed: expected an integer"),
        (["train", "moons", "--dtype", "float16"], "float16"),
        (["train", "moons", "--device", "abacus"], "--device: expected auto, cpu, cuda, cuda:N or mps"),
        (["train", "moons", "--engine", "scratch", "--device", "cuda"], "scratch engine computes on the CPU"),
        (["train", "moons", "--engine", "torch", "--device", "mps", "--dtype", "float64"], "float32"),
        (["train", "moons", "--epoch", "3"], "unrecognized arguments"),
        (["evaluate", "somewhere"], "--engine"),
    ],
)
def test_usage_errors_exit_2_in_one_line(capsys, tmp_path, words, message):
    out = ["--out", tmp_path / "run"] if words[:1] == ["train"] else []
    assert message in refused(capsys, 2, [*words, *out])
    assert not (tmp_path / "run").exists()


def test_no_cuda(capsys, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    for engine in ("torch", "both"):
        words = ["train", "moons", "--engine", engine, "--device", "cuda", "--out", tmp_path / "run"]
        assert "no CUDA devices" in refused(capsys, 1, words)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(capsys, 1, ["train", "moons", "--out", tmp_path / "file" / "run"])
    assert said.startswith("backprop train: cannot write to ")


def test_a_run_is_never_overwritten(capsys, tmp_path):
    (tmp_path / "config.json").write_text("precious")
    assert "never overwritten" in refused(capsys, 1, ["train", "moons", "--out", tmp_path])
    assert (tmp_path / "config.json").read_text() == "precious"


def test_missing_data(capsys, tmp_path, offline):
    words = ["train", "mnist", "--data-dir", tmp_path / "data", "--out", tmp_path / "run"]
    said = refused(capsys, 1, words)
    assert "missing train-images-idx3-ubyte" in said
    assert "`backprop train digits` needs no data files" in said
    assert not (tmp_path / "run").exists()


def test_the_environment_names_the_data(capsys, tmp_path, offline, monkeypatch):
    monkeypatch.setenv("BACKPROP_DATA", str(tmp_path / "elsewhere"))
    assert str(tmp_path / "elsewhere") in refused(capsys, 1, ["train", "mnist", "--out", tmp_path / "run"])


def test_damaged_data(capsys, tmp_path):
    path = write_small_mnist(tmp_path) / idx.FILES[0]
    path.write_bytes(path.read_bytes()[:100])
    words = ["train", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "run"]
    assert "train-images-idx3-ubyte is damaged" in refused(capsys, 1, words)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Train once, with the torch engine, and return the folder."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert cli.main(["train", "moons", "--engine", "torch", "--out", str(out), *QUICK]) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """Copy the finished run, to be damaged."""
    copy = tmp_path / "run"
    copy.mkdir()
    for path in finished.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


@pytest.mark.parametrize("file", ["config.json", "history.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"\x80\x04K\x01."])
def test_evaluate_refuses_a_damaged_run(capsys, run, file, content):
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    assert file in refused(capsys, 1, ["evaluate", run, "--engine", "torch"])


def test_evaluate_refuses_what_is_no_run(capsys, tmp_path):
    assert "does not exist" in refused(capsys, 1, ["evaluate", tmp_path / "absent", "--engine", "torch"])


@pytest.mark.parametrize("engine", ["scratch", "torch"])
def test_evaluate_refuses_weights_of_another_network(capsys, run, engine):
    state = tensor_files.read(run / "model.safetensors")[1]
    tensor_files.write(run / "model.safetensors", {**state, "net.0.weight": state["net.0.weight"][:5]})
    said = refused(capsys, 1, ["evaluate", run, "--engine", engine])
    assert "does not fit the network of moons" in said
    assert "net.0.weight" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": None}, "expected lr to be a finite number of 0 or more, got nothing"),
        ({"colour": "red"}, 'expected colour to be absent, got "red"'),
    ],
)
def test_evaluate_refuses_settings_of_another_kind(capsys, run, change, words):
    config = record.load_config(run)
    settings = {key: value for key, value in {**config["settings"], **change}.items() if value is not None}
    record.write_config(run, {**config, "settings": settings})
    assert f"config.json is damaged: {words}" in refused(capsys, 1, ["evaluate", run, "--engine", "torch"])


def test_figures_that_fail_do_not_lose_the_run(capsys, tmp_path, monkeypatch):
    def fail(*args):
        raise MemoryError("no room for a picture")

    monkeypatch.setattr("benchmarks.figures.draw", fail)
    words = ["train", "moons", "--engine", "scratch", "--out", tmp_path / "run", *QUICK]
    assert cli.main([str(word) for word in words]) == 1
    assert cli.main(["evaluate", str(tmp_path / "run"), "--engine", "scratch"]) == 0


def test_an_unforeseen_error_is_one_line_too(capsys, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("benchmarks.commands.train.train_or_load", fail)
    words = ["train", "moons", "--out", tmp_path / "run"]
    assert cli.main([str(word) for word in words]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "backprop train: ZeroDivisionError: by zero"
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("BACKPROP_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main([str(word) for word in words])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_printed_does_not_lose_the_run(tmp_path):
    words = ["train", "moons", "--engine", "scratch", "--out", str(tmp_path / "run"), *QUICK]
    with open("/dev/full", "w") as full:
        done = backprop(*words, stdout=full)
        _, said = done.communicate(timeout=120)
    assert done.returncode != 0
    assert "Traceback" not in said
    assert (tmp_path / "run" / "config.json").exists()
