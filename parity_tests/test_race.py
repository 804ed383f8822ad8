"""The race is run by both engines alike, the fast loop takes the plain loop's steps, and nothing is claimed unasked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import torch_ref
from benchmarks import cli, engines, race
from benchmarks.tasks import Data, mnist
from parity_tests.test_cli import refused
from torch_ref import devices, fast

ACCELERATOR = devices.accelerator()
ROWS = 2 * race.BATCH
on_accelerator = pytest.mark.skipif(ACCELERATOR is None, reason="PyTorch finds no CUDA device and no Apple GPU here")
on_cuda = pytest.mark.skipif(ACCELERATOR != "cuda", reason="PyTorch finds no CUDA device here")


class Fast(race.Racer):
    """Takes the fast loop, also where the plain one would do."""

    fast = True


@pytest.fixture(scope="module")
def data():
    """Return a few images: noise, with a bright row where the class says."""
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 10
    x = rng.integers(0, 100, (ROWS, 1, 28, 28)).astype(np.float32)
    x[np.arange(ROWS), 0, 2 * y + 3] = 255
    x /= 255
    return Data(x, y, x[:50], y[:50], tuple("0123456789"))


def losses(loop, data, device="cpu", dtype="float32", steps=6, **options):
    """Return the losses of some steps of the race's network, by the plain loop or the fast one."""
    engine = engines.get("torch", dtype, device)
    engine.manual_seed(0)
    model, criterion = engine.place(race.network(engine)), engine.nn.CrossEntropyLoss()
    rates = race.learning_rates(steps)
    if loop == "fast":
        images, targets = torch.from_numpy(race.as_bytes(data.x_train)), torch.from_numpy(data.y_train)
        trainer = fast.Trainer(model, criterion, images, targets, batch_size=race.BATCH, betas=race.BETAS, **options)
        return trainer.train(rates).cpu().numpy()
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=rates[0], betas=race.BETAS)
    taken = iter([*rates[1:], 0.0])

    def on_step(progress):
        optimizer.param_groups[0]["lr"] = next(taken)

    train_set = engine.asarray(race.as_bytes(data.x_train) / 255), engine.asarray(data.y_train)
    options = {"epochs": steps * race.BATCH // ROWS, "batch_size": race.BATCH, "on_step": on_step}
    return np.array(torch_ref.train.fit(model, criterion, optimizer, train_set, train_set, **options).step_loss)


def test_the_fast_loop_takes_the_steps_of_the_plain_one(data):
    plain, quick = (losses(loop, data, dtype="float64") for loop in ("plain", "fast"))
    assert plain[0] > plain[-1]
    np.testing.assert_allclose(quick, plain, rtol=1e-9)


@on_cuda
def test_a_recorded_step_takes_the_steps_of_the_plain_one(data):
    plain, quick = losses("plain", data, dtype="float64"), losses("fast", data, "cuda", "float64")
    np.testing.assert_allclose(quick, plain, rtol=1e-5)  # a learning rate on the device is a float32


def test_bfloat16_is_near(data):
    np.testing.assert_allclose(losses("fast", data, precision="bf16")[:2], losses("plain", data)[:2], rtol=0.05)


@on_accelerator
def test_an_accelerator_takes_the_steps_of_the_cpu(data):
    np.testing.assert_allclose(losses("fast", data, ACCELERATOR)[:3], losses("plain", data)[:3], rtol=1e-2)


@on_cuda
@pytest.mark.parametrize("precision", fast.PRECISIONS)
@pytest.mark.parametrize("compiled", [False, True])
def test_every_way_of_computing_on_cuda(data, precision, compiled):
    try:
        fast.check("cuda", precision, compiled)
    except ValueError as error:
        pytest.skip(str(error))
    got = losses("fast", data, "cuda", precision=precision, compiled=compiled)
    np.testing.assert_allclose(got[:2], losses("plain", data)[:2], rtol=0.05)


def test_setting_up_leaves_no_trace(data):
    torch.manual_seed(0)
    model = race.network(engines.get("torch"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    order = torch_ref.random.get_state()
    images, targets = torch.from_numpy(race.as_bytes(data.x_train)), torch.from_numpy(data.y_train)
    trainer = fast.Trainer(model, torch_ref.nn.CrossEntropyLoss(), images, targets, batch_size=race.BATCH)
    assert torch_ref.random.get_state() == order
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(not value.any() for entry in trainer.optimizer.state.values() for value in entry.values())
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_learning_rate_goes_up_and_down_once():
    rates = np.array(race.learning_rates(480))
    turn = rates.argmax()
    assert rates[0] == pytest.approx(race.TOP_RATE / 25)
    assert rates[turn] == pytest.approx(race.TOP_RATE)
    assert (np.diff(rates[: turn + 1]) > 0).all()
    assert (np.diff(rates[turn:]) < 0).all()


def test_both_engines_run_the_same_race(data):
    by_hand, by_torch = (race.run(race.Racer(engines.get(name)), data, 0) for name in engines.NAMES)
    assert by_hand.accuracy == pytest.approx(by_torch.accuracy, abs=0.05)
    assert by_hand.seconds > 0
    assert race.run(Fast(engines.get("torch")), data, 0).accuracy == pytest.approx(by_torch.accuracy, abs=0.05)


def test_the_table_says_who_reached_the_target(monkeypatch, capsys, data):
    monkeypatch.setattr(mnist, "TASK", replace(mnist.TASK, load=lambda folder: data))
    assert cli.main(["race", "--seeds", "1", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "scratch cpu fp32" in said
    assert "torch cpu fp32" in said
    assert "of 1" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "--seeds: expected 1 or more"),
        (["--precision", "fp64"], "fp64"),
        (["--precision", "tf32", "--device", "cpu"], "the CPU has no tf32"),
        (["--engine", "scratch", "--precision", "bf16"], "computes on the CPU in fp32"),
        (["--engine", "scratch", "--device", "cuda"], "computes on the CPU in fp32"),
        (["--device", "abacus"], "expected auto, cpu"),
    ],
)
def test_usage_errors_are_one_line(capsys, words, message):
    assert message in refused(capsys, 2, ["race", *words])


def test_an_absent_device(capsys):
    assert "CUDA device" in refused(capsys, 1, ["race", "--device", "cuda:99"])


def test_what_the_fast_loop_refuses(data):
    with pytest.raises(ValueError, match="a batch size that divides the 250 rows, got 99"):
        fast.Trainer(None, None, torch.zeros(ROWS), torch.zeros(ROWS), batch_size=99)
    with pytest.raises(ValueError, match="unknown precision 'fp8'"):
        fast.check("cpu", "fp8", False)
    with pytest.raises(ValueError, match="leave it out on mps"):
        fast.check("mps", "fp32", True)
