"""The loop for accelerators takes the plain loop's steps, on bytes and on points, whole batches or not."""

import os
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch

import torch_ref
from benchmarks import cli, engines, tasks
from benchmarks.errors import Interrupted
from benchmarks.runs import record
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.settings import Settings
from benchmarks.runs.training import train
from benchmarks.speed import race
from benchmarks.tasks import Data
from parity_tests.tests.commands.test_cli import QUICK, read_part, refused
from torch_ref.scale import devices, fast

ACCELERATOR = devices.accelerator()
on_accelerator = pytest.mark.skipif(ACCELERATOR is None, reason="PyTorch finds no CUDA device and no Apple GPU here")
on_cuda = pytest.mark.skipif(ACCELERATOR != "cuda", reason="PyTorch finds no CUDA device here")
COMPILERS = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
compiling = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="torch.compile needs a C++ compiler")
ROWS, BATCH = 70, 16  # the last batch of an epoch has 6 rows


def few_images(rows):
    """Return images whose pixels are bytes: noise, with a bright row whose place depends on the class."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 10
    x = rng.integers(0, 100, (rows, 1, 28, 28)).astype(np.float32)
    x[np.arange(rows), 0, 2 * y + 3] = 255
    x /= 255
    return Data(x, y, x[:50], y[:50], tuple("0123456789"))


@pytest.fixture(scope="module")
def data():
    return few_images(ROWS)


@pytest.fixture(scope="module")
def small():
    """Return the first rows of a task's data, by name."""

    def load(name):
        data = tasks.get(name).load(None)
        return Data(data.x_train[:ROWS], data.y_train[:ROWS], data.x_test[:30], data.y_test[:30], data.classes)

    return load


def trained(task, data, keeper=None, **changes):
    """Train a task's network on a few rows."""
    settings = Settings.of_recipe(tasks.get(task), "torch", **{"epochs": 2, "batch_size": BATCH, **changes})
    return train(settings, engines.get("torch", settings.dtype, settings.device), data, None, keeper)


def losses(data, **changes):
    """Return the loss at each step of the network for images, without dropout."""
    return np.array(trained("digits", data, dropout=0.0, **changes).history["step_loss"])


@pytest.mark.parametrize("task", ["moons", "digits"])
@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 2e-5), ("float64", 1e-12)])
def test_the_fast_loop_takes_the_steps_of_the_plain_one(small, task, dtype, rounding):
    plain, quick = (trained(task, small(task), dtype=dtype, precision=precision) for precision in (None, "fp32"))
    assert len(plain.history["step_loss"]) == 2 * -(-ROWS // BATCH)
    for name in set(plain.history) - {"seconds"}:
        np.testing.assert_allclose(quick.history[name], plain.history[name], rtol=rounding, err_msg=name)


def test_images_that_were_bytes_lie_on_the_device_as_bytes(data, small):
    images = torch.from_numpy(data.x_train)
    packed = fast.pack(images)
    assert packed.dtype == torch.uint8
    torch.testing.assert_close(packed.float() / 255, images, rtol=1e-6, atol=0)
    for other in (small("digits").x_train, small("moons").x_train, data.x_train - 0.5, data.x_train * 2):
        kept = torch.from_numpy(other)
        assert fast.pack(kept) is kept


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 2e-5), ("float64", 1e-12)])
def test_bytes_train_as_the_pixels_do(data, dtype, rounding):
    np.testing.assert_allclose(losses(data, dtype=dtype, precision="fp32"), losses(data, dtype=dtype), rtol=rounding)


def test_bfloat16_is_near_and_is_not_float32(data):
    plain, rounded = losses(data), losses(data, precision="bf16")
    np.testing.assert_allclose(rounded[:3], plain[:3], rtol=0.02)
    assert abs(rounded[0] / plain[0] - 1) > 1e-5


@compiling
@pytest.mark.filterwarnings("ignore")  # of the compiler's own making
def test_a_compiled_network_takes_the_same_steps(small, monkeypatch):
    compiled, compile_model = [], torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or compile_model(model))
    plain, quick = (trained("moons", small("moons"), compile=asked, dropout=0.0) for asked in (False, True))
    assert len(compiled) == 1
    np.testing.assert_allclose(quick.history["step_loss"], plain.history["step_loss"], rtol=2e-5)


@on_accelerator
def test_an_accelerator_takes_the_steps_of_the_cpu(data):
    got = losses(data, device=ACCELERATOR, precision="fp32")
    np.testing.assert_allclose(got, losses(data), rtol=1e-2)


@on_cuda
def test_a_recorded_step_takes_the_steps_of_the_plain_one(data):
    got = losses(data, device="cuda", dtype="float64", precision="fp32")
    np.testing.assert_allclose(got, losses(data, dtype="float64"), rtol=1e-5)  # the recorded learning rate is a float32


@on_cuda
@pytest.mark.filterwarnings("ignore")  # of the compiler's own making
@pytest.mark.parametrize("precision", fast.PRECISIONS)
@pytest.mark.parametrize("compiled", [False, True])
def test_every_way_of_computing_on_cuda(data, precision, compiled):
    try:
        fast.check("cuda", precision, compiled)
    except ValueError as error:
        pytest.skip(str(error))
    got = losses(data, device="cuda", precision=precision, compile=compiled)
    np.testing.assert_allclose(got[:3], losses(data)[:3], rtol=0.05)


