"""``bench --why``: that what moves is counted, that marked functions are the plain ones, that short rows say so."""

import json
import threading
from collections import Counter

import numpy as np
import pytest
import torch

import scratch
from benchmarks import cli
from benchmarks.speed import work
from benchmarks.speed.contenders import Plain, Scratch, TorchEager
from benchmarks.speed.why import calls, explain, operators, report, statements, traffic
from parity_tests.harness.derivation import derivations, files
from parity_tests.tests.commands.test_cli import refused
from scratch.kernels import memory, threads

RNG = np.random.default_rng(0)


class Rates:
    """Round rates, so that shares can be predicted."""

    def copying(self, size):
        return 1e9

    def products(self, dtype):
        return 1e9


def passes(function, *arrays):
    """Return the bytes that a function reads from and writes to counting arrays, and its result."""
    with traffic.counting(), traffic.noted() as moves:
        result = function(*map(traffic.counted, arrays))
    return sum(move.read for move in moves), sum(move.written for move in moves), traffic.bare(result)


def add_to_half(a, b):
    a[::2] += b
    return a


def write_half(a, b):
    a[::2] = b
    return a


A, B, ROW = RNG.random((6, 4)), RNG.random((3, 4)), RNG.random(4)


@pytest.mark.parametrize(
    ("function", "arrays", "read", "written"),
    [
        (lambda a, row: a + row, (A, ROW), A.nbytes + ROW.nbytes, A.nbytes),
        (lambda a: a * a, (A,), A.nbytes, A.nbytes),
        (lambda a: a.sum(axis=0), (A,), A.nbytes, ROW.nbytes),
        (lambda a: a.T[1:].reshape(6, -1), (A,), 18 * 8, 18 * 8),
        (lambda a: a.reshape(3, 8)[:, 2:].T, (A,), 0, 0),
        (lambda a, b: np.broadcast_to(a[0], (50, 4)) + 1, (A, B), ROW.nbytes, 50 * ROW.nbytes),
        (lambda a: np.lib.stride_tricks.sliding_window_view(a, (3, 3)).sum(), (A,), A.nbytes, 0),
        (add_to_half, (A.copy(), B), 2 * B.nbytes, B.nbytes),
        (write_half, (A.copy(), B), B.nbytes, B.nbytes),
        (lambda a: a[a > 0.5], (A,), A.nbytes + (A > 0.5).sum() * 8, A.size + (A > 0.5).sum() * 8),
        (lambda a: a[[0, 2]], (A,), 2 * ROW.nbytes, 2 * ROW.nbytes),
        (lambda a: np.take(a, [0, 2], axis=0), (A,), 2 * ROW.nbytes, 2 * ROW.nbytes),
        (lambda a, out: np.take(a, [0, 2, 4], axis=0, out=out), (A, B.copy()), B.nbytes, B.nbytes),
        (lambda a, out: np.clip(a, 0.2, 0.8, out=out), (A, A.copy()), A.nbytes, A.nbytes),
        (lambda a: np.cumsum(a, axis=0, out=a), (A.copy(),), A.nbytes, A.nbytes),
        (lambda a, b: np.where(a > 0.5, a, 0), (A, B), 2 * A.nbytes + A.size, A.nbytes + A.size),
        (lambda a: np.split(a, 2)[0], (A,), 0, 0),
        (lambda a, b: np.copyto(a, b[0]), (A.copy(), B), ROW.nbytes, A.nbytes),
        (lambda a: a[2, 3], (A,), 0, 0),
    ],
)
def test_each_call_of_numpy_reads_its_operands_once_and_writes_its_result_once(function, arrays, read, written):
    expected = function(*(array.copy() for array in arrays))
    found = passes(function, *(array.copy() for array in arrays))
    assert found[:2] == (read, written)
    np.testing.assert_equal(found[2], expected)
    assert type(found[2]) is type(expected)


def test_a_product_is_multiply_adds():
    with traffic.counting(), traffic.noted() as moves:
        traffic.counted(RNG.random((5, 2, 3))) @ RNG.random((3, 7))
    assert [(move.name, move.products) for move in moves] == [("matmul", 5 * 2 * 3 * 7)]


