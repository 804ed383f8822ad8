"""Kernels leave out the gradients that nobody reads, and the others stay the same, bit for bit."""

import itertools

import numpy as np
import pytest

import scratch
from parity_tests.harness.arrays import array
from parity_tests.harness.modes import kernels_only
from scratch import dispatch, nn

pytestmark = kernels_only  # plain functions always return everything

LAYERS = {
    "Linear": (lambda: nn.Linear(3, 2), (5, 3)),
    "LayerNorm": (lambda: nn.LayerNorm(3), (5, 3)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (3, 4, 5)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 2, 5)),
    "Conv2d": (lambda: nn.Conv2d(2, 3, (3, 2), stride=2), (2, 2, 5, 4)),
    "Conv2d, 3x3": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 2, 6, 4)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 3, (3, 2), stride=2), (2, 2, 5, 4)),
    "RNN": (lambda: nn.RNN(3, 4), (5, 2, 3)),
    "GRU": (lambda: nn.GRU(3, 4), (5, 2, 3)),
    "LSTM": (lambda: nn.LSTM(3, 4), (5, 2, 3)),
}


@pytest.fixture
def returned(monkeypatch):
    """Return a function that runs a layer forward and backward, and returns what its backward kernel returned."""
    found = []

    def noting(function):
        def call(*arguments):
            grads = function(*arguments)
            found.append([None if grad is None else grad.copy() for grad in grads])  # parameters keep the arrays
            return grads

        return call

    def run(layer, x):
        plan = dispatch.plan(layer.functions)
        assert not plan.is_plain
        noted = plan._replace(backward=noting(plan.backward), quiet_backward=noting(plan.quiet_backward))
        with monkeypatch.context() as patch:
            patch.setitem(dispatch.plans.get(), layer.functions, noted)
            outputs = layer(x)
            y = outputs[0] if isinstance(outputs, tuple) else outputs
            layer.backward(array(y.shape, x.dtype, seed=2))
        return found.pop()

    return run


@pytest.mark.parametrize("name", LAYERS)
def test_every_choice_of_gradients_to_read(name, returned):
    build, shape = LAYERS[name]
    scratch.manual_seed(0)
    layer, x = build(), array(shape, "float32", seed=1)
    parameters = list(layer.parameters())
    everything = returned(layer, x)
    between = len(everything) - 1 - len(parameters)  # the gradients of the states are always read
    for reads_x, *learns in itertools.product([True, False], repeat=1 + len(parameters)):
        layer.requires_input_grad_(reads_x)
        for parameter, learn in zip(parameters, learns, strict=True):
            parameter.requires_grad = learn
        if not (reads_x or any(learns) or between):
            continue  # no kernel is called at all
        for whole, grad, is_read in zip(
            everything, returned(layer, x), [reads_x, *[True] * between, *learns], strict=True
        ):
            if is_read:
                np.testing.assert_array_equal(grad, whole)
            else:
                assert grad is None
