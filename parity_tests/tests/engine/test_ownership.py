"""Who owns an array (see `scratch.nn.layer`): what forward saved is not changed by what its caller does afterwards."""

import numpy as np
import pytest

import scratch
import scratch.nn as nn
from parity_tests.catalogue import of_kind
from parity_tests.harness.arrays import array
from parity_tests.harness.outputs import upstream_for, with_gradient
from scratch.kernels import memory
from scratch.nn import Parameter
from scratch.nn.ownership import can_be_written, own, owned, private, to_read

ENTRIES = of_kind("layer", "loss", "distribution")
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
each_mode = pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])


def as_view(x):
    """Return a read-only view of a writable array."""
    view = x.view()
    view.setflags(write=False)
    return view


def behind_identity(x):
    return nn.Identity()(x) if x.dtype.kind == "f" else as_view(x)


WAYS = {"itself": lambda x: x, "a view": as_view, "behind Identity": behind_identity}


def run(case, inputs, spoil_inputs, spoil_output, way=WAYS["itself"]):
    """Return the gradients of a backward, after overwriting what a caller can reach; None if no output is writable."""
    scratch.manual_seed(0)
    case.layer.zero_grad()
    case.layer.train(case.layer.training)
    inputs = [np.array(x, order="C") for x in inputs]
    returned = case.layer(*map(way, inputs))
    outputs, grads = with_gradient(returned), upstream_for(returned, np.random.default_rng(0))
    if spoil_inputs:
        for x in inputs:
            x[...] = 0 if x.dtype.kind == "i" else 0.5
    if spoil_output and outputs[0].ndim:
        spoiled = [y for y in outputs if y.flags.writeable]
        if not spoiled:
            return None
        for y in spoiled:
            y[...] = 0.5
    grads = case.layer.backward(*grads)
    grads = grads if isinstance(grads, tuple) else (grads,)
    return [*map(np.array, grads), *[p.grad.copy() for p in case.layer.parameters() if p.grad is not None]]


@each_entry
@each_mode
@pytest.mark.parametrize("way", WAYS)
def test_inputs_may_be_overwritten_once_forward_has_returned(entry, plain, way):
    with scratch.plain(plain), np.errstate(all="ignore"):
        for seed in range(4):
            case = entry.case("float64", seed, batch=3)
            expected, found = (run(case, case.inputs, spoil, False, WAYS[way]) for spoil in (False, True))
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(one, other)


@each_entry
@each_mode
def test_an_output_that_backward_reads_cannot_be_written_to(entry, plain):
    with scratch.plain(plain), np.errstate(all="ignore"):
        for seed in range(4):
            case = entry.case("float64", seed, batch=3)
            expected, found = (run(case, case.inputs, False, spoil) for spoil in (False, True))
            for one, other in zip(expected, found or expected, strict=True):
                np.testing.assert_array_equal(one, other)


@each_entry
@each_mode
def test_what_a_layer_returns_shares_no_writable_memory_with_what_it_was_given(entry, plain):
    with scratch.plain(plain), np.errstate(all="ignore"):
        case = entry.case("float64", 2, batch=3)
        inputs = [np.array(x, order="C") for x in case.inputs]
        returned = case.layer(*inputs)
        upstream = upstream_for(returned, np.random.default_rng(0))
        grads = case.layer.backward(*upstream)
        grads = grads if isinstance(grads, tuple) else (grads,)
        pairs = [(y, x) for y in with_gradient(returned) for x in inputs]
        for result, given in pairs + [(one, other) for one in grads for other in upstream]:
            if isinstance(result, np.ndarray) and np.may_share_memory(result, np.asarray(given)):
                assert not result.flags.writeable


def test_a_layer_copies_what_it_keeps_only_if_somebody_can_write_to_it():
    x, y = array((2, 3)), array((2, 3), seed=1)
    kept = own((y, x, 2.0), 1)
    assert kept[0] is y
    assert kept[1] is not x
    np.testing.assert_array_equal(kept[1], x)
    first, second, _ = own((x, x, y), 0)
    assert first is second
    assert first is not x
    x.setflags(write=False)
    saved = y, x, 2.0
    assert own(saved, 1) is saved
    assert own(saved, 2) is saved


