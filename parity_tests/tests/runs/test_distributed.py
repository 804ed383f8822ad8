"""Several processes take the steps that one would take; and if one of them dies, the job ends and says so."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import torch_ref
from benchmarks import cli
from benchmarks.runs import checkpoint, folder, record
from benchmarks.runs import processes as shared
from parity_tests.harness import processes
from parity_tests.tests.commands.test_cli import read_part, refused
from parity_tests.tests.runs.test_kills import PRELOADED
from torch_ref.scale import distributed, workers

ROWS, EPOCHS = 67, 3
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Leave the cores to the processes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# What the processes do: functions of this module, so that a new process finds them.


def train_mlp(device, send, batch_size, pdrop, use_bn, fit=distributed.fit):
    """Train an MLP in float64; return its history and its weights."""
    torch_ref.manual_seed(3)
    model = torch_ref.models.MLP(hid=7, pdrop=pdrop, use_bn=use_bn, dtype=torch.float64).to(device)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((ROWS, 2))).to(device)
    y = (x[:, 0] * x[:, 1] > 0).long()
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-3)
    criterion = torch_ref.nn.CrossEntropyLoss()
    history = fit(model, criterion, optimizer, (x, y), (x[:37], y[:37]), epochs=EPOCHS, batch_size=batch_size)
    lists = history.to_dict()
    lists.pop("seconds")
    state = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    return lists, state


def train_all(device, send):
    """Train with equal shares and unequal ones, with dropout, with batch norm, and with convolutions."""
    send("started")
    cases = ((20, 0.0, False), (14, 0.0, False), (ROWS, 0.0, False), (19, 0.5, False), (19, 0.0, True))
    return [train_mlp(device, send, *case) for case in cases], train_cnn(device, send)


def train_cnn(device, send, fit=distributed.fit):
    """Train a SmallCNN in float64 for three steps; return its losses and its weights."""
    torch_ref.manual_seed(1)
    model = torch_ref.models.SmallCNN(pdrop=0.0, dtype=torch.float64).to(device)
    x, y = torch.rand(15, 1, 28, 28, dtype=torch.float64).to(device), (torch.arange(15) % 10).to(device)
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=1e-3)
    criterion = torch_ref.nn.CrossEntropyLoss()
    history = fit(model, criterion, optimizer, (x, y), (x, y), epochs=1, batch_size=5)
    return history.to_dict()["step_loss"], {name: value.cpu().numpy() for name, value in model.state_dict().items()}


def die(device, send, how):
    """End process 1 in some way, while the others wait for it."""
    if torch.distributed.get_rank() == 1:
        if how == "raise":
            raise ValueError("no luck")
        if how == "sleep":
            time.sleep(600)
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.all_reduce(torch.ones(1))


def listen_and_gather(device, send):
    """Return which interface was chosen, where this process listens, and what `gather` gives."""
    rank = torch.distributed.get_rank()
    own = {os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and link.exists()}
    rows = [line.split() for file in ("tcp", "tcp6") for line in Path("/proc/net", file).read_text().splitlines()[1:]]
    listening = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]
    return os.environ["GLOO_SOCKET_IFNAME"], listening, distributed.gather(b"x" * rank), distributed.gather(b"ab")


def say_folder(device, send):
    """Send the names in the temporary folder, where the processes meet, and wait for ever."""
    send(sorted(str(path) for path in Path(tempfile.gettempdir()).iterdir()))
    time.sleep(600)


def assert_same(got, expected, tolerance=1e-10):
    """Compare lists and arrays by name, relative to the largest number of each."""
    for name, values in expected.items():
        scale = max(np.abs(values).max(), 1e-3) if np.size(values) else 1.0
        np.testing.assert_allclose(got[name], values, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.fixture(scope="module")
def forked():
    """Fork processes from one that has imported everything; those of `whole` and of a script start afresh."""
    with pytest.MonkeyPatch.context() as context:
        if os.name == "posix":
            processes.context((__name__, shared.__name__, *PRELOADED))
            context.setattr(workers, "START", processes.METHOD)
        yield


@pytest.fixture(scope="module", params=[2, 4])
def together(request, forked):
    """Run `train_all` in several processes."""
    heard = []
    return distributed.launch(train_all, request.param, on_message=heard.append), heard


@pytest.mark.parametrize(("number", "batch_size"), [(0, 20), (1, 14), (2, ROWS)])
def test_k_steps_equal_those_of_one_process(together, number, batch_size):
    lists, state = together[0][0][number]
    expected, expected_state = train_mlp("cpu", None, batch_size, 0.0, False, fit=torch_ref.train.fit)
    assert len(lists["step_loss"]) == EPOCHS * -(-ROWS // batch_size)
    assert_same(lists, expected)
    assert_same(state, expected_state)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_processes_listen_on_this_machine_alone_and_send_bytes(forked):
    interface, listening, gathered, alike = distributed.launch(listen_and_gather, 3)
    assert interface == "lo"
    assert set(listening) <= {"0100007F", "00000000000000000000000001000000"}
    assert listening
    assert gathered == [b"", b"x", b"xx"]
    assert alike == [b"ab"] * 3


@posix
def test_the_folder_of_the_processes_ends_with_their_parent(tmp_path):
    code = (
        "from parity_tests.tests.runs.test_distributed import say_folder\n"
        "from torch_ref.scale import distributed\n"
        "if __name__ == '__main__':\n"
        "    distributed.launch(say_folder, 2, on_message=lambda names: print(len(names), flush=True))\n"
    )
    options = {"stdout": subprocess.PIPE, "text": True, "env": {**os.environ, "TMPDIR": str(tmp_path)}}
    parent = subprocess.Popen([sys.executable, "-c", code], **options)
    assert int(parent.stdout.readline()) >= 1
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not os.listdir(tmp_path):
            return
        time.sleep(0.1)
    pytest.fail(f"left: {os.listdir(tmp_path)}")


def test_messages_of_process_0_arrive(together):
    assert together[1] == ["started"]


def test_dropout_draws_masks_of_its_own_in_each_process(together):
    lists, _ = together[0][0][3]
    expected, _ = train_mlp("cpu", None, 19, 0.5, False, fit=torch_ref.train.fit)
    assert len(lists["step_loss"]) == len(expected["step_loss"])
    assert lists["step_loss"][0] != pytest.approx(expected["step_loss"][0], rel=1e-6)
    assert lists["step_loss"][0] == pytest.approx(expected["step_loss"][0], rel=0.3)


def test_batch_norm_on_the_cpu_sees_its_share_alone(together):
    lists, state = together[0][0][4]
    expected, expected_state = train_mlp("cpu", None, 19, 0.0, True, fit=torch_ref.train.fit)
    assert lists["step_loss"][0] != pytest.approx(expected["step_loss"][0], rel=1e-9)
    assert lists["step_loss"][-1] == pytest.approx(expected["step_loss"][-1], rel=0.5)
    assert state["net.1.num_batches_tracked"] == expected_state["net.1.num_batches_tracked"]


def test_a_small_cnn_with_unequal_shares(together):
    losses, state = together[0][1]
    expected, expected_state = train_cnn("cpu", None, fit=torch_ref.train.fit)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    assert_same(state, expected_state)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="PyTorch finds fewer than two CUDA devices here")
def test_two_cards_equal_one():
    losses, state = distributed.launch(train_cnn, 2, device="cuda")
    expected, expected_state = train_cnn("cuda", None, fit=torch_ref.train.fit)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert_same(state, expected_state, 1e-8)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param("kill", "process 1 of 2 was killed by SIGKILL; the others were ended", marks=posix),
        ("exit", "process 1 of 2 ended with status 3; the others were ended"),
        ("raise", "process 1 of 2 failed: ValueError: no luck; the others were ended"),
    ],
)
def test_a_process_that_dies_ends_the_job(forked, how, message):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=message):
        distributed.launch(die, 2, how)
    assert time.monotonic() - began < 60


def test_a_process_that_stands_still_ends_the_job_when_the_time_is_up(forked):
    with pytest.raises(RuntimeError, match=r"process 0 of 2 failed: .*; the others were ended"):
        distributed.launch(die, 2, "sleep", timeout=2.0)


@posix
def test_processes_end_with_their_parent():
    code = (
        "from parity_tests.harness.in_processes import work_for_ever; from torch_ref.scale import workers\n"
        "if __name__ == '__main__':\n"
        "    workers.run(work_for_ever, 1, (), lambda pid: print(pid, flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def test_fewer_rows_than_processes(monkeypatch):
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(ValueError, match="expected a row for each of 2 processes, got a batch of 1"):
        train_mlp("cpu", None, 33, 0.0, False)


def test_devices_for_several_processes():
    with pytest.raises(ValueError, match="not on mps"):
        distributed.check("mps", 2)
    with pytest.raises(ValueError, match="not on cuda:1"):
        distributed.check("cuda:1", 2)
    with pytest.raises(RuntimeError, match=r"1000 processes need as many CUDA devices; PyTorch finds \d+"):
        distributed.check("cuda", 1000)
    distributed.check("cpu", 64)


# The command.


TRAIN = ["train", "moons", "--engine", "torch", "--device", "cpu", "--epochs", "2", "--batch-size", "500"]
TRAIN += ["--processes", "2", "--checkpoint-every", "2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train with two processes, six steps, without interruption; return the folder."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as context:
        context.setattr(workers, "START", "spawn")
        assert cli.main([*TRAIN, "--out", str(out)]) == 0
    return out


def test_train_with_two_processes(capsys, whole):
    out, config = whole, record.load_config(whole)
    assert config["settings"]["processes"] == 2
    assert "--processes 2" in config["command"]
    assert sorted(path.name for path in out.iterdir()) == [
        "boundary.png",
        "config.json",
        "curves.png",
        "history.json",
        "model.safetensors",
    ]
    recorded = read_part(out)[1]["test_accuracy"][-1]
    capsys.readouterr()
    assert cli.main(["evaluate", str(out), "--engine", "scratch"]) == 0
    assert f"{recorded:.4f}" in capsys.readouterr().out


def signals_at(monkeypatch, step, signals):
    """Send signals to the command's own process when it hears of a step."""

    @contextlib.contextmanager
    def bars(epochs, steps):
        def on_step(progress):
            if progress.epoch * steps + progress.step == step:
                for number in signals:
                    os.kill(os.getpid(), number)

        yield lambda engine: on_step

    monkeypatch.setattr("benchmarks.commands.run_tables.progress_bars", bars)


