"""Which forward a backward undoes: the one that ran last, or none; never a wrong one without an error."""

import copy
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.strategies import array, seeds

STEPS = ("forward", "backward", "forward without grad", "train", "eval")


def network():
    scratch.manual_seed(0)
    layers = nn.Linear(3, 4, dtype=np.float64), nn.ReLU(), nn.Linear(4, 2, dtype=np.float64), nn.Softmax(1)
    return nn.Sequential(*layers)


def gradient(x, g):
    model = network()
    model(x)
    return model.backward(g), model[0].weight.grad


@given(order=st.lists(st.sampled_from(STEPS), max_size=12), seed=seeds)
def test_a_backward_gives_the_gradient_of_the_only_forward_it_can_mean_or_raises(order, seed):
    model, waiting = network(), []
    for number, step in enumerate(order):
        x, g = array((2, 3), seed=[seed, number]), array((2, 2), seed=[seed, number, 1])
        if step == "forward":
            model(x)
            waiting.append(x)
        elif step == "forward without grad":
            with scratch.no_grad():
                model(x)
        elif step in ("train", "eval"):
            getattr(model, step)()
            waiting = []
        elif len(waiting) == 1:
            model.zero_grad()
            grad_x, grad_weight = model.backward(g), model[0].weight.grad
            expected_x, expected_weight = gradient(waiting.pop(), g)
            assert np.array_equal(grad_x, expected_x)
            assert np.array_equal(grad_weight, expected_weight)
        else:
            model.zero_grad()
            with pytest.raises(RuntimeError, match="forward"):
                model.backward(g)
            assert all(parameter.grad is None for parameter in model.parameters())
            model.train()
            waiting = []


class Shared(nn.Module):
    """A residual block with one ReLU object in two places."""

    def __init__(self):
        super().__init__()
        self.fc, self.relu = nn.Linear(3, 3), nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.fc(self.relu(x)))

    def backward(self, grad_output):
        grad_sum = self.relu.backward(grad_output)
        return grad_sum + self.relu.backward(self.fc.backward(grad_sum))


def test_what_a_change_of_mode_dropped_is_not_called_a_missing_forward():
    model, x, g = network(), array((2, 3)), array((2, 2), seed=1)
    model(x)
    model.eval()
    with scratch.no_grad():
        model(x)
    model.train()
    with pytest.raises(
        RuntimeError, match=r"^Softmax: what forward saved was dropped, since train\(\) or eval\(\) was"
    ):
        model.backward(g)
    model(x)
    model.backward(g)
    model.train()
    with pytest.raises(RuntimeError, match=r"^Softmax: backward was called a second time"):
        model.backward(g)


def test_after_two_forwards_the_error_says_how_to_forget_them():
    criterion, x = nn.MSELoss(), array((2, 3))
    criterion(x, 2 * x)  # a validation in eval() mode, without no_grad()
    criterion(x, 3 * x)
    with pytest.raises(RuntimeError, match=r"MSELoss: 2 forwards .*, call train\(\) or eval\(\) on this module"):
        criterion.backward()
    criterion(x, 2 * x)
    criterion.eval()
    criterion(x, 3 * x)
    np.testing.assert_allclose(criterion.backward(), -4 * x / x.size, rtol=1e-15)


class Residual(nn.Module):
    """y = x^2 + x."""

    def forward(self, x):
        self.save_for_backward(x=x)
        return x**2 + x

    def backward(self, grad_output):
        return (2 * self.saved("x") + 1) * grad_output


class Stop(nn.Module):
    """It stops a forward half-way, if it is asked to."""

    asked = False

    def forward(self, x):
        if self.asked:
            raise KeyboardInterrupt
        return x

    def backward(self, grad_output):
        return grad_output


def stoppable():
    scratch.manual_seed(0)
    fused = nn.Conv2d(1, 2, 3, padding=1, dtype=np.float64), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    inner = nn.Sequential(nn.Linear(8, 4, dtype=np.float64), nn.Reused(nn.Tanh()), Residual())
    return nn.Sequential(*fused, inner, Stop(), nn.Linear(4, 2, dtype=np.float64))