@pytest.mark.parametrize("size", [5, 1 << 19])  # in one piece, and in chunks on two threads
def test_a_kernel_moves_what_its_lines_say(size):
    threads.set_num_threads(2)
    layer, x = scratch.nn.ReLU(), RNG.standard_normal((4, size))

    def run():
        layer.backward(layer(x))

    forward, backward = calls.counted(run)
    assert forward.bytes == 3 * x.nbytes  # x, zeros, the larger of both
    assert forward.needed == 2 * x.nbytes
    assert backward.needed == 3 * x.nbytes
    assert (forward.which, forward.shape, forward.largest) == ("forward", x.shape, x.nbytes)
    plain_forward, plain_backward = calls.counted(run, plain=True)
    assert plain_forward.bytes == 2 * x.nbytes
    assert plain_backward.bytes == (2 + 1 / 8 + 1 / 8 + 1) * x.nbytes  # y, a mask, the mask and grad_y, grad_x


def test_counting_leaves_nothing_behind():
    layer, x = scratch.nn.Conv2d(16, 16, 3), RNG.standard_normal((4, 16, 9, 9)).astype(np.float32)

    def run():
        return layer.backward(layer(x))

    before = run()
    calls.counted(run)
    with traffic.counting(), traffic.noted():
        memory.kept("room", lambda: memory.empty((1 << 16,)))
    assert type(memory.kept("room", lambda: memory.empty((1 << 16,)))) is np.ndarray
    y = layer(x)
    grad_x = layer.backward(y)
    assert {type(y), type(grad_x), type(layer.weight.grad), type(memory.empty((1 << 16,)))} == {np.ndarray}
    kept = [one for pool in memory._pools for one in (*pool.kept.values(), *pool.blocks.values())]
    assert {type(array) for array in traffic.arrays_in(kept)} == {np.ndarray, memory.Memory}
    np.testing.assert_array_equal(run(), before)
    assert scratch.nn.conv.np is np


def add_at(a, b):
    np.add.at(a, [0, 0, 2], b)
    return a


def add_up(a, b):
    np.add(a[:3], b, out=a[:3])
    return np.cumsum(a, axis=0, out=a)


@pytest.mark.parametrize(
    "function", [add_to_half, write_half, add_at, add_up, lambda a, b: (a[:3] @ b.T).argmax(axis=1)]
)
def test_a_call_that_is_timed_by_itself_changes_no_result(function):
    expected = function(A.copy(), B.copy())
    with traffic.counting(), traffic.timing_alone(), traffic.noted() as moves:
        found = function(traffic.counted(A.copy()), traffic.counted(B.copy()))
    np.testing.assert_array_equal(traffic.bare(found), expected)
    assert all(move.seconds > 0 for move in moves)


def test_what_threads_share_is_done_by_one_and_counts_as_shared_out(monkeypatch):
    """Each call takes a second on this clock, and two threads share the three parts."""
    threads.set_num_threads(2)
    readings, workers = iter(range(1000)), set()
    monkeypatch.setattr(traffic, "perf_counter", lambda: next(readings))
    x = RNG.random((3, 5))

    def double(part):
        workers.add(threading.get_ident())
        threads.run(lambda row: np.multiply(x_[row], 2), [part])  # a run inside a run shares nothing out

    with traffic.counting(), traffic.timing_alone(), traffic.noted() as moves:
        x_ = traffic.counted(x)
        threads.run(double, range(3))
        threads.run(double, [0])
        x_ + x_
    assert [move.seconds for move in moves] == [0.5, 0.5, 0.5, 1.0, 1.0]
    assert workers == {threading.get_ident()}
    assert threads.get_num_threads() == 2
    with traffic.counting(), traffic.noted() as moves:
        traffic.counted(x) + 1
    assert [move.seconds for move in moves] == [0.0]


def test_a_kernels_calls_by_themselves_are_summed_by_name():
    threads.set_num_threads(2)
    layer, x = scratch.nn.ReLU(), RNG.standard_normal((4, 1 << 19))

    def run():
        layer.backward(layer(x))

    alone, before = calls.counted(run, alone=True), calls.counted(run)
    assert [(call.name, call.bytes) for call in alone] == [(call.name, call.bytes) for call in before]
    assert [set(call.alone) for call in alone] == [{move.name for move in call.moves} for call in alone]
    assert all(call.alone.total() > 0 for call in alone)
    assert not any(call.alone.total() for call in before)


@pytest.mark.parametrize("row", work.layers(batch=2, frames=1), ids=lambda row: f"{row.name}, {row.network}")
def test_the_plain_functions_multiply_as_often_as_a_row_says(row):
    plain, kernels = (calls.counted(engine(1).layer(row, "float64"), engine is Plain) for engine in (Plain, Scratch))
    if row.products:
        for which, count in (("forward", 1), ("backward", 2)):
            assert sum(one.products for one in plain if one.which == which) == count * row.products
    assert [(one.name, one.which) for one in kernels] == [(one.name, one.which) for one in plain]
    if row.name != "Dropout" and not row.indices:  # what is drawn is an argument; of a table, few rows are read
        assert all(one.bytes >= one.needed > 0 for one in kernels)


