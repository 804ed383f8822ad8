"""Chunks on threads: each is done once, errors come back, and the BLAS gets its threads back afterwards."""

import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

import scratch
import scratch.nn as nn
from scratch import dispatch
from scratch.kernels import batchnorm, blas, threads


def blas_threads():
    """Return how many threads the BLAS uses, or None if it cannot be asked."""
    return blas.get_num_threads() if blas.can_be_told() else None


@pytest.mark.parametrize("items", [0, 1, 2, 37])
def test_every_task_runs_once(count, items):
    done = []
    threads.run(done.append, range(items))
    assert sorted(done) == list(range(items))


def test_several_threads_work_at_once():
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    try:
        if threads.get_num_threads() == 1:
            pytest.skip("a BLAS that cannot be told its number of threads")
        # Neither thread gets past the barrier alone.
        barrier = threading.Barrier(2, timeout=10)
        threads.run(lambda _: barrier.wait(), range(2))
    finally:
        threads.set_num_threads(before)


def test_no_more_threads_share_work_than_the_gil_lets_through(monkeypatch):
    before, names = threads.get_num_threads(), set()
    monkeypatch.setattr(threads, "MOST_WORKERS", 3)
    threads.set_num_threads(6)
    try:
        threads.run(lambda _: names.add(threading.current_thread()) or time.sleep(0.01), range(30))
        assert len(names) <= 3
        assert threads.workers(1000) == min(threads.get_num_threads(), 3)
    finally:
        threads.set_num_threads(before)


def test_each_thread_begins_with_a_share_of_its_own():
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    try:
        if threads.get_num_threads() == 1:
            pytest.skip("a BLAS that cannot be told its number of threads")
        for _ in range(5):
            barrier, began = threading.Barrier(2, timeout=10), {}

            def task(item, barrier=barrier, began=began):
                if item in (0, 3):  # the first of each half: neither gets past the barrier alone
                    barrier.wait()
                    began[item] = threading.current_thread()

            threads.run(task, range(6))
            assert began[0] is threading.main_thread()
            assert began[3].name == "scratch"
    finally:
        threads.set_num_threads(before)


def test_what_a_task_knew_of_is_let_go_of(count):
    kept = np.zeros(10)
    alive = weakref.ref(kept)
    threads.run(lambda index, kept=kept: kept[index], range(8))
    del kept
    deadline = time.monotonic() + 10
    while alive() is not None and time.monotonic() < deadline:
        time.sleep(0.001)  # a helper says that it is done a moment before it lets go
    assert alive() is None


def test_an_error_comes_back_and_leaves_things_in_order(count):
    before = blas_threads()

    def fail(index):
        if index == 3:
            raise ValueError("three")

    for _ in range(2):
        with pytest.raises(ValueError, match="three"):
            threads.run(fail, range(8))
        assert blas_threads() == before
    test_every_task_runs_once(count, 5)


def test_the_blas_stays_on_the_chunks_thread(count):
    before = blas_threads()
    if before is None:
        pytest.skip("a BLAS that cannot be told its number of threads")
    seen = []
    threads.run(lambda _: seen.append(blas_threads()), range(6))
    assert seen == [1] * 6
    assert blas_threads() == before == count


def test_a_run_inside_a_run_takes_its_tasks_in_turn(count):
    done = []
    threads.run(lambda outer: threads.run(lambda inner: done.append((outer, inner)), range(3)), range(4))
    assert sorted(done) == [(outer, inner) for outer in range(4) for inner in range(3)]


def test_errstate_reaches_the_helpers(count):
    zeros = np.zeros(1000)
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        threads.run(lambda _: zeros / 0, range(16))


@pytest.mark.parametrize(
    ("images", "image_bytes", "expected"),
    [(0, 8, []), (3, 1, [slice(0, 3)]), (2, 1 << 40, [slice(0, 1), slice(1, 2)]), (1, 0, [slice(0, 1)])],
)
def test_chunks_divide_the_batch(images, image_bytes, expected):
    assert threads.chunks(images, image_bytes) == expected


