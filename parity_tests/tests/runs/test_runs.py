"""A run's folder: written whole or not at all, never over another, and read without trusting it."""

import json
import os

import numpy as np
import pytest

from benchmarks import engines, files, tasks
from benchmarks.errors import Failure
from benchmarks.runs import folder, record, tensor_files
from benchmarks.runs.settings import Settings
from benchmarks.tasks import Data


def test_a_file_replaces_the_one_before(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    files.write_json(path, {"x": 2})
    assert files.read_json(path) == {"x": 2}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_new_file_replaces_nothing(tmp_path):
    path = tmp_path / "a.bin"
    files.write_new(path, b"one")
    with pytest.raises(Failure, match=r"a\.bin exists already"):
        files.write_new(path, b"two")
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("write", "step"),
    [
        (files.write_bytes, "fsync"),
        (files.write_bytes, "replace"),
        (files.write_new, "fsync"),
        (files.write_new, "link"),
    ],
)
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch, write, step, error):
    path = tmp_path / "a.bin"
    if write is files.write_bytes:
        path.write_bytes(b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(error):
        write(path, b"new")
    assert not path.exists() or path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == (["a.bin"] if write is files.write_bytes else [])


def test_an_error_of_the_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="absent") as error:
        files.write_bytes(tmp_path / "absent" / "a.bin", b"new")
    assert error.value.filename == str(tmp_path / "absent" / "a.bin")


def test_json_is_strict_where_numbers_are_not_finite(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"loss": [1.0, float("nan"), float("inf")]})
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content == {"loss": [1.0, None, None]}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe", b"null", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": ' * 200_000],
    ids=lambda content: content[:9],
)
def test_damaged_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(Failure, match=r"config\.json is damaged"):
        files.read_json(path)


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
    sha256 = tensor_files.write(path, tensors)
    read = tensor_files.read(path, sha256=sha256)[1]
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        np.testing.assert_array_equal(read[name], tensor)