@posix
def test_a_run_of_three_processes_goes_on_as_if_it_had_not_stopped(capsys, tmp_path, forked, monkeypatch):
    """It is killed after step 3, resumed from the checkpoint of step 2, stopped in the middle of an epoch, and resumed.

    There are three processes because the sum of two numbers does not depend on their order.
    """
    whole, run = tmp_path / "whole", tmp_path / "run"
    path = run / folder.CHECKPOINT
    command = [*TRAIN, "--processes", "3"]
    assert cli.main([*command, "--out", str(whole)]) == 0
    with monkeypatch.context() as context:
        signals_at(context, 3, 2 * [signal.SIGTERM])  # the second does not wait for the step
        assert cli.main([*command, "--out", str(run)]) == 143
        assert checkpoint.read(path)[0]["progress"]["step"] == 2
        signals_at(context, 5, [signal.SIGINT])
        assert cli.main(["train", "--resume", str(run)]) == 130
    assert f"go on with: backprop train --resume {run}" in capsys.readouterr().err
    rest, _ = checkpoint.read(path)
    assert (rest["progress"]["epoch"], rest["progress"]["step"]) == (1, 2)
    assert rest["generators"][0] == rest["generator"]
    assert len({str(state) for state in rest["generators"]}) == 3
    assert cli.main(["train", "--resume", str(run)]) == 0
    assert not path.exists()
    (state, history), (expected, expected_history) = read_part(run), read_part(whole)
    assert {**history, "seconds": None} == {**expected_history, "seconds": None}
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array, err_msg=name)


