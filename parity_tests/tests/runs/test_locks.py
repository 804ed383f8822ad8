"""A folder belongs to one run at a time, and to nobody once its holder has ended, however it ended."""

import contextlib
import os
import signal
import threading
import time

import pytest

from benchmarks import cli
from benchmarks.errors import Failure
from benchmarks.runs import folder, lock, record
from parity_tests.harness import processes
from parity_tests.tests.commands.test_cli import refused
from parity_tests.tests.runs.test_kills import PRELOADED, in_child
from parity_tests.tests.runs.test_resume import posix, signalled

RUN = ["train", "moons", "--engine", "scratch", "--epochs", "2", "--batch-size", "500"]
AT_ONCE = 6


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a function that starts command lines at the same moment, and returns their exit statuses and output."""
    if os.name != "posix":
        pytest.skip("needs fork")
    context = processes.context(PRELOADED)
    folder_of_words = tmp_path_factory.mktemp("said")

    def start_all(*command_lines):
        ready = context.Barrier(len(command_lines))
        files = [folder_of_words / str(number) for number in range(len(command_lines))]
        started = [
            context.Process(target=together, args=(ready, argv, str(file)))
            for argv, file in zip(command_lines, files, strict=True)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(120)
        return [process.exitcode for process in started], [file.read_text() for file in files]

    return start_all


def together(ready, argv, said):
    """Wait until all the others are ready, then run a command line."""
    ready.wait(60)
    in_child(argv, said)


def test_of_runs_started_at_once_into_one_folder_one_comes_to_its_end(start, tmp_path):
    run = tmp_path / "run"
    statuses, said = start(*([*RUN, "--seed", seed, "--out", run] for seed in range(AT_ONCE)))
    assert sorted(statuses) == [0] + [1] * (AT_ONCE - 1)
    assert record.load_config(run)["settings"]["seed"] == statuses.index(0)
    assert record.load_history(run)
    for status, words in zip(statuses, said, strict=True):
        assert status == 0 or f"{run} is" in words.splitlines()[-1]


def test_runs_that_are_given_no_folder_at_once_have_one_each(tmp_path):
    runs, failures = [], []

    def take():
        try:
            with folder.new_folder(tmp_path / "runs" / "moons", numbered=True) as run:
                runs.append(run)
                (run / "config.json").write_text("{}")
                time.sleep(0.05)
        except Failure as error:
            failures.append(error)

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(runs)) == 20


def test_of_three_resumes_at_once_one_goes_on(start, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as context:
        signalled(context, "scratch", 4)
        assert cli.main([str(word) for word in [*RUN, "--epochs", "40", "--out", run]]) == 143
    statuses, said = start(*(["train", "--resume", run],) * 3)
    assert sorted(statuses) == [0, 1, 1]
    assert all(f"{run} is taken: process " in words for status, words in zip(statuses, said, strict=True) if status)
    assert sorted(os.listdir(run)) == ["config.json", "history.json", "model.safetensors"]


@posix
def test_a_command_that_is_refused_leaves_the_run_that_has_the_folder_alone(capsys, tmp_path):
    run = tmp_path / "run"
    with folder.new_folder(run):
        record.write_config(run, {"unfinished": {}})
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        capsys.readouterr()
        for words in (RUN, [*RUN, "--batch-size", "1499"], ["demo"]):
            assert f"{run} is taken" in refused(capsys, 1, [*words, "--out", run])
        assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert os.listdir(run) == ["config.json"]


@posix
def test_a_lock_ends_with_its_holder(tmp_path):
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        with lock.locked(tmp_path):
            os.write(writer, b".")
            time.sleep(600)
    os.read(reader, 1)
    assert lock.is_locked(tmp_path)
    with pytest.raises(Failure, match=f"taken: process {holder} is working in it"), lock.locked(tmp_path):
        pytest.fail("it was taken twice")
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert os.listdir(tmp_path) == [lock.NAME]
    assert not lock.is_locked(tmp_path)
    with lock.locked(tmp_path):
        assert lock.is_locked(tmp_path)
    assert os.listdir(tmp_path) == []


@contextlib.contextmanager
def unsigned(path):
    """Hold the lock of a folder like a process that has not yet written its number."""
    descriptor = os.open(path / lock.NAME, os.O_RDWR | os.O_CREAT)
    lock._lock(descriptor)
    yield descriptor
    os.close(descriptor)


def test_who_holds_a_lock_is_said_even_if_the_holder_has_not_yet_written_its_number(tmp_path):
    with unsigned(tmp_path) as descriptor:
        signing = threading.Timer(0.05, os.write, (descriptor, b"12345\n"))
        signing.start()
        with pytest.raises(Failure, match="taken: process 12345 is working in it"), lock.locked(tmp_path):
            pytest.fail("it was taken twice")
        signing.join()


def test_a_look_at_a_lock_keeps_nobody_from_taking_it(tmp_path):
    looking, entered = threading.Event(), threading.Event()

    def look():
        with unsigned(tmp_path):  # what `is_locked` holds while it looks
            looking.set()
            entered.wait(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    with lock.locked(tmp_path):
        entered.set()
    thread.join()


def test_a_lock_that_nobody_signs_is_still_held(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "UNSIGNED_FOR", 0.01)
    expected = pytest.raises(Failure, match="taken: another process is working in it")
    with unsigned(tmp_path), expected, lock.locked(tmp_path):
        pytest.fail("it was taken twice")


def test_a_lock_is_one_process_s_among_many_that_come_and_go(tmp_path):
    """Threads stand in for processes: a lock belongs to an open file, not to a process."""
    inside, most, entered = [0], [0], [0]

    def come_and_go():
        for _ in range(200):
            try:
                with lock.locked(tmp_path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    entered[0] += 1
                    time.sleep(0)
                    inside[0] -= 1
            except Failure:
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert entered[0] > 0
    assert os.listdir(tmp_path) == []


@posix
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)])
def test_what_has_the_name_of_a_lock_and_is_none(tmp_path, make):
    make(tmp_path / lock.NAME)
    before = os.lstat(tmp_path / lock.NAME)
    with pytest.raises(Failure), folder.new_folder(tmp_path):
        pytest.fail("the run began")
    assert os.path.samestat(os.lstat(tmp_path / lock.NAME), before)
