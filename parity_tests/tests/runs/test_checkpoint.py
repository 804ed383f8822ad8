"""A checkpoint file: all of the state comes back, bit for bit, and anything else is refused by name."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import engines, tasks
from benchmarks.errors import Failure, Interrupted
from benchmarks.runs import checkpoint, tensor_files
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import train
from benchmarks.tasks import Data
from torch_ref.scale import devices

ROWS, BATCH, STEPS = 70, 16, 5  # the last batch of an epoch has 6 rows
WHOLE = {}  # by settings: what training gives that nothing interrupts


@pytest.fixture(scope="session")
def digits():
    """Return a few of the digits."""
    data = tasks.get("digits").load(None)
    return Data(data.x_train[:ROWS], data.y_train[:ROWS], data.x_test[:30], data.y_test[:30], data.classes)


def settings_of(engine, **changes):
    return Settings.of_recipe(tasks.get("digits"), engine, **{"epochs": 2, "batch_size": BATCH, **changes})


def interrupted(path, settings, data, stop):
    """Train until a signal arrives in step ``stop``; the checkpoint is at ``path``."""
    interrupts = Interrupts()

    def on_step(progress):
        if len(progress.history.step_loss) == stop:
            interrupts.received = 2

    keeper = Keeper(path, settings, None, interrupts)
    with pytest.raises(Interrupted):
        train(settings, engines.get(settings.engine, settings.dtype, settings.device), data, on_step, keeper)


def uninterrupted(settings, data):
    if settings not in WHOLE:
        WHOLE[settings] = train(settings, engines.get(settings.engine, settings.dtype, settings.device), data)
    return WHOLE[settings]


def resumed(path, settings, data):
    keeper = Keeper(path, settings, None, Interrupts())
    return train(settings, engines.get(settings.engine, settings.dtype, settings.device), data, None, keeper)


def assert_same(one, other):
    """Assert that two trainings are equal to the last bit, seconds aside."""
    states = [trained.engine.state(trained.model) for trained in (one, other)]
    assert set(states[0]) == set(states[1])
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=name)
    for name, values in one.history.items():
        if name != "seconds":
            np.testing.assert_array_equal(values, other.history[name], err_msg=name)
    assert len(one.history["seconds"]) == len(other.history["seconds"])


@pytest.mark.parametrize("engine", engines.EVERY)
@pytest.mark.parametrize("dtype", engines.DTYPES)
@pytest.mark.parametrize("stop", [3, STEPS, STEPS + 1, 2 * STEPS])
def test_an_interrupted_run_goes_on_as_if_it_had_not_stopped(tmp_path, digits, engine, dtype, stop):
    settings = settings_of(engine, dtype=dtype)
    path = tmp_path / "checkpoint.safetensors"
    interrupted(path, settings, digits, stop)
    engines.get(engine, dtype).manual_seed(99)
    assert_same(resumed(path, settings, digits), uninterrupted(settings, digits))


@pytest.mark.parametrize("engine", engines.EVERY)
def test_a_signal_during_an_evaluation_is_not_lost(tmp_path, digits, engine, monkeypatch):
    settings = settings_of(engine)
    path = tmp_path / "checkpoint.safetensors"
    loop = engines.get(engine).train
    evaluate, interrupts = loop.evaluate, Interrupts()

    def signalled(*args):
        interrupts.received = 15
        return evaluate(*args)

    monkeypatch.setattr(loop, "evaluate", signalled)
    with pytest.raises(Interrupted):
        train(settings, engines.get(engine), digits, None, Keeper(path, settings, None, interrupts))
    monkeypatch.undo()
    rest, tensors = checkpoint.read(path)
    assert rest["progress"]["epoch"] == 1
    assert rest["progress"]["step"] == 0
    assert "progress/order" not in tensors
    assert_same(resumed(path, settings, digits), uninterrupted(settings, digits))


@pytest.mark.parametrize("engine", engines.EVERY)
def test_losses_that_are_not_finite_come_back(tmp_path, digits, engine):
    settings = settings_of(engine, lr=1e30)
    path = tmp_path / "checkpoint.safetensors"
    interrupted(path, settings, digits, STEPS + 2)
    whole = uninterrupted(settings, digits)
    assert not np.isfinite(whole.history["step_loss"]).all()
    assert_same(resumed(path, settings, digits), whole)


@pytest.mark.parametrize(("every", "saved"), [(1, [1, 2, 3, 4, 5, 6]), (4, [4]), (7, []), (None, [])])
def test_checkpoints_come_every_so_many_steps_across_epochs(tmp_path, digits, monkeypatch, every, saved):
    digits = Data(digits.x_train[:40], digits.y_train[:40], digits.x_test, digits.y_test, digits.classes)
    settings = settings_of("scratch", epochs=2)
    steps = []
    monkeypatch.setattr(
        checkpoint, "write", lambda path, rest, tensors: steps.append(len(tensors["history/step_loss"]))
    )
    keeper = Keeper(tmp_path / "checkpoint.safetensors", settings, every, Interrupts())
    train(settings, engines.get("scratch"), digits, None, keeper)
    assert steps == saved


@pytest.fixture
def accelerator():
    """Return the name of this machine's accelerator."""
    return devices.accelerator() or pytest.skip("PyTorch finds no CUDA device and no Apple GPU here")