def test_chunks_hold_what_fits_the_cache():
    parts = threads.chunks(131, threads.CACHE_BYTES // 5)
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert (parts[0].start, parts[-1].stop) == (0, 131)
    assert max(part.stop - part.start for part in parts) == 5


@pytest.mark.parametrize(
    ("images", "fit", "parts"), [(128, 11, 16), (96, 8, 12), (32, 6, 8), (128, 64, 2), (128, 5, 32), (90, 11, 10)]
)
def test_chunks_have_one_size_where_half_as_many_again_do_it(images, fit, parts):
    sizes = {part.stop - part.start for part in threads.chunks(images, threads.CACHE_BYTES // fit)}
    assert sizes == {images // parts}


@pytest.mark.parametrize(("image_bytes", "parts"), [(threads.SMALL_BYTES // 8, 1), (threads.SMALL_BYTES // 8 + 1, 2)])
def test_little_work_is_not_divided(image_bytes, parts):
    assert len(threads.chunks(8, image_bytes)) == parts


@pytest.mark.parametrize("images", [2, 3, 7, 128])
def test_two_threads_have_the_same_to_do(images):
    parts = threads.chunks(images, threads.CACHE_BYTES // 2 + 1)
    sizes = [part.stop - part.start for part in parts]
    assert sizes == [1] * images
    parts = threads.chunks(9 * images, threads.CACHE_BYTES // (3 * images))
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == 4
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("n", "error"), [(0, RuntimeError), (-1, RuntimeError), (1.5, TypeError)])
def test_refuses_what_is_no_number_of_threads(n, error):
    with pytest.raises(error, match="set_num_threads"):
        threads.set_num_threads(n)


def test_the_environment_is_heeded():
    command = "from scratch.kernels import threads; print(threads.get_num_threads())"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_can_run_too():
    threads.run(lambda _: None, range(4))
    child = os.fork()
    if child == 0:
        done = []
        threads.run(done.append, range(4))
        os._exit(0 if sorted(done) == [0, 1, 2, 3] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_last_to_leave_gives_the_blas_its_threads_back(count):
    if not blas.can_be_told():
        pytest.skip("a BLAS that cannot be told its number of threads")
    inside, leave = threading.Barrier(2, timeout=10), threading.Event()

    def stay():
        with blas.one_blas_thread:
            inside.wait()
            leave.wait(10)

    other = threading.Thread(target=stay)
    with blas.one_blas_thread, blas.one_blas_thread:
        other.start()
        inside.wait()
        assert blas_threads() == 1
        threads.set_num_threads(count + 1)
        assert blas_threads() == 1
    assert blas_threads() == 1
    leave.set()
    other.join()
    assert blas_threads() == threads.get_num_threads() == count + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_those_that_were_inside():
    threads.run(lambda _: None, range(4))
    before, inside, leave = blas_threads(), threading.Event(), threading.Event()

    def stay():
        with blas.one_blas_thread:
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    other.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if blas_threads() == before else 1)
    leave.set()
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_layer_called_by_itself_keeps_to_one_blas_thread(monkeypatch):
    seen = []
    forward = batchnorm.batch_norm
    dispatch.plans.get().clear()
    monkeypatch.setattr(batchnorm, "batch_norm", lambda *arguments: seen.append(blas_threads()) or forward(*arguments))
    dispatch.kernel_of.cache_clear()
    try:
        nn.BatchNorm1d(3)(np.ones((2, 3), np.float32))
    finally:
        monkeypatch.undo()
        dispatch.kernel_of.cache_clear()
        dispatch.plans.get().clear()
    assert seen in ([1], [None])


@pytest.mark.parametrize("rows", [0, 1, 3, 40])
def test_every_part_of_a_big_array_is_visited_once(count, rows):
    counts = np.zeros((rows, 200_000), np.int8)
    threads.each_part(lambda part: np.add(part, 1, out=part), counts)
    assert (counts == 1).all()


CPU_TIME_OF_THE_BLAS_THREADS = """
import os, sys, threading, time
from pathlib import Path

from benchmarks.speed.contenders import Scratch
from benchmarks.speed.timing import come_to_rest
from benchmarks.speed.work import layers
from scratch.kernels import blas

contender = Scratch(2)
if not blas.can_be_told():
    sys.exit("no BLAS whose threads can be told apart")

def cpu_time():
    ours = {thread.native_id for thread in threading.enumerate()}
    stats = [task / "stat" for task in Path("/proc/self/task").iterdir() if int(task.name) not in ours]
    fields = [stat.read_text().rsplit(")", 1)[1].split() for stat in stats]
    return sum(int(user) + int(system) for user, system in (one[11:13] for one in fields)) / os.sysconf("SC_CLK_TCK")

for batch, frames, dtype in ((16, 8, "float32"), (16, 8, "float64"), (1, 1, "float32")):
    for row in layers(batch, frames):
        run = contender.layer(row, dtype)
        run()
        for _ in range(3):
            come_to_rest()  # OpenBLAS's threads begin with spinning, too; on a busy machine they may just have no turn
            before = cpu_time()
            run()
            time.sleep(0.04)
            spent = cpu_time() - before
            if spent <= 0.015:
                break
        print(f"{row.name} of {row.shape} {dtype}:{spent}")
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the CPU time of each thread")
def test_no_layer_wakes_the_threads_of_the_blas():
    """Once awake they spin for more than 100 ms, on the core that the next layer's second thread needs."""
    command = [sys.executable, "-c", CPU_TIME_OF_THE_BLAS_THREADS]
    answer = subprocess.run(command, capture_output=True, text=True)
    if "no BLAS" in answer.stderr:
        pytest.skip(answer.stderr)
    assert answer.returncode == 0, answer.stderr
    seconds = dict(line.split(":") for line in answer.stdout.splitlines())
    assert len(seconds) > 60
    assert {name: spent for name, spent in seconds.items() if float(spent) > 0.015} == {}


def test_layers_called_by_several_threads_at_once_agree_to_rounding(count):
    layer = nn.Conv2d(1, 8, 3, padding=1).eval()
    x = np.random.default_rng(0).normal(size=(128, 1, 14, 14)).astype(np.float32)
    expected, found = layer(x), []

    def call():
        with scratch.no_grad():
            found.extend(layer(x) for _ in range(4))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 16
    for output in found:
        if count == 1:
            assert np.array_equal(output, expected)  # bit for bit: nobody touches the BLAS's threads
        else:
            assert np.abs(output - expected).max() <= 1e-5 * np.abs(expected).max()