def test_the_library_reads_the_same(tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "model.safetensors"
    tensor_files.write(path, {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3)}, {"who": "us"})
    theirs = load_file(path)
    metadata, ours = tensor_files.read(path)
    assert metadata == {"who": "us"}
    assert set(ours) == set(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_truncated_tensors_are_refused_by_name(tmp_path, keep):
    path = tmp_path / "model.safetensors"
    tensor_files.write(path, {"weight": np.ones((3, 3), np.float32)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Failure, match=r"model\.safetensors is damaged"):
        tensor_files.read(path)


def test_a_pickle_is_not_read(tmp_path):
    import torch

    path = tmp_path / "model.safetensors"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(Failure, match="damaged"):
        tensor_files.read(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(Failure, match=r"config\.json does not exist"):
        record.load_config(tmp_path)
    with pytest.raises(Failure, match=r"model\.safetensors does not exist"):
        tensor_files.read(tmp_path / record.MODEL)


# Folders.


@pytest.mark.parametrize(
    "name", ["notes.txt", ".notes.tmp", ".hidden", "config.json.tmp", ".notes.txt.0123456789abcdef.tmp"]
)
def test_a_folder_that_holds_something_is_refused(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")
    for begin in (lambda: folder.check_free(tmp_path / "run"), folder.new_folder(tmp_path / "run").__enter__):
        with pytest.raises(Failure, match="not empty"):
            begin()
    assert (tmp_path / "run" / name).read_text() == "mine"
    assert os.listdir(tmp_path / "run") == [name]


def test_what_a_kill_leaves_at_the_start_is_not_in_the_way(tmp_path):
    for name in (".config.json.0123456789abcdef.tmp", folder.lock.NAME):
        (tmp_path / name).write_text("1\n")
    folder.check_free(tmp_path)
    with folder.new_folder(tmp_path):
        record_like(tmp_path)
        folder.clean(tmp_path)
    assert os.listdir(tmp_path) == ["config.json"]


def record_like(run):
    files.write_json(run / "config.json", {})


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("users", [None, "notes.txt", "scratch/notes.txt"])
def test_a_run_that_does_not_end_takes_away_what_it_wrote(tmp_path, error, existed, users):
    run = tmp_path / "deep" / "run"
    if existed:
        run.mkdir(parents=True)

    def interrupted_run():
        with folder.new_folder(run):
            (run / "scratch").mkdir()
            files.write_json(run / "scratch" / "history.json", {})
            files.write_json(run / "config.json", {"unfinished": {}})
            if users:
                (run / users).write_text("mine")
            raise error

    with pytest.raises(error):
        interrupted_run()
    left = [path for path in (tmp_path / "deep").rglob("*") if path.is_file()] if (tmp_path / "deep").exists() else []
    assert left == ([run / users] if users else [])
    assert run.exists() == (existed or users is not None)
    assert (tmp_path / "deep").exists() == run.exists()


def test_a_file_that_took_the_place_of_the_runs_own_stays(tmp_path):
    def interrupted_run():
        with folder.new_folder(tmp_path / "run") as run:
            record_like(run)
            (run / "config.json").unlink()
            (run / "other").write_text("mine")
            (run / "other").rename(run / "config.json")
            raise RuntimeError

    with pytest.raises((RuntimeError, Failure)):
        interrupted_run()
    assert (tmp_path / "run" / "config.json").read_text() == "mine"


def test_a_run_that_ends_stays(tmp_path):
    with folder.new_folder(tmp_path / "run") as run:
        files.write_json(run / "config.json", {})
    assert os.listdir(run) == ["config.json"]


@pytest.mark.parametrize("below", ["file", "file/run", "file/deep/run"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")
    for begin in (lambda: folder.check_free(tmp_path / below), folder.new_folder(tmp_path / below).__enter__):
        with pytest.raises(Failure, match="cannot write to"):
            begin()
    assert (tmp_path / "file").is_file()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    for begin in (lambda: folder.check_free(tmp_path / "run"), folder.new_folder(tmp_path / "run").__enter__):
        with pytest.raises(Failure, match="cannot write to"):
            begin()


def test_a_default_folder_counts_on(tmp_path):
    (tmp_path / "run-2").mkdir()
    for name in ("run", "run-3", "run-4"):
        with folder.new_folder(tmp_path / "run", numbered=True) as run:
            record_like(run)
            assert run == tmp_path / name


# What is in them.


@pytest.fixture
def settings():
    return Settings.of_recipe(tasks.get("moons"), "torch", epochs=1, batch_size=2)


@pytest.fixture
def config(settings):
    x, y = np.zeros((3, 2)), np.array([0, 1, 0])
    return record.describe(settings, record.fingerprint(Data(x, y, x, y, ("a", "b"))), [engines.get("torch")])


HISTORY = {
    "step_loss": [2.0, float("nan")],
    "step_correct": [1.0, 0.0],
    **{"train_loss": [1.5], "train_accuracy": [0.5], "test_loss": [1.5], "test_accuracy": [0.5], "seconds": [0.1]},
}


def test_a_run_is_read_as_it_was_written(tmp_path, config):
    state = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    record.save(tmp_path, config, HISTORY, state)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "history.json", "model.safetensors"]
    read = record.load_config(tmp_path)
    assert read["settings"]["engine"] == "torch"
    assert read["versions"]["numpy"] == np.__version__
    np.testing.assert_array_equal(record.load_weights(tmp_path, state)["weight"], state["weight"])
    np.testing.assert_equal(record.load_history(tmp_path), HISTORY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "expected format 2, got 3"),
        ({"settings": None}, "expected settings to be an object, got null"),
        ({"settings": {"engine": "jax"}}, "expected task to be one of moons, .*, got nothing"),
    ],
)
def test_a_config_of_another_kind_is_refused(tmp_path, config, change, message):
    record.write_config(tmp_path, config | {"unfinished": {"data_dir": None, "checkpoint_every": None}} | change)
    with pytest.raises(Failure, match=message):
        record.load_config(tmp_path, unfinished=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_loss": None}, "expected test_loss to be a list of 1 entries, got nothing"),
        ({"test_loss": []}, "expected test_loss to be a list of 1 entries, got 0"),
        ({"test_accuracy": [float("nan")]}, r"expected test_accuracy\[0\] to be a finite number from 0 to 1, got null"),
        ({"step_correct": [0.5, 1]}, r"expected step_correct\[0\] to be a whole number from 0 to 2, got 0.5"),
        ({"test_loss": 3}, "expected test_loss to be a list of 1 entries, got 3"),
        ({"test_loss": ["x"]}, r'expected test_loss\[0\] to be a number, or null, got "x"'),
        ({"more": [1]}, "expected more to be absent"),
    ],
)
def test_a_history_of_another_kind_is_refused(tmp_path, config, change, message):
    history = {name: values for name, values in {**HISTORY, **change}.items() if values is not None}
    record.save(tmp_path, config, history, {})
    with pytest.raises(Failure, match=rf"history\.json is damaged: {message}"):
        record.load_history(tmp_path)