def test_every_plain_function_can_be_marked():
    count = 0
    for module in files():
        for derivation in derivations(module):
            for which, some in (("", derivation.forward), ("_backward", derivation.backward)):
                labelled = [one.line for one in some if one.label]
                if labelled:
                    function = getattr(derivation.module, derivation.name + which)
                    marked = statements.marked(function, labelled, lambda: 0, lambda marks: None)
                    assert (
                        marked.__code__.co_varnames[: function.__code__.co_argcount]
                        == (function.__code__.co_varnames[: function.__code__.co_argcount])
                    )
                    count += 1
    assert count > 100


def test_a_marked_function_computes_the_same_and_says_when():
    x, weight, bias = RNG.random((5, 3)), RNG.random(3), RNG.random(3)
    function = scratch.nn.batchnorm.batch_norm
    heard, now = [], iter(range(100))
    lines = [one.line for one in statements.statements_of((function,), "forward") if one.label]
    marked = statements.marked(function, lines, lambda: next(now), heard.append)
    np.testing.assert_array_equal(marked(x, weight, bias, 1e-5)[0], function(x, weight, bias, 1e-5)[0])
    assert heard == [list(range(9))]  # F1 to F8


def test_lines_add_up_to_their_function():
    row = work.layers(batch=2, frames=1)[3]
    run = Plain(1).layer(row, "float32")
    found, seconds = statements.lines(run, 2)
    whole = calls.counted(run, plain=True)
    assert [line.label for line in found][:3] == ["F1", "F2", "F3"]
    assert sum(move.bytes for line in found for move in line.moves) == sum(one.bytes for one in whole)
    assert {line.label: sum(move.products for move in line.moves) for line in found}["F6"] == row.products
    assert 0 < sum(line.seconds for line in found) < seconds
    assert {line.times for line in found} == {1}


def test_a_step_is_split_into_its_layers_the_loss_and_the_optimizers_rule():
    found = calls.counted(Scratch(1).step(work.mlp_step(), "float64"))
    assert [one.name for one in found][:4] == ["linear", "batch_norm", "relu", "dropout"]
    assert found[-1].which == "update"
    assert found[-1].needed == 7 * 8 * sum(one.size for one in _mlp_parameters())  # w, g, m, v; and w, m, v
    with calls.timed() as seconds:
        Scratch(1).step(work.mlp_step(), "float64")()
    assert len(seconds) == len(found)
    lines, _ = statements.lines(Plain(1).step(work.mlp_step(), "float64"), 1)
    assert {line.function for line in lines} >= {"linear", "batch_norm", "relu", "dropout", "cross_entropy", "adam"}
    assert next(line for line in lines if (line.function, line.label) == ("linear", "F1")).times == 3


def _mlp_parameters():
    return [one.data for one in work.mlp_step().build(scratch.models, "float64").parameters()]


def test_pytorchs_operators_move_their_operands():
    row = work.Layer("ReLU", "", lambda nn, dtype: nn.ReLU(), (7, 11))
    found, seconds = operators.operators(TorchEager(1).layer(row, "float64"), 2)
    by_name = {one.name: one for one in found}
    size = 7 * 11 * 8
    assert (by_name["aten::relu"].bytes, by_name["aten::relu"].largest) == (2 * size, size)
    assert by_name["aten::threshold_backward"].bytes == 3 * size
    assert by_name["aten::detach"].bytes == 0
    assert 0 < sum(one.seconds for one in found) < seconds
    linear = work.Layer("Linear", "", lambda nn, dtype: nn.Linear(11, 5, dtype=dtype), (7, 11))
    found, _ = operators.operators(TorchEager(1).layer(linear, "float64"), 2)
    assert sum(one.products for one in found) == 3 * 7 * 11 * 5


def test_an_operator_in_place_reads_and_writes():
    a, b = torch.ones(3, 5), torch.ones(5)
    found, _ = operators.operators(lambda: (a.add_(b), a.view(15), torch.empty(100)), 1)
    moved = {one.name: one.bytes for one in found}
    assert moved == {"aten::add_": 4 * (15 + 5 + 15), "aten::view": 0, "aten::empty": 0}
    found, _ = operators.operators(lambda: b.expand(7, 5) + 1, 1)
    assert {one.name: one.bytes for one in found}["aten::add"] == 4 * (5 + 35)


