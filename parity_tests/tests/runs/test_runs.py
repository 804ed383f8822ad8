"""A run's folder: written whole or not at all, never over another, and read without trusting it."""

import json
import os

import numpy as np
import pytest

from benchmarks.errors import Failure
from benchmarks.runs import folder as runs


def test_a_file_replaces_the_one_before(tmp_path):
    path = tmp_path / "a.json"
    runs.write_json(path, {"x": 1})
    runs.write_json(path, {"x": 2})
    assert runs.read_json(path) == {"x": 2}
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch, step, error):
    path = tmp_path / "a.bin"
    runs.write_bytes(path, b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(runs.os, step, fail)
    with pytest.raises(error):
        runs.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_json_is_strict_where_numbers_are_not_finite(tmp_path):
    path = tmp_path / "a.json"
    runs.write_json(path, {"loss": [1.0, float("nan"), float("inf")]})
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content == {"loss": [1.0, None, None]}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_damaged_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(Failure, match=r"config\.json is damaged"):
        runs.read_json(path)


def test_tensors_come_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {
        "weight": rng.normal(size=(3, 2, 5)).astype(np.float32),
        "running_var": rng.normal(size=4),
        "num_batches_tracked": np.array(7),
        "transposed": rng.normal(size=(3, 4)).T,
        "channels_last": rng.normal(size=(2, 4, 5, 3)).transpose(0, 3, 1, 2),
        "empty": np.zeros((0, 3), np.float32),
    }
    path = tmp_path / "model.safetensors"
    runs.write_tensors(path, tensors)
    read = runs.read_tensors(path)
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        np.testing.assert_array_equal(read[name], tensor)


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_truncated_tensors_are_refused_by_name(tmp_path, keep):
    path = tmp_path / "model.safetensors"
    runs.write_tensors(path, {"weight": np.ones((3, 3), np.float32)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Failure, match=r"model\.safetensors is damaged"):
        runs.read_tensors(path)


def test_a_pickle_is_not_read(tmp_path):
    import torch

    path = tmp_path / "model.safetensors"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(Failure, match="damaged"):
        runs.read_tensors(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(Failure, match=r"config\.json does not exist"):
        runs.load_config(tmp_path)
    with pytest.raises(Failure, match=r"model\.safetensors does not exist"):
        runs.load(tmp_path)


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(Failure, match="not empty"), runs.new_folder(tmp_path / "run"):
        pytest.fail("the run began")
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("existed", [False, True])
def test_a_run_that_does_not_end_is_taken_away(tmp_path, error, existed):
    run = tmp_path / "deep" / "run"
    if existed:
        run.mkdir(parents=True)

    def interrupted_run():
        with runs.new_folder(run):
            (run / "scratch").mkdir()
            runs.write_json(run / "scratch" / "history.json", {})
            raise error

    with pytest.raises(error):
        interrupted_run()
    assert run.exists() == existed
    assert not existed or not os.listdir(run)


def test_a_run_that_ends_stays(tmp_path):
    with runs.new_folder(tmp_path / "run") as run:
        runs.write_json(run / "config.json", {})
    assert os.listdir(run) == ["config.json"]


@pytest.mark.parametrize("below", ["file", "file/run", "file/deep/run"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot write to"), runs.new_folder(tmp_path / below):
        pytest.fail("the run began")
    assert (tmp_path / "file").is_file()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Failure, match="cannot write to"), runs.new_folder(tmp_path / "run"):
        pytest.fail("the run began")


def test_free_folder_counts_on(tmp_path):
    assert runs.free_folder(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert runs.free_folder(tmp_path / "run") == tmp_path / "run-3"


def test_a_run_is_read_as_it_was_written(tmp_path):
    state = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    history = {"step_loss": [2.0, float("nan")], "test_loss": [1.5], "test_accuracy": [0.5]}
    runs.save(tmp_path, runs.describe({"engine": "torch"}, "backprop train"), history, state)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "history.json", "model.safetensors"]
    config = runs.load_config(tmp_path)
    assert config["settings"] == {"engine": "torch"}
    assert config["versions"]["numpy"] == np.__version__
    read_state, read_history = runs.load(tmp_path)
    np.testing.assert_array_equal(read_state["weight"], state["weight"])
    np.testing.assert_equal(read_history, history)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "expected format 1, got 2"),
        ({"settings": None}, "damaged"),
        ({"settings": {"engine": "jax"}}, "damaged"),
    ],
)
def test_a_config_of_another_kind_is_refused(tmp_path, change, message):
    runs.write_json(tmp_path / "config.json", runs.describe({"engine": "torch"}, "backprop train") | change)
    with pytest.raises(Failure, match=message):
        runs.load_config(tmp_path)


@pytest.mark.parametrize(
    "history", [{}, {"test_loss": [], "test_accuracy": []}, {"test_loss": 3}, {"test_loss": ["x"]}]
)
def test_a_history_without_numbers_is_refused(tmp_path, history):
    runs.write_tensors(tmp_path / "model.safetensors", {})
    runs.write_json(tmp_path / "history.json", history)
    with pytest.raises(Failure, match=r"history\.json is damaged"):
        runs.load(tmp_path)