def test_who_can_write_to_an_array():
    x = np.zeros((2, 3))
    locked = np.zeros((2, 3))
    locked.setflags(write=False)
    reused = memory.empty((64, 1024))
    part = reused[1:].reshape(-1)
    part.setflags(write=False)
    assert can_be_written(x)
    assert can_be_written(as_view(x[1:]))
    assert can_be_written(as_view(x.T[1:].T))
    assert not can_be_written(locked)
    assert not can_be_written(locked[1:])
    assert not can_be_written(part)  # reused memory, which nobody has
    assert can_be_written(reused)


def test_who_may_write_to_what_is_private_owned_or_to_be_read():
    x, other = array((2, 3)), array((3, 2), seed=1)
    copy = owned(x)
    assert copy is not x
    assert not copy.flags.writeable
    assert owned(copy) is copy
    assert not np.may_share_memory(copy, x)
    part = other[1:]
    assert to_read(part, x) is part
    assert part.flags.writeable
    assert private(other) is other
    assert not other.flags.writeable
    assert private((x, other)) == (x, other)
    assert x.flags.writeable
    for result in (x, x.T, x[1:]):
        view = to_read(result, x)
        assert np.may_share_memory(view, x)
        assert not view.flags.writeable
        assert result.flags.writeable


@pytest.mark.parametrize("first", [nn.Identity, nn.Flatten, lambda: nn.Dropout(0.0), lambda: nn.Dropout(0.5).eval()])
def test_a_batch_buffer_may_be_refilled_where_the_first_layer_returns_its_argument(first):
    linear = nn.Linear(6, 2, dtype="float64")
    model, grad, gradients = nn.Sequential(first(), linear), array((4, 2), seed=1), []
    model[0].train(model[0].training)
    for refilled in (False, True):
        x = array((4, 6))
        model(x)
        if refilled:
            x[...] = 0
        linear.zero_grad()
        model.backward(grad)
        gradients.append(linear.weight.grad)
    np.testing.assert_array_equal(*gradients)


def test_without_a_backward_to_come_nothing_is_copied():
    x = array((4, 6))
    with scratch.no_grad():
        assert np.may_share_memory(nn.Flatten()(x), x)
    assert not np.may_share_memory(nn.Flatten()(x), x)
    x.setflags(write=False)
    assert np.may_share_memory(nn.Flatten()(x), x)


def test_after_its_backward_an_output_can_be_written_to():
    layer = nn.ReLU()
    y = layer(array((2, 3)))
    layer.backward(array((2, 3)))
    y += 1.0


def test_two_parameters_given_one_gradient_do_not_share_it():
    one, other, grad = Parameter(np.zeros(3)), Parameter(np.zeros(3)), np.ones(3)
    one.add_grad(grad)
    other.add_grad(grad)
    one.add_grad(np.ones(3))
    assert other.grad.tolist() == grad.tolist() == [1.0, 1.0, 1.0]


class Keeping(nn.Module):
    """A user's own module, which keeps what it returns."""

    def forward(self, x):
        self.kept = x * 2
        return self.kept

    def backward(self, grad_output):
        return grad_output * 2


def test_a_sequential_copies_nothing_between_its_layers():
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    nn.Sequential(first, second)(array((5, 3), seed=0, dtype="float32"))
    (x,) = second.record().saved
    assert x.shape == (5, 4)
    assert x.base is None  # the first layer's output itself, and locked
    assert not x.flags.writeable


def test_what_a_module_in_a_sequential_keeps_may_be_overwritten():
    gradients = []
    for spoil in (False, True):
        scratch.manual_seed(0)
        keeping, last = Keeping(), nn.Linear(4, 2, dtype="float64")
        model = nn.Sequential(nn.Linear(3, 4, dtype="float64"), keeping, last)
        y = model(array((5, 3), seed=0, dtype="float64"))
        if spoil:
            keeping.kept[...] = 7
        model.backward(array(y.shape, seed=1, dtype="float64"))
        gradients.append(last.weight.grad)
    np.testing.assert_array_equal(*gradients)


def test_the_output_of_a_sequential_may_be_written_to():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model(array((5, 3), seed=0, dtype="float32"))[...] = 0


def test_a_sequential_whose_layer_was_replaced_asks_again_whose_outputs_are_private():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), array((5, 3), seed=0, dtype="float32")
    model(x)
    keeping = Keeping()
    setattr(model, "0", keeping)
    model.train()
    model(x)
    keeping.kept[...] = 7  # the module's own