def test_an_accelerators_generator_is_part_of_the_state(accelerator):
    import torch

    engine = engines.get("torch", "float32", accelerator)
    engine.manual_seed(0)
    model = engine.place(engine.models.MLP())
    optimizer = engine.optim.Adam(model.parameters())
    captured = checkpoint.capture(engine, model, optimizer, engine.train.Progress(), {})
    first = torch.rand(9, device=accelerator).cpu()
    checkpoint.restore(engine, model, optimizer, *captured)
    assert torch.equal(torch.rand(9, device=accelerator).cpu(), first)


@pytest.mark.parametrize("stop", [3, STEPS, 2 * STEPS])
def test_a_run_on_an_accelerator_goes_on(tmp_path, digits, accelerator, stop):
    """Up to rounding only: an accelerator may add in a different order each time."""
    settings = settings_of("torch", device=accelerator)
    path = tmp_path / "checkpoint.safetensors"
    interrupted(path, settings, digits, stop)
    losses = [run(settings, digits).history["step_loss"] for run in (partial(resumed, path), uninterrupted)]
    np.testing.assert_allclose(*losses, rtol=1e-3)


# Files that are refused.


@pytest.fixture(scope="module")
def saved(tmp_path_factory, digits):
    """Interrupt a run in its second epoch, and return the checkpoint's path."""
    path = tmp_path_factory.mktemp("saved") / "checkpoint.safetensors"
    interrupted(path, settings_of("scratch"), digits, STEPS + 2)
    return path


def refused(path, digits, settings=None):
    """Resume from a checkpoint that must be refused and stay unchanged; return the message."""
    before = path.read_bytes()
    with pytest.raises(Failure, match=r"checkpoint\.safetensors") as failure:
        resumed(path, settings or settings_of("scratch"), digits)
    assert path.read_bytes() == before
    return str(failure.value)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 5000, -4, -1])
def test_a_truncated_checkpoint(tmp_path, digits, saved, keep):
    path = tmp_path / saved.name
    path.write_bytes(saved.read_bytes()[:keep])
    assert "is damaged" in refused(path, digits)


def test_a_changed_bit_anywhere(tmp_path, digits, saved):
    content, path = saved.read_bytes(), tmp_path / saved.name
    header = 8 + int.from_bytes(content[:8], "little")
    # In the length, the names, the JSON, the checksum, and the numbers.
    found = [content.index(word, 0, header) for word in (b'"model/', b"shape", b"epoch", b"sha256")]
    for place in (0, 7, *found, content.index(b"sha256") + 12, header, (header + len(content)) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        said = refused(path, digits)
        assert "is damaged" in said or "is not a checkpoint" in said, place


@pytest.mark.parametrize("content", [b"\x80\x04K\x01.", b"PK\x03\x04", b"{}" * 50, bytes(1000)])
def test_what_is_no_safetensors_file(tmp_path, digits, content):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    assert "is damaged" in refused(path, digits)


def test_weights_alone_are_no_checkpoint(tmp_path, digits):
    path = tmp_path / "checkpoint.safetensors"
    tensor_files.write(path, {"weight": np.ones(3)})
    assert "is not a checkpoint" in refused(path, digits)


def test_a_newer_format(tmp_path, digits, saved, monkeypatch):
    path = tmp_path / saved.name
    rest, tensors = checkpoint.read(saved)
    with monkeypatch.context() as newer:
        newer.setattr(checkpoint, "FORMAT", 2)
        checkpoint.write(path, {"what": rest}, tensors)
    assert "expected a checkpoint of format 1, got 2" in refused(path, digits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "moons"}, "task digits, not moons"),
        ({"engine": "torch"}, "engine scratch, not torch"),
        ({"seed": 5}, "seed 0, not 5"),
        ({"lr": 0.5, "dropout": 0.0}, "lr 0.001, not 0.5; dropout 0.2, not 0.0"),
    ],
)
def test_another_run(digits, saved, change, words):
    settings = replace(settings_of("scratch"), **change)
    assert words in refused(saved, digits, settings)


