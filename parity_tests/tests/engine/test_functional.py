"""The functional forms give the layers' numbers in either mode, and a backward runs in the mode of its forward."""

import numpy as np
import pytest

import scratch
from scratch import nn
from scratch.nn import functional

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 6, 5)).astype(np.float32)
ROWS = RNG.normal(size=(6, 4)).astype(np.float32)


def parameters_of(layer):
    return [parameter.data for parameter in layer.parameters()]


CASES = {
    "relu": (nn.ReLU(), X, lambda _: ()),
    "gelu": (nn.GELU(), X, lambda _: ()),
    "linear": (nn.Linear(4, 3), ROWS, parameters_of),
    "batch_norm": (nn.BatchNorm1d(4), ROWS, lambda layer: (*parameters_of(layer), layer.eps)),
    "max_pool2d": (nn.MaxPool2d(2), X, lambda layer: layer.arguments()),
    "conv2d": (nn.Conv2d(4, 2, 3), X, lambda layer: layer.arguments()),
}


@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_a_form_has_its_layers_numbers(name, plain):
    layer, x, arguments = CASES[name]
    with scratch.plain(plain):
        expected = layer(x)
        y, saved, *_ = getattr(functional, name)(x, *arguments(layer))
        grad_y = RNG.normal(size=y.shape).astype(np.float32)
        grad_x = layer.backward(grad_y)
    np.testing.assert_array_equal(y, expected)
    backward = getattr(functional, f"{name}_backward")
    passed = [arguments(layer)[place] for place in saved.plan.places]
    found = backward(grad_y, *passed, saved)  # outside of the block: in the mode of its forward all the same
    np.testing.assert_array_equal(found[0] if isinstance(found, tuple) else found, grad_x)


def test_a_form_is_quiet():
    with np.errstate(all="raise"):
        functional.sigmoid(np.array([-1e4, np.inf]))


def test_an_unknown_name_is_refused_by_name():
    with pytest.raises(AttributeError, match=r"scratch.nn.functional has no 'relo'; it has .*relu"):
        functional.relo  # noqa: B018


@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
def test_arguments_may_be_named(plain):
    with scratch.plain(plain):
        named, _ = functional.leaky_relu(x=ROWS, negative_slope=0.5)
        placed, _ = functional.leaky_relu(ROWS, 0.5)
    np.testing.assert_array_equal(named, placed)
    np.testing.assert_array_equal(named, np.where(ROWS > 0, ROWS, 0.5 * ROWS))