def stop(model, x):
    model[5].asked = True
    with pytest.raises(KeyboardInterrupt):
        model(x)
    model[5].asked = False


@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
def test_a_sequential_whose_forward_fails_half_way_waits_for_no_backward(plain):
    with scratch.plain(plain):
        model, x, other, g = stoppable(), array((3, 1, 4, 4)), array((3, 1, 4, 4), seed=2), array((3, 2), seed=1)
        model(x)
        right = model.backward(g)
        for _ in range(2):
            stop(model, other)
        with pytest.raises(RuntimeError, match="Linear: backward was called a second time"):
            model.backward(g)
        model(x)
        assert np.array_equal(model.backward(g), right)
        model(x)
        with scratch.no_grad():
            stop(model, other)
        assert np.array_equal(model.backward(g), right)
        stop(model, other)
        with pytest.raises(RuntimeError, match=r"Linear: what forward saved was dropped, since .* an error was raised"):
            model[4][0].backward(array((3, 4)))


@pytest.mark.parametrize("again", [False, True])
def test_a_forward_that_fails_does_not_hide_that_an_earlier_one_still_waits(again):
    model, x, g = stoppable(), array((3, 1, 4, 4)), array((3, 2), seed=1)
    model(x)
    stop(model, 2 * x)
    if again:
        model(3 * x)
    with pytest.raises(RuntimeError, match=f"{'Linear' if again else 'Residual'}: 2 forwards have run"):
        model.backward(g)


def test_one_layer_object_in_two_places_is_refused_with_advice():
    block = Shared()
    block(np.ones((2, 3), np.float32))
    with pytest.raises(RuntimeError, match=r"ReLU: 2 forwards .*no_grad.* a layer object of its own"):
        block.backward(np.ones((2, 3), np.float32))


def test_a_backward_after_a_refused_one_needs_a_forward_and_then_works():
    layer, x, g = nn.Linear(3, 2, dtype=np.float64), array((4, 3)), array((4, 2))
    layer(x)
    layer(x)
    with pytest.raises(RuntimeError, match="2 forwards"):
        layer.backward(g)
    layer(x)
    layer.backward(g)
    with pytest.raises(RuntimeError, match="a second time"):
        layer.backward(g)


def test_inside_retain_graph_one_forward_has_many_backwards():
    layer, x, g = nn.Linear(3, 2, dtype=np.float64), array((4, 3)), array((4, 2))
    layer(x)
    with scratch.retain_graph():
        assert np.array_equal(layer.backward(g), layer.backward(g))
    layer.backward(g)
    with pytest.raises(RuntimeError, match="a second time"):
        layer.backward(g)


def test_forwards_without_grad_keep_nothing_and_leave_what_was_kept():
    layer, x, g = nn.Linear(3, 2, dtype=np.float64), array((4, 3)), array((4, 2))
    layer(x)
    with scratch.no_grad():
        layer(array((7, 3), seed=1))
    layer.backward(g)
    assert np.allclose(layer.weight.grad, g.T @ x)
    with scratch.no_grad():
        layer(x)
    with pytest.raises(RuntimeError, match="forward"):
        layer.backward(g)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_hold_no_activations(duplicate):
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    empty = len(pickle.dumps(model))
    model(np.ones((5000, 3), np.float32))
    assert len(pickle.dumps(model)) < empty + 200
    with pytest.raises(RuntimeError, match="before forward"):
        duplicate(model[0]).backward(np.ones((5000, 2), np.float32))


def test_a_backward_in_another_thread_is_refused():
    layer, found = nn.Linear(3, 2), []

    def backward():
        try:
            layer.backward(np.ones((4, 2), np.float32))
        except RuntimeError as error:
            found.append(str(error))

    layer(np.ones((4, 3), np.float32))
    thread = threading.Thread(target=backward)
    thread.start()
    thread.join()
    assert "another thread" in found[0]


def test_gradients_of_two_threads_do_not_mix():
    layer, found = nn.Linear(3, 2), []

    def train():
        layer(np.ones((4, 3), np.float32))
        try:
            layer.backward(np.ones((4, 2), np.float32))
        except RuntimeError as error:
            found.append(str(error))

    train()
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert "another thread" in found[0]