def drop(name):
    def change(rest, tensors):
        del tensors[name]

    return change


def cut(name):
    def change(rest, tensors):
        tensors[name] = tensors[name][:-1]

    return change


def let(name, value):
    def change(rest, tensors):
        tensors[name] = tensors[name].copy() if name in tensors else np.ones(1, np.float32)
        tensors[name].flat[0] = value

    return change


def put(*keys, value):
    def change(rest, tensors):
        for key in keys[:-1]:
            rest = rest[key]
        rest[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("model/feat.0.weight"), "model/feat.0.weight to be float32 of shape (32, 1, 3, 3), got nothing"),
        (cut("model/head.4.bias"), "model/head.4.bias to be float32 of shape (10,), got float32 of shape (9,)"),
        (cut("optimizer/0/exp_avg"), "optimizer/0/exp_avg to be float32 of shape (32, 1, 3, 3)"),
        (drop("optimizer/3/step"), "optimizer/3/step to be float32 of shape (), got nothing"),
        (let("optimizer/3/step", -1), "optimizer/3/step to be 7, got -1.0"),
        (let("optimizer/3/exp_avg_sq", -1), "optimizer/3/exp_avg_sq[0] to be 0 or more, got -1.0"),
        (let("model/extra", 1), "model/extra to be absent, got float32 of shape (1,)"),
        (put("groups", value=[]), "groups to be a list of 1 entries, got 0"),
        (put("groups", 0, "lr", value=1e9), "groups[0].lr to be 0.001, got 1000000000.0"),
        (put("groups", 0, "amsgrad", value=True), "groups[0].amsgrad to be false, got true"),
        (drop("history/step_loss"), "history/step_loss to be float64 of shape (7,), got nothing"),
        (cut("history/step_loss"), "history/step_loss to be float64 of shape (7,), got float64 of shape (6,)"),
        (cut("history/test_loss"), "history/test_loss to be float64 of shape (1,), got float64 of shape (0,)"),
        (let("history/step_correct", 17), "history/step_correct[0] to be a whole number from 0 to 16, got 17.0"),
        (let("history/test_accuracy", 2), "history/test_accuracy[0] to be a finite number from 0 to 1, got 2.0"),
        (cut("progress/order"), "progress/order to be a permutation of the 70 training rows, got int64 of shape (69,)"),
        (let("progress/order", 70), "progress/order[0] to be an integer from 0 to 69, got 70"),
        (let("progress/order", 5), "a permutation of the 70 training rows, got row 5 2 times"),
        (drop("progress/order"), "progress/order to be a permutation of the 70 training rows, got nothing"),
        (put("progress", "step", value=6), "step to be an integer from 0 to 5, got 6"),
        (put("progress", "epoch", value="x"), 'epoch to be an integer from 0 to 2, got "x"'),
        (put("progress", "epoch", value=True), "epoch to be an integer from 0 to 2, got true"),
        (put("progress", "epoch", value=2), "step to be an integer from 0 to 0, got 2"),
        (put("progress", "seconds", value=-1), "seconds to be a finite number of 0 or more, got -1"),
        (put("generator", "words", value=[1, 2]), "generator.words to be a list of 624 entries, got 2"),
        (put("generator", "words", 3, value=-1), "generator.words[3] to be an integer from 0 to 4294967295, got -1"),
        (put("generator", value=None), "generator to be an object, got null"),
        (put("generators", value=[]), "generators to be absent, got an empty list"),
        (put("settings", value={"task": "digits"}), 'settings.engine to be "scratch", got nothing'),
    ],
)
def test_content_that_does_not_fit_the_run(tmp_path, digits, saved, change, words):
    rest, tensors = checkpoint.read(saved)
    change(rest, tensors)
    path = tmp_path / saved.name
    checkpoint.write(path, rest, tensors)
    assert words in refused(path, digits)


def test_another_number_of_rows(digits, saved):
    fewer = Data(digits.x_train[:69], digits.y_train[:69], digits.x_test, digits.y_test, digits.classes)
    assert "a permutation of the 69 training rows, got int64 of shape (70,)" in refused(saved, fewer)


def test_the_rest_is_json(saved):
    content = saved.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    rest = json.loads(header["__metadata__"]["rest"], parse_constant=pytest.fail)
    assert rest["settings"]["task"] == "digits"
    assert rest["progress"]["step"] == 2