def test_a_checkpoint_of_fewer_processes_is_refused(capsys, tmp_path, whole):
    """It is refused before any process starts, as its speed shows."""
    run = tmp_path / "run"
    run.mkdir()
    config = record.load_config(whole)
    del config["files"]
    record.write_config(run, {**config, "unfinished": {"data_dir": str(tmp_path), "checkpoint_every": None}})
    checkpoint.write(run / folder.CHECKPOINT, {"settings": {**config["settings"], "processes": 1}}, {})
    began = time.monotonic()
    assert cli.main(["train", "--resume", str(run)]) == 1
    assert time.monotonic() - began < 2
    assert "is a checkpoint of another run: processes 1, not 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "scratch", "--processes", "2"], "the scratch engine is one process"),
        (["--processes", "0"], "--processes: expected 1 or more"),
        (["--processes", "two"], "--processes: expected an integer"),
        (["--processes", "65", "--batch-size", "64"], "leaves a batch of 28"),
        (["--processes", "2", "--batch-size", "3"], "every process needs 2 of its own"),
        (["--processes", "2", "--device", "cuda:7"], "--device cuda:7"),
    ],
)
def test_bad_input_is_one_line(capsys, tmp_path, words, message):
    status = 1 if "cuda:7" in words else 2
    words = ["--device", "cpu", *words]  # the last one counts
    assert message in refused(capsys, status, ["train", "moons", *words, "--out", tmp_path / "run"])
    assert not (tmp_path / "run").exists()