@on_cuda
def test_a_recorded_step_reads_the_learning_rate_that_is_set(data):
    """With a learning rate of 0 from the second step on, only the first one changes the weights."""
    engine = engines.get("torch", device="cuda")
    engine.manual_seed(0)
    model = engine.place(race.network(engine))
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=1e-3)
    weights = []

    def on_step(progress):
        weights.append(next(model.parameters()).detach().clone())
        optimizer.param_groups[0]["lr"] = 0.0

    sets = 2 * [(engine.asarray(data.x_train), engine.asarray(data.y_train))]
    start = next(model.parameters()).detach().clone()
    fast.fit(model, torch_ref.nn.CrossEntropyLoss(), optimizer, *sets, epochs=1, batch_size=BATCH, on_step=on_step)
    assert not torch.equal(weights[0], start)
    assert all(torch.equal(later, weights[0]) for later in weights[1:])


def test_setting_up_leaves_no_trace(small):
    """The states of the network, the generator and the optimizer, new or used, are restored."""
    data = small("moons")
    x, y = torch.from_numpy(data.x_train).float(), torch.from_numpy(data.y_train)
    torch_ref.manual_seed(0)
    model = torch_ref.models.MLP(use_bn=True, pdrop=0.3)
    criterion, optimizer = torch_ref.nn.CrossEntropyLoss(), torch_ref.optim.Adam(model.parameters(), lr=0.1)
    for used in (False, True):
        if used:
            torch_ref.train.take_step(model, criterion, optimizer, x, y)
        before = [{name: value.clone() for name, value in model.state_dict().items()}, torch_ref.random.get_state()]
        kept = [value.clone() for entry in optimizer.state.values() for value in entry.values()]
        with fast._undone(model, optimizer, torch.device("cpu")):
            torch_ref.train.take_step(model, criterion, optimizer, x, y)
        assert torch_ref.random.get_state() == before[1]
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[0][name])
        now = [value for entry in optimizer.state.values() for value in entry.values()]
        assert all(torch.equal(*pair) for pair in zip(now, kept, strict=True)) if used else not any(map(torch.any, now))


def test_what_it_changes_about_products_it_changes_back(small):
    trained("moons", small("moons"), precision="bf16")
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark


@pytest.mark.parametrize("stop", [3, 5, 7])
def test_an_interrupted_run_goes_on_as_if_it_had_not_stopped(tmp_path, small, stop):
    data, path, interrupts = small("digits"), tmp_path / "checkpoint.safetensors", Interrupts()
    settings = Settings.of_recipe(tasks.get("digits"), "torch", epochs=2, batch_size=BATCH, precision="fp32")
    keeper = Keeper(path, settings, stop, interrupts)
    after_step = keeper.after_step

    def signalled(progress):
        interrupts.received = 15 if len(progress.history.step_loss) == stop else None
        after_step(progress)

    keeper.after_step = signalled
    with pytest.raises(Interrupted):
        trained("digits", data, keeper, precision="fp32")
    went_on = trained("digits", data, Keeper(path, settings, None, Interrupts()), precision="fp32")
    whole = trained("digits", data, precision="fp32")
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(went_on.history[name], whole.history[name], err_msg=name)


# The command.


def test_train_records_how_it_computed(capsys, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert cli.main(["train", "moons", *QUICK, "--precision", "bf16", "--out", str(first)]) == 0
    config = record.load_config(first / "torch")
    assert config["settings"]["precision"] == "bf16"
    assert "compile" not in config["settings"]
    assert "precision" not in record.load_config(first / "scratch")["settings"]
    assert cli.main([*config["command"].split()[1:], "--out", str(second)]) == 0
    assert read_part(second)[1]["step_loss"] == read_part(first / "torch")[1]["step_loss"]


def test_settings_name_what_was_chosen_and_old_ones_still_load():
    plain = Settings.of_recipe(tasks.get("moons"), "torch")
    assert Settings.of_config({"settings": plain.to_dict()}) == plain
    assert set(asdict(plain)) - set(plain.to_dict()) == {"precision", "compile"}
    chosen = Settings.of_recipe(tasks.get("moons"), "torch", weight_decay=0.0, precision="fp32", compile=True)
    assert Settings.of_config({"settings": chosen.to_dict()}) == chosen
    assert chosen.command().endswith("--processes 1 --precision fp32 --compile")
    assert "--weight-decay 0.0" in chosen.command()


def test_the_command_line_offers_what_the_loop_has():
    assert engines.PRECISIONS == fast.PRECISIONS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "fp8"], "invalid choice: 'fp8'"),
        (["--engine", "torch", "--precision", "tf32"], "--device cpu: the CPU has no tf32"),
        (["--engine", "scratch", "--precision", "bf16"], "--precision and --compile are for --engine torch"),
        (["--engine", "scratch", "--compile"], "--precision and --compile are for --engine torch"),
        (["--dtype", "float64", "--precision", "bf16"], "--precision bf16 rounds float32"),
        (["--processes", "2", "--compile"], "--precision and --compile are for one process"),
    ],
)
def test_usage_errors_are_one_line(capsys, tmp_path, words, message):
    assert message in refused(capsys, 2, ["train", "moons", "--device", "cpu", *words, "--out", tmp_path / "run"])
    assert not (tmp_path / "run").exists()


def test_what_the_fast_loop_refuses():
    with pytest.raises(ValueError, match="unknown precision 'fp8'"):
        fast.check("cpu", "fp8", False)
    with pytest.raises(ValueError, match="leave it out on mps"):
        fast.check("mps", "fp32", True)
