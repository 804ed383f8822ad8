"""The tasks' data: what they hold, and what happens where a file is missing or damaged."""

import os
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from benchmarks import engines, tasks
from benchmarks.errors import Failure, UsageError
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import train
from benchmarks.tasks import idx

DATA = Path(os.environ.get("BACKPROP_DATA") or "data")


def write_idx(path, array):
    """Write an array of bytes as an IDX file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_small_mnist(data_dir, rows=40):
    """Write a set in MNIST's layout, of random images; return its folder."""
    rng = np.random.default_rng(0)
    folder = data_dir / "MNIST" / "raw"
    for name in idx.FILES:
        shape = (rows, 28, 28) if "images" in name else (rows,)
        values = rng.integers(0, 256, shape) if "images" in name else np.arange(rows) % 10
        write_idx(folder / name, values)
    return folder


@pytest.fixture
def offline(monkeypatch):
    """Make every download fail as it does without a network."""
    from torchvision.datasets import mnist

    def fail(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(mnist, "download_and_extract_archive", fail)


def test_unknown_task():
    with pytest.raises(UsageError, match="unknown task 'cifar'; choose from moons"):
        tasks.get("cifar")


@pytest.mark.parametrize("name", tasks.NAMES)
def test_every_task_knows_its_name(name):
    assert tasks.get(name).name == name


@pytest.mark.parametrize(
    ("name", "train_shape", "test_shape"),
    [("moons", (1500, 2), (500, 2)), ("digits", (1437, 1, 28, 28), (360, 1, 28, 28))],
)
def test_bundled_data(name, train_shape, test_shape):
    task = tasks.get(name)
    data, again = task.load(Path("absent")), task.load(Path("absent"))
    assert data.x_train.shape == train_shape
    assert data.x_test.shape == test_shape
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    shares = [np.bincount(y) / len(y) for y in (data.y_train, data.y_test)]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.005)
    np.testing.assert_array_equal(data.x_train, again.x_train)
    np.testing.assert_array_equal(data.y_test, again.y_test)


def test_digits_are_blocks_in_a_border():
    from sklearn.datasets import load_digits

    data = tasks.get("digits").load(Path("absent"))
    assert data.x_train.dtype == np.float32
    assert (data.x_train.min(), data.x_train.max()) == (0.0, 1.0)
    images = np.concatenate([data.x_train, data.x_test])[:, 0]
    inside = images[:, 2:26, 2:26]
    assert inside.sum() == images.sum()
    small = inside[:, 1::3, 1::3] * 16
    np.testing.assert_array_equal(np.sort(small.sum(axis=(1, 2))), np.sort(load_digits().images.sum(axis=(1, 2))))


def test_idx_file_to_pixels(tmp_path):
    folder = write_small_mnist(tmp_path)
    data = tasks.get("mnist").load(tmp_path)
    raw = np.frombuffer((folder / idx.FILES[0]).read_bytes()[16:], np.uint8).reshape(40, 1, 28, 28)
    assert data.x_train.dtype == np.float32
    np.testing.assert_array_equal(data.x_train, (raw / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(data.y_test, np.arange(40) % 10)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_torchvision_reads_the_same(name):
    from torchvision import datasets

    dataset = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name]
    if not (DATA / dataset / "raw" / idx.FILES[0]).is_file():
        pytest.skip(f"no {dataset} in {DATA}; set BACKPROP_DATA to the folder that holds it")
    data = tasks.get(name).load(DATA)
    for train_part, x, y in ((True, data.x_train, data.y_train), (False, data.x_test, data.y_test)):
        theirs = getattr(datasets, dataset)(str(DATA), train=train_part, download=False)
        assert len(x) == (60000 if train_part else 10000)
        np.testing.assert_array_equal(x[:, 0], (theirs.data.numpy() / np.float32(255)).astype(np.float32))
        np.testing.assert_array_equal(y, theirs.targets.numpy())


def test_archives_brought_by_hand_are_unpacked(tmp_path, monkeypatch):
    archives = list((DATA / "MNIST" / "raw").glob("*.gz"))
    if len(archives) < 4:
        pytest.skip(f"no archives of MNIST in {DATA}; set BACKPROP_DATA to the folder that holds them")
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for archive in archives:
        shutil.copy(archive, folder)
    assert tasks.get("mnist").load(tmp_path).x_train.shape == (60000, 1, 28, 28)
    assert os.listdir(tmp_path) == ["MNIST"]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_missing_data_say_where_to_put_them(tmp_path, offline, name):
    with pytest.raises(Failure, match=r"missing train-images-idx3-ubyte.*raw.*--data-dir.*`backprop train digits`"):
        tasks.get(name).load(tmp_path)
    assert not list(tmp_path.rglob("*ubyte*"))


def test_one_missing_file_is_the_one_named(tmp_path, offline):
    folder = write_small_mnist(tmp_path)
    (folder / idx.FILES[3]).unlink()
    with pytest.raises(Failure, match="missing t10k-labels-idx1-ubyte in"):
        tasks.get("mnist").load(tmp_path)
    assert sorted(os.listdir(folder)) == sorted(idx.FILES[:3])


def test_missing_data_in_a_folder_that_cannot_be_written(tmp_path, offline):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="missing train-images"):
        tasks.get("mnist").load(tmp_path / "file")


