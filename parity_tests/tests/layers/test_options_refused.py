"""Options that make no sense: None, NaN, strings, negative and huge numbers, lists, in each option of each layer.

What PyTorch refuses, on construction or when called, is refused here too, with the layer's name. What is not a number
is refused where a number is expected, even where PyTorch computes NaN with it.
"""

import inspect
import warnings

import numpy as np
import pytest
import torch

import scratch.nn as nn

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
IMAGE = np.random.default_rng(1).normal(size=(2, 6, 5, 7)).astype(np.float32)
SHARES = np.random.default_rng(2).uniform(0.1, 0.9, size=(4, 6)).astype(np.float32)
CLASSES = np.array([0, 5, 2, 2])
LAYERS = {
    "AdaptiveAvgPool2d": ((2,), (IMAGE,)),
    "AvgPool2d": ((2,), (IMAGE,)),
    "BatchNorm1d": ((6,), (X,)),
    "BatchNorm2d": ((6,), (IMAGE,)),
    "Conv2d": ((6, 4, 3), (IMAGE,)),
    "Dropout": ((), (X,)),
    "ELU": ((), (X,)),
    "Embedding": ((6, 3), (CLASSES,)),
    "Flatten": ((), (IMAGE,)),
    "GELU": ((), (X,)),
    "GroupNorm": ((2, 6), (IMAGE,)),
    "LayerNorm": ((6,), (X,)),
    "LeakyReLU": ((), (X,)),
    "Linear": ((6, 3), (X,)),
    "LogSoftmax": ((1,), (X,)),
    "MaxPool2d": ((2,), (IMAGE,)),
    "ReLU": ((), (X,)),
    "Softmax": ((1,), (X,)),
    "Softplus": ((), (X,)),
    "BCELoss": ((), (SHARES, SHARES)),
    "BCEWithLogitsLoss": ((), (X, SHARES)),
    "CrossEntropyLoss": ((), (X, CLASSES)),
    "HuberLoss": ((), (X, SHARES)),
    "L1Loss": ((), (X, SHARES)),
    "MSELoss": ((), (X, SHARES)),
    "NLLLoss": ((), (X, CLASSES)),
    "SmoothL1Loss": ((), (X, SHARES)),
}
BAD = {
    "None": None,
    "nan": float("nan"),
    "a string": "a",
    "minus one": -1,
    "minus a half": -0.5,
    "huge": 10**30,
    "True": True,
    "a list": [1],
    "a long list": [1, 2, 3, 4],
    "an object": object(),
}
NOT_PYTORCHS = {"dtype", "norm_type"}  # the one is NumPy's; the other has no effect without max_norm
REFUSALS = (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError, OverflowError, ArithmeticError)


def options():
    for name in LAYERS:
        for option in inspect.signature(getattr(nn, name)).parameters:
            yield name, option


def outcome(cls, name, option, value, convert):
    """Return the error of building and calling with one option replaced, None if there is none."""
    args, inputs = LAYERS[name]
    bound = inspect.signature(cls).bind_partial(*args).arguments | {option: value}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            cls(**bound)(*map(convert, inputs))
        except REFUSALS as error:
            return error
    return None


def torchs(name, option, value):
    return outcome(getattr(torch.nn, name), name, option, value, torch.from_numpy)


@pytest.mark.parametrize(("name", "option"), list(options()))
@pytest.mark.parametrize("bad", BAD)
def test_what_makes_no_sense_is_refused_by_name(name, option, bad):
    cls, value = getattr(nn, name), BAD[bad]
    ours = outcome(cls, name, option, value, lambda x: x)
    if ours is not None:
        assert str(ours).startswith(f"{name}: expected") or str(ours).startswith(f"{name}: {option}"), ours
        return
    number = isinstance(inspect.signature(cls).parameters[option].default, float)
    assert not (bad in ("nan", "a string") and number) or option in NOT_PYTORCHS
    if bad == "huge" and number:
        return  # 10^30 is a number; PyTorch wants it written as 1e30
    if option not in NOT_PYTORCHS and option in inspect.signature(getattr(torch.nn, name)).parameters:
        assert torchs(name, option, value) is None


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", [np.asmatrix, np.ma.masked_array])
@pytest.mark.parametrize("name", [name for name, (_, inputs) in LAYERS.items() if inputs[0] is X])
def test_arrays_that_compute_otherwise_are_refused(name, kind):
    args, inputs = LAYERS[name]
    with pytest.raises(TypeError, match=f"{name}: expected input to be a plain numpy.ndarray"):
        getattr(nn, name)(*args)(kind(X), *inputs[1:])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ["Linear", "Softmax"])
def test_so_are_they_as_upstream_gradients(name):
    args, (x,) = LAYERS[name]
    layer = getattr(nn, name)(*args)
    grad = np.random.default_rng(3).normal(size=layer(x).shape).astype(np.float32)
    with pytest.raises(TypeError, match=f"{name}: expected grad_output to be a plain numpy.ndarray, got matrix"):
        layer.backward(np.asmatrix(grad))


HUGE = 2**31  # two axes of this size have more bytes than an address can say, one has not


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Linear", (HUGE, HUGE)),
        ("Conv1d", (HUGE, HUGE, 1)),
        ("Conv1d", (HUGE, 1, HUGE)),
        ("Conv2d", (HUGE, HUGE, 1)),
        ("Conv2d", (1, HUGE, (1, HUGE))),
        ("Conv2d", (1, 1, HUGE)),
        ("ConvTranspose2d", (HUGE, HUGE, 1)),
        ("ConvTranspose2d", (1, HUGE, (HUGE, 1))),
        ("BatchNorm2d", (2**61,)),
        ("InstanceNorm2d", (2**61, 1e-5, 0.1, True)),
        ("GroupNorm", (1, 2**61)),
        ("LayerNorm", ((HUGE, HUGE),)),
        ("RMSNorm", ((HUGE, HUGE),)),
        ("Embedding", (HUGE, HUGE)),
    ],
)
def test_a_weight_that_no_memory_can_hold(name, args):
    with pytest.raises(
        RuntimeError, match=rf"^{name}: expected (weight|normalized_shape) to fit in memory, got shape \("
    ):
        getattr(nn, name)(*args)
