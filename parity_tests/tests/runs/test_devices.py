"""Which device is taken, and, where there is an accelerator, that it trains as the CPU does."""

import pytest
import torch

import torch_ref
from benchmarks import engines
from benchmarks.errors import Failure, UsageError
from torch_ref.scale import devices

ACCELERATOR = devices.accelerator()
on_accelerator = pytest.mark.skipif(ACCELERATOR is None, reason="PyTorch finds no CUDA device and no Apple GPU here")
on_cuda = pytest.mark.skipif(ACCELERATOR != "cuda", reason="PyTorch finds no CUDA device here")
on_mps = pytest.mark.skipif(ACCELERATOR != "mps", reason="PyTorch finds no Apple GPU here")


def pretend(monkeypatch, cuda=0, mps=False, other=None):
    """Make PyTorch report these devices; what such a device computes is not part of these tests."""
    found = "cuda" if cuda else "mps" if mps else other
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: found is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(found or "cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "dtype", "device", "reason"),
    [
        (2, True, "float64", "cuda", "a card"),
        (0, True, "float32", "mps", "an Apple GPU"),
        (0, True, "float64", "cpu", "no float64"),
        (0, False, "float32", "cpu", "neither"),
    ],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, dtype, device, reason):
    pretend(monkeypatch, cuda, mps)
    choice = devices.choose("auto", dtype)
    assert choice.device == device
    assert reason in choice.reason


def test_auto_passes_over_an_accelerator_that_was_not_tested(monkeypatch):
    pretend(monkeypatch, other="xpu")
    assert devices.choose().device == "cpu"


def test_what_is_found_is_there():
    assert next((kind for kind in devices.PREFERRED if devices.count(kind)), None) == ACCELERATOR


@pytest.mark.parametrize("name", ["abacus", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:1", "", "CPU"])
def test_no_such_device(name):
    with pytest.raises(ValueError, match="no such device"):
        devices.choose(name)


def test_a_device_that_is_absent(monkeypatch):
    pretend(monkeypatch)
    with pytest.raises(RuntimeError, match="no CUDA devices"):
        devices.choose("cuda")
    with pytest.raises(RuntimeError, match="no Apple GPU"):
        devices.choose("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.choose("cuda:1").device == "cuda:1"
    with pytest.raises(RuntimeError, match="2 CUDA devices"):
        devices.choose("cuda:2")


def test_mps_has_no_float64():
    with pytest.raises(ValueError, match="no float64"):
        devices.choose("mps", "float64")
    with pytest.raises(UsageError, match=r"--device mps: .*float64"):
        engines.get("torch", "float64", "mps")


def test_engines_take_auto(monkeypatch):
    scratch, torch_engine = engines.get("scratch", device="auto"), engines.get("torch", device="auto")
    assert scratch.device == "cpu"
    assert torch_engine.device == devices.choose().device
    assert torch_engine.reason
    pretend(monkeypatch)
    with pytest.raises(Failure, match="--device cuda:3"):
        engines.get("torch", device="cuda:3")


def test_the_cpu_has_nothing_to_wait_for():
    devices.synchronize("cpu")
    assert devices.describe("cpu") == "the CPU"


def learn(device, dtype=torch.float32, scale=1.0):
    """Train a small network on random points; return its history and its weights, on the CPU."""
    torch_ref.manual_seed(0)
    model = torch_ref.models.MLP(use_bn=True, dtype=dtype)
    x = torch.randn(91, 2, dtype=dtype)  # the last of the batches has 11 rows
    y = (x[:, 0] * x[:, 1] > 0).long()
    model, data = model.to(device), (scale * x.to(device), y.to(device))
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=1e-2)
    criterion = torch_ref.nn.CrossEntropyLoss()
    history = torch_ref.train.fit(model, criterion, optimizer, data, data, epochs=3, batch_size=16)
    return history.to_dict(), {name: value.cpu() for name, value in model.state_dict().items()}


def assert_alike(one, other):
    """Assert that two results of `learn` are equal up to rounding.

    A batch norm subtracts what the bias before it adds, so that bias has the gradient 0. Rounding turns it into some
    tiny number, and Adam, which divides a gradient by its own size, into a whole step. So the bias is left out, and
    with it the running mean, which contains it.
    """
    (history, state), (expected, expected_state) = one, other
    assert history["step_loss"] == pytest.approx(expected["step_loss"], rel=1e-3)
    assert history["test_accuracy"] == pytest.approx(expected["test_accuracy"], abs=0.03)
    for name in state.keys() - {"net.0.bias", "net.1.running_mean", "net.4.bias", "net.5.running_mean"}:
        torch.testing.assert_close(state[name], expected_state[name], rtol=1e-2, atol=1e-3, msg=name)


def test_what_rounding_changes_is_what_the_comparison_allows():
    assert_alike(learn("cpu", scale=1 + 1e-7), learn("cpu"))
    with pytest.raises(AssertionError):
        assert_alike(learn("cpu", scale=1.1), learn("cpu"))


@on_accelerator
def test_an_accelerator_trains_as_the_cpu_does():
    assert_alike(learn(ACCELERATOR), learn("cpu"))


@on_cuda
def test_cuda_trains_in_float64_as_the_cpu_does():
    (history, _), (expected, _) = learn("cuda", torch.float64), learn("cpu", torch.float64)
    assert history["step_loss"] == pytest.approx(expected["step_loss"], rel=1e-9)


@on_cuda
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_no_step_waits_for_the_device():
    x, y = torch.randn(64, 2, device="cuda"), torch.randint(2, (64,), device="cuda")
    model = torch_ref.models.MLP(pdrop=0.1, use_bn=True).to("cuda")
    optimizer = torch_ref.optim.Adam(model.parameters())
    steps = []

    def watch(progress):  # from the end of the first step to the end of the last
        steps.append(progress.step)
        torch.cuda.set_sync_debug_mode("error" if progress.step < 4 else "default")

    try:
        arguments = (model, torch_ref.nn.CrossEntropyLoss(), optimizer, (x, y), (x, y))
        torch_ref.train.fit(*arguments, epochs=1, batch_size=16, on_step=watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert steps == [1, 2, 3, 4]


@on_mps
def test_float64_data_arrive_on_mps_as_float32():
    import numpy as np

    assert engines.get("torch", device="mps").asarray(np.ones(3)).dtype == torch.float32


@on_accelerator
def test_both_engines_train_with_torch_on_the_accelerator(tmp_path, capsys):
    from benchmarks import cli
    from benchmarks.runs import record

    out = tmp_path / "run"
    assert cli.main(["train", "moons", "--epochs", "1", "--batch-size", "500", "--out", str(out)]) == 0
    assert record.load_config(out)["settings"]["device"] == ACCELERATOR
    assert record.load_config(out / "scratch")["settings"]["device"] == "cpu"
    assert ACCELERATOR in capsys.readouterr().out