@pytest.mark.parametrize("keep", [0, 2, 3, 4, 15, 16, 1000, -1])
@pytest.mark.parametrize("file", idx.FILES)
def test_truncated_files_are_refused_by_name(tmp_path, file, keep):
    path = write_small_mnist(tmp_path) / file
    path.write_bytes(path.read_bytes()[:keep])
    if keep == 1000 and "labels" in file:
        assert tasks.get("mnist").load(tmp_path)
        return
    with pytest.raises(Failure, match=f"{file} is damaged.*delete it"):
        tasks.get("mnist").load(tmp_path)


@pytest.mark.parametrize("header", [b"\x1f\x8b\x08\x00", b"\0\0\x0d\x03", b"\0\0\x08\0", b"\0\0\x08\xff", b"<htm"])
def test_files_of_another_format_are_refused(tmp_path, header):
    path = write_small_mnist(tmp_path) / idx.FILES[0]
    path.write_bytes(header + path.read_bytes()[4:])
    with pytest.raises(Failure, match="damaged"):
        tasks.get("mnist").load(tmp_path)


def test_files_too_long_are_refused(tmp_path):
    path = write_small_mnist(tmp_path) / idx.FILES[0]
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Failure, match="announces 31360 values, 31361 follow"):
        tasks.get("mnist").load(tmp_path)


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        (idx.FILES[1], np.full(40, 10), "training set: expected targets from 0 to 9, got 10 to 10"),
        (idx.FILES[3], np.arange(40), "test set: expected targets from 0 to 9, got 0 to 39"),
        (idx.FILES[1], np.zeros(39), "training set: expected as many targets as inputs, got 39 for 40"),
        (idx.FILES[0], np.zeros((40, 20, 20)), "expected images of 28 x 28 pixels"),
        (idx.FILES[0], np.zeros(40), "expected images of 28 x 28 pixels"),
        (idx.FILES[1], np.zeros((40, 1)), "training set"),
        (idx.FILES[2], np.zeros((0, 28, 28)), "test set"),
    ],
)
def test_files_that_do_not_belong_are_refused(tmp_path, file, array, message):
    write_idx(write_small_mnist(tmp_path) / file, array)
    with pytest.raises(Failure, match=message):
        tasks.get("mnist").load(tmp_path)


@pytest.mark.parametrize("engine", engines.EVERY)
def test_moons_reaches_its_accuracy(engine):
    task = tasks.get("moons")
    data = task.load(Path("absent"))
    reached = []
    for seed in range(3):
        settings = Settings.of_recipe(task, engine, seed=seed)
        reached.append(train(settings, engines.get(engine), data).history["test_accuracy"][-1])
    assert np.mean(reached) >= task.accuracy


@pytest.mark.parametrize("dtype", engines.DTYPES)
@pytest.mark.parametrize("name", ["moons", "digits"])
def test_weights_mean_the_same_in_the_other_engine(name, dtype):
    task = tasks.get(name)
    x = task.load(Path("absent")).x_test[:20]
    one, other = engines.get("scratch", dtype), engines.get("torch", dtype)
    models = [engine.place(task.build(engine, 0.2)) for engine in (one, other)]
    state = other.state(models[1])
    one.load_state(models[0], state)
    outputs = [engine.predict(model, x) for engine, model in zip((one, other), models, strict=True)]
    assert outputs[0].dtype == outputs[1].dtype == dtype
    np.testing.assert_allclose(*outputs, rtol=0, atol=1e-5 if dtype == "float32" else 1e-14)
    for key, array in one.state(models[0]).items():
        np.testing.assert_array_equal(array, state[key])
        assert array.shape == state[key].shape


def test_the_plain_engine_runs_no_kernel(monkeypatch):
    """Forward, backward, optimizer, evaluation: from one seed it takes the steps of the kernels, up to rounding."""
    from scratch import dispatch

    data = tasks.get("moons").load(Path("absent"))
    settings = Settings.of_recipe(tasks.get("moons"), "plain", epochs=1, dtype="float64")
    fast = train(replace(settings, engine="scratch"), engines.get("scratch", "float64"), data)

    def forbid(functions):
        pytest.fail("it asked for kernels")

    monkeypatch.setattr(dispatch, "kernels_of", forbid)
    monkeypatch.setattr(dispatch, "kernel_of", forbid)
    plain = train(settings, engines.get("plain", "float64"), data)
    np.testing.assert_allclose(plain.history["step_loss"], fast.history["step_loss"], rtol=1e-12)


def test_making_an_engine_changes_no_other(monkeypatch):
    from scratch.random import draws

    monkeypatch.setattr(draws, "set_conventions", lambda conventions: pytest.fail("changed"))
    before = draws._conventions
    for name in engines.EVERY:
        engines.get(name)
    assert draws._conventions is before
