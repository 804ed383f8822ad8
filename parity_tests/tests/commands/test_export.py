"""A run as ONNX: the same outputs in onnxruntime as in both engines, in one file that is whole or absent."""

import os
import sys

import numpy as np
import pytest

from benchmarks import cli, engines, tasks
from benchmarks.commands.export import compare
from benchmarks.errors import Failure
from benchmarks.runs import onnx_model, record
from parity_tests.tests.commands.test_cli import read_part, refused
from parity_tests.tests.commands.test_tasks import write_small_mnist

needs_onnx = pytest.mark.skipif(
    any(onnx_model.importlib.util.find_spec(name) is None for name in onnx_model.PACKAGES),
    reason="needs the onnx extra: pip install '.[onnx]'",
)


@pytest.fixture(scope="module")
def moons(tmp_path_factory):
    """Train both engines on the moons, and return the folder."""
    run = tmp_path_factory.mktemp("moons") / "run"
    command = ["train", "moons", "--device", "cpu", "--epochs", "1", "--batch-size", "500", "--out", str(run)]
    assert cli.main(command) == 0
    return run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Train both engines on a few images, and return the folders of the run and of the data."""
    folder = tmp_path_factory.mktemp("images")
    write_small_mnist(folder)
    command = ["train", "mnist", "--device", "cpu", "--epochs", "1", "--batch-size", "16"]
    command += ["--data-dir", folder, "--out", folder / "run"]
    assert cli.main([str(word) for word in command]) == 0
    return folder / "run", folder


@needs_onnx
def test_each_engines_weights_and_a_table(capsys, moons):
    capsys.readouterr()
    assert cli.main(["export", str(moons), "--onnx"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    rows = [line.split() for line in said.out.splitlines() if line.startswith((" scratch", " torch"))]
    assert [row[:2] for row in rows] == [[one, other] for one in engines.NAMES for other in engines.NAMES]
    for row in rows:
        assert float(row[2]) < 1e-5
        assert row[3] == row[4]
    for engine in engines.NAMES:
        assert sorted(os.listdir(moons / engine)) == ["config.json", "history.json", "model.onnx", "model.safetensors"]
    assert "exists already" in refused(capsys, 1, ["export", moons, "--onnx"])


@needs_onnx
def test_a_convolution_and_any_number_of_rows(capsys, images, tmp_path):
    run, data = images
    path = tmp_path / "small.onnx"
    words = ["export", run / "torch", "--onnx", "--data-dir", data, "--out", path]
    assert cli.main([str(word) for word in words]) == 0
    assert os.listdir(tmp_path) == ["small.onnx"]
    content = path.read_bytes()
    assert len(content) > 4 * 421642  # the weights are inside
    assert str(os.getcwd()).encode() not in content
    engine = engines.get("scratch")
    model = tasks.get("mnist").build(engine, 0.2)
    engine.load_state(model, read_part(run / "torch")[0])
    for rows in (1, 2, 5):
        x = np.random.default_rng(rows).random((rows, 1, 28, 28), np.float32)
        np.testing.assert_allclose(onnx_model.predict(content, x, 3), engine.predict(model, x), atol=1e-5)


@needs_onnx
def test_float64(capsys, tmp_path):
    run = tmp_path / "run"
    command = ["train", "moons", "--engine", "scratch", "--dtype", "float64", "--epochs", "1", "--out", str(run)]
    assert cli.main(command) == 0
    capsys.readouterr()
    assert cli.main(["export", str(run), "--onnx"]) == 0
    row = next(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(" scratch"))
    assert float(row[2]) < 1e-12


@needs_onnx
def test_what_onnxruntime_cannot_run_is_not_written(capsys, images, tmp_path):
    data = images[1]
    words = ["train", "mnist", "--engine", "scratch", "--dtype", "float64", "--epochs", "1", "--batch-size", "16"]
    words += ["--data-dir", data, "--out", tmp_path / "run"]
    assert cli.main([str(word) for word in words]) == 0
    capsys.readouterr()
    said = refused(capsys, 1, ["export", tmp_path / "run", "--onnx", "--data-dir", data])
    assert "onnxruntime cannot run the float64 model" in said
    assert not list(tmp_path.rglob("*.onnx"))


@needs_onnx
def test_a_model_that_differs_is_not_written(capsys, moons, tmp_path, monkeypatch):
    predict = onnx_model.predict
    monkeypatch.setattr(onnx_model, "predict", lambda content, x: predict(content, x) + np.float32(0.01))
    said = refused(capsys, 1, ["export", moons / "torch", "--onnx", "--out", tmp_path / "model.onnx"])
    assert "model.onnx is not written: onnxruntime and scratch differ by 1.0e-02" in said
    assert os.listdir(tmp_path) == []


def test_the_allowed_difference():
    ones = np.ones((2, 3), np.float32)
    assert compare(ones, ones, "") == 0
    assert compare(ones * np.nan, ones * np.nan, "") == 0
    assert compare(ones * 1000, ones * 1000 + np.float32(0.1), "") < 0.11
    for wrong in (ones + np.float32(1e-3), ones * np.nan, ones * np.inf):
        with pytest.raises(Failure, match="they differ by"):
            compare(wrong, ones, "they")


@pytest.mark.parametrize("missing", onnx_model.PACKAGES)
def test_a_missing_package_is_named(capsys, moons, tmp_path, monkeypatch, missing):
    find_spec = onnx_model.importlib.util.find_spec
    monkeypatch.setattr(
        onnx_model.importlib.util, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    said = refused(capsys, 1, ["export", moons / "torch", "--onnx", "--out", tmp_path / "model.onnx"])
    assert "needs the onnx extra (" in said
    assert missing in said
    assert os.listdir(tmp_path) == []


def test_the_commands_module_is_light():
    import subprocess

    watch = "import sys, benchmarks.commands.export; print({'torch', 'onnx', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["RUN"], 2, "--onnx"),
        (["--onnx"], 2, "RUN"),
        (["RUN", "--onnx", "--out", "OUT/model.onnx"], 2, "--out names one file"),
        (["RUN/torch", "--onnx", "--out", "OUT"], 1, "exists already"),
        (["RUN/torch", "--onnx", "--out", "OUT/absent/model.onnx"], 1, "there is no folder"),
        (["OUT", "--onnx"], 1, "config.json does not exist"),
    ],
)
def test_bad_input(capsys, moons, tmp_path, words, status, message):
    words = [word.replace("RUN", str(moons)).replace("OUT", str(tmp_path)) for word in words]
    assert message in refused(capsys, status, ["export", *words])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01."])
def test_damaged_weights(capsys, moons, tmp_path, content):
    run = tmp_path / "run"
    run.mkdir()
    for path in (moons / "torch").glob("*.*"):
        (run / path.name).write_bytes(path.read_bytes())
    (run / "model.safetensors").write_bytes(content)
    assert "model.safetensors is damaged" in refused(capsys, 1, ["export", run, "--onnx", "--out", tmp_path / "o.onnx"])
    assert os.listdir(tmp_path) == ["run"]


def test_an_unfinished_run(capsys, moons, tmp_path):
    config = record.load_config(moons / "torch")
    del config["files"]
    record.write_config(tmp_path, {**config, "unfinished": {"data_dir": None, "checkpoint_every": None}})
    assert "is not a finished run; go on with" in refused(capsys, 1, ["export", tmp_path, "--onnx"])
