"""Reused memory: it is never handed out while an array can still see it, and is handed out again once none can."""

import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scratch.kernels import memory

SHAPE = (64, 1024)


@pytest.fixture(autouse=True)
def _an_empty_pool():
    memory.clear()
    yield
    memory.clear()


def address(array):
    """Return where an array's memory begins."""
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_holds_is_handed_out_again():
    first = memory.empty(SHAPE)
    place = address(first)
    del first
    assert address(memory.empty(SHAPE)) == place


@pytest.mark.parametrize(
    "look",
    [
        lambda array: array,
        lambda array: array[3:5, ::2],
        lambda array: array.reshape(-1)[7:8],
        lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (4, 4)),
        lambda array: array.view(np.int32)[0],
        lambda array: memoryview(array),
        lambda array: iter(array),
        lambda array: array.flat,
    ],
)
def test_memory_that_somebody_sees_is_not(look):
    array = memory.empty(SHAPE)
    place = address(array)
    seen = look(array)
    del array
    gc.collect()
    assert address(memory.empty(SHAPE)) != place
    del seen
    assert address(memory.empty(SHAPE)) == place


def test_two_arrays_never_share_memory():
    arrays = [memory.empty(SHAPE) for _ in range(5)]
    for index, array in enumerate(arrays):
        array[...] = index
    assert [array.min() == array.max() == index for index, array in enumerate(arrays)] == [True] * 5


def test_shape_dtype_and_order():
    for dtype in (np.float32, np.float64, np.uint8, bool):
        array = memory.empty((64, 8, 40, 30), dtype)
        assert (array.shape, array.dtype) == ((64, 8, 40, 30), dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert address(array) % 64 == 0
    images = memory.empty((8, 16, 40, 30), channels_last=True)
    assert images.shape == (8, 16, 40, 30)
    assert images.transpose(0, 2, 3, 1).flags.c_contiguous
    assert memory.is_channels_last(images)
    assert memory.is_channels_last(memory.empty_like(images))
    assert memory.empty_like(images, (1, 2, 3, 4), np.int8).shape == (1, 2, 3, 4)
    assert not memory.is_channels_last(memory.empty_like(np.zeros((2, 3, 4, 5))))
    assert memory.empty((0, 3, 4, 4), channels_last=True).shape == (0, 3, 4, 4)


def test_in_order_of_copies_only_where_the_orders_differ():
    images = memory.empty((8, 16, 40, 30), channels_last=True)
    planes = np.ones(images.shape, np.float32)
    assert memory.in_order_of(planes, planes) is planes
    copy = memory.in_order_of(planes, images)
    assert memory.is_channels_last(copy)
    np.testing.assert_array_equal(copy, planes)


def test_small_arrays_are_numpys():
    memory.empty((10,))
    assert memory.held() == 0


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", 1 << 20)
    kept = [memory.empty((1 << 16,)) for _ in range(8)]  # 2 MiB, all in use
    assert memory.held() <= 1 << 20
    for index, array in enumerate(kept):
        array[...] = index
    assert [array[-1] for array in kept] == list(range(8))
    del kept, array
    large = memory.empty((3 << 16,))
    assert memory.held() <= 1 << 20
    assert memory.held() >= large.nbytes


def test_slightly_smaller_arrays_find_the_same_memory():
    first = memory.empty((100, 1000))
    place = address(first)
    del first
    assert address(memory.empty((99, 1000))) == place


def test_threads_get_memory_of_their_own():
    wrong = []

    def work(number):
        for _ in range(300):
            array = memory.empty(SHAPE)
            array[0] = number
            array[-1] = number
            if not (array[0] == number).all() or not (array[-1] == number).all():
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def in_another_thread(work):
    """Run ``work`` in a thread, let the thread end, and return the result."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


def test_a_threads_memory_is_handed_out_again_to_itself_only():
    def ask():
        array = memory.empty(SHAPE)
        return address(array)

    ours = ask()
    kept = memory.held()
    with ThreadPoolExecutor(1) as executor:
        theirs = [executor.submit(ask).result() for _ in range(3)]
        assert theirs == [theirs[0]] * 3
        assert theirs[0] != ours
        assert memory.held() == 2 * kept
        assert ask() == ours
        memory.clear()
        assert memory.held() == 0


def test_the_memory_of_a_thread_that_has_ended_goes_with_it():
    array = in_another_thread(lambda: memory.empty(SHAPE))
    gc.collect()
    assert memory.held() == 0
    array[...] = 1.0  # still ours
    assert memory.empty(SHAPE) is not array


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_another_thread_asks_for_memory_gets_some():
    with memory._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # ends a child that waits for the lock
            memory.empty(SHAPE)[...] = 1
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_was_not_asked_for_longest_is_kept_no_more(monkeypatch):
    monkeypatch.setattr(memory, "MOST_KEPT", 2)
    made = []

    def ask(key):
        return memory.kept(key, lambda: made.append(key) or f"thing {key}")

    assert [ask(key) for key in "abab"] == ["thing a", "thing b"] * 2
    assert made == ["a", "b"]
    ask("c")  # in place of a
    ask("b")
    assert made == ["a", "b", "c"]
    ask("a")  # in place of c
    ask("b")
    assert made == ["a", "b", "c", "a"]
    memory.clear()
    ask("b")
    assert made[-1] == "b"


def test_each_thread_keeps_things_of_its_own():
    with ThreadPoolExecutor(1) as other:
        ours, theirs = memory.kept("key", object), other.submit(memory.kept, "key", object).result()
        assert ours is not theirs
        assert memory.kept("key", object) is ours
        assert other.submit(memory.kept, "key", object).result() is theirs