def small():
    return work.Layer("BatchNorm1d", "MLP", lambda nn, dtype: nn.BatchNorm1d(6, dtype=dtype), (9, 6))


@pytest.fixture
def explanation():
    return explain.explain(small(), "float64", 2, 1)


def test_an_explanation_adds_up(explanation, capsys):
    assert [split.engine for split in explanation.splits] == ["scratch", "torch", "plain"]
    for split in explanation.splits:
        if split.is_split:
            assert sum(part.seconds for part in split.parts) + split.around == pytest.approx(split.watched)
    scratchs = explanation.splits[0]
    assert [part.step for part in scratchs.parts] == ["batch_norm, forward, 9 x 6", "batch_norm, backward, 9 x 6"]
    assert explanation.input_bytes == 9 * 6 * 8
    assert report.needed(explain.Part("", 1.0, 0, 30, 1, 100, 2_000), "float64", Rates()) == pytest.approx(2e-6)
    assert report.needed(explain.Part("", 1.0, 0, 3_000, 1, 100, 2_000), "float64", Rates()) == pytest.approx(6e-6)
    words = report.sentence(explanation, Rates())
    assert words.startswith("BatchNorm1d, 9 x 6, float64: scratch takes ")
    assert f"{scratchs.bytes / (9 * 6 * 8):.3g} times in {scratchs.calls} NumPy calls" in words
    alone = sum(part.alone.total() for part in scratchs.parts)
    assert scratchs.alone.total() == pytest.approx(alone)
    assert f"Its NumPy calls by themselves take {1e3 * alone:.3g} ms, " in words


def test_what_a_share_is_of():
    part = explain.Part("", 2.0, 500_000_000, 250_000_000, 3, 1, 0)
    cells = report._cells(report.UNITS[False], "float64", Rates(), part, 8.0)
    assert cells == ["2000", "25%", "500", "25%", "250", "25%", "3", "", ""]
    part.alone = Counter(exp=1.0, add=0.5)
    assert report._cells(report.UNITS[False], "float64", Rates(), part, 8.0)[-1] == "1500"


def test_the_calls_that_take_longest_are_named():
    part = explain.Part("", 2.0, 0, 0, 9, 1, 0, Counter(add=0.25, exp=0.5, square=0.05, sqrt=0.2))
    ours, theirs = explain.Split("scratch", 2.0, [part], 2.0, 0.0), explain.Split("torch", 0.5, [], 0.5, 0.0)
    assert report._alone(ours, theirs, 2) == (
        "Its NumPy calls by themselves, shared out among 2 threads, take 1e+03 ms, 50% of scratch's time and 2.00 "
        "times PyTorch's (exp 50%, add 25%, sqrt 20%)."
    )


def test_a_row_that_is_too_short_says_so(monkeypatch):
    monkeypatch.setattr(explain, "LARGEST_OVERHEAD", 0.0)
    monkeypatch.setattr(explain, "LARGEST_PROFILING", 0.0)
    found = explain.explain(small(), "float64", 1, 1)
    assert not any(split.is_split for split in found.splits)
    assert all("too short a row to split" in report.trust(split) for split in found.splits)
    assert report.table(found, Rates()).row_count == 3
    assert "Longest" not in report.sentence(found, Rates())


def test_a_layer_is_explained(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(work, "layers", lambda: [small()])
    monkeypatch.setattr("benchmarks.speed.machine.product_rate", lambda dtype, threads: 1e9)
    monkeypatch.setattr("benchmarks.speed.machine.copy_rate", lambda size, threads: 1e9)
    options = ["--rounds", "2", "--repeats", "1", "--threads", "1", "--out", str(tmp_path / "a.json")]
    assert cli.main(["bench", "layers", "--why", *options]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("BatchNorm1d, 9 x 6, float32, 1 thread ") == 1
    assert "F1 mean = x.sum(axis=0) / len(x)" in shown or "too short a row to split" in shown
    assert shown.count("scratch takes") == 2  # a sentence for each dtype
    assert len(json.loads((tmp_path / "a.json").read_text())["rows"]) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--why"], "--why: train cannot be split; choose from layers, steps"),
        (["steps", "scaling", "--why"], "--why: scaling cannot be split"),
        (["steps", "--why", "--threads", "1,2"], "--why explains one number of threads at a time"),
    ],
)
def test_what_cannot_be_explained_is_refused(arguments, words, capsys):
    assert words in refused(capsys, 2, ["bench", *arguments])
