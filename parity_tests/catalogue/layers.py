"""The layers' cases."""

import inspect
import math
from collections.abc import Callable

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays
from scratch import nn


def both(d: Draw, name: str, *args: object, training: bool = True, **options: object) -> tuple[nn.Module, Callable]:
    """Return a layer of each engine; scratch's with random numbers, which the comparison copies to the other."""
    cls = getattr(nn, name)
    own = {"dtype": d.dtype} if "dtype" in inspect.signature(cls).parameters else {}
    layer = arrays.random_state(cls(*args, **options, **own), d.seed).train(training)
    return layer, getattr(torch.nn, name)(*args, **options)


def has_bias(name: str) -> bool:
    """Return whether this PyTorch's layer has the option ``bias``, which came late to the normalizations."""
    return "bias" in inspect.signature(getattr(torch.nn, name)).parameters


# Rearranging and linear.


@entry("Linear", "layer")
def linear(d: Draw) -> LayerCase:
    """Any leading axes."""
    layer, reference = both(d, "Linear", d.integer(1, 7), d.integer(1, 7), bias=d.one_of(True, False))
    return LayerCase(layer, reference, (d.array((*d.leading(), layer.in_features)),))


@entry("Embedding", "layer")
def embedding(d: Draw) -> LayerCase:
    """Draw indices of any shape, most of them repeated; with and without a padding row, counted from either end."""
    rows = d.integer(1, 6)
    options = d.some_of(padding_idx=(None, 0, rows - 1, -1))
    layer, reference = both(d, "Embedding", rows, d.integer(1, 5), **options)
    return LayerCase(layer, reference, (d.indices((*d.leading(), d.integer(1, 6)), rows),))


@entry("Identity", "layer")
def identity(d: Draw) -> LayerCase:
    """Any shape."""
    return LayerCase(*both(d, "Identity"), (d.array((*d.leading(), 3)),))


@entry("Flatten", "layer")
def flatten(d: Draw) -> LayerCase:
    """Any axes, counted from either end."""
    shape = (d.batch(0, 1, 3), *d.integers(1, 4, d.integer(1, 3)))
    start = d.integer(0, len(shape) - 1)
    end = d.integer(start, len(shape) - 1)
    start, end = (d.one_of(axis, axis - len(shape)) for axis in (start, end))
    return LayerCase(*both(d, "Flatten", start, end), (d.array(shape),))


@entry("Sequential", "layer")
def sequential(d: Draw) -> LayerCase:
    """Two linear layers with an activation between."""
    a, b, c = d.integers(1, 6, 3)
    bias, slope = d.one_of(True, False), d.one_of(0.01, 0.4)
    layers = (nn.Linear(a, b, bias=bias, dtype=d.dtype), nn.LeakyReLU(slope), nn.Linear(b, c, dtype=d.dtype))
    reference = torch.nn.Sequential(torch.nn.Linear(a, b, bias=bias), torch.nn.LeakyReLU(slope), torch.nn.Linear(b, c))
    return LayerCase(arrays.random_state(nn.Sequential(*layers), d.seed), reference, (d.array((*d.leading(), a)),))


# Normalization. Rows of two numbers become -1 and 1 whatever they were, so that the input gradient is what cancellation
# leaves of far larger terms, in PyTorch as here: they have tests of their own.


def batch_norm(d: Draw, name: str, places: tuple[int, ...]) -> LayerCase:
    """Return a case of a batch norm, in training or in evaluation."""
    options = d.some_of(
        eps=(1e-5, 1e-3, 0.5),
        momentum=(None, 0.1, 0.0, 1.0, 0.7),
        affine=(True, False),
        track_running_stats=(True, False),
        **({"bias": (True, False)} if has_bias(name) else {}),
    )
    training = d.one_of(True, False)
    smallest = 1 if not training and options.get("track_running_stats", True) else 3
    shape = (d.batch(smallest, 3, 6), d.integer(1, 5), *places)
    return LayerCase(*both(d, name, shape[1], training=training, **options), (d.array(shape),))


@entry("BatchNorm1d", "layer")
def batch_norm1d(d: Draw) -> LayerCase:
    """(N, C) and (N, C, L)."""
    return batch_norm(d, "BatchNorm1d", d.integers(1, 5, d.integer(0, 1)))


@entry("BatchNorm2d", "layer")
def batch_norm2d(d: Draw) -> LayerCase:
    """(N, C, H, W)."""
    return batch_norm(d, "BatchNorm2d", d.integers(1, 5, 2))


@entry("LayerNorm", "layer")
def layer_norm(d: Draw) -> LayerCase:
    """Over one to three axes."""
    normalized = d.one_of((d.integer(3, 9),), (d.integer(2, 5), d.integer(2, 3)), (2, 3, d.integer(1, 3)))
    options = d.some_of(eps=(1e-5, 1e-3, 0.5), elementwise_affine=(True, False), bias=(True, False))
    argument = normalized[0] if len(normalized) == 1 else normalized
    return LayerCase(*both(d, "LayerNorm", argument, **options), (d.array((*d.leading(), *normalized)),))


@entry("GroupNorm", "layer")
def group_norm(d: Draw) -> LayerCase:
    """One to three groups, any number of axes behind the channels."""
    groups, each = d.integer(1, 3), d.integer(1, 3)
    places = d.integers(1, 4, d.integer(0, 2))
    places = places if each * math.prod(places) > 2 else (3, *places[1:])
    options = d.some_of(eps=(1e-5, 1e-3, 0.5), affine=(True, False))
    if has_bias("GroupNorm"):
        options |= d.some_of(bias=(True, False))
    x = d.array((d.batch(0, 1, 3), groups * each, *places))
    return LayerCase(*both(d, "GroupNorm", groups, groups * each, **options), (x,))


@entry("Dropout", "layer")
def dropout(d: Draw) -> LayerCase:
    """Draw p; the masks come from the seed that both generators are set to."""
    options = d.some_of(p=(0.0, 0.1, 0.5, 0.75, 1.0))
    # PyTorch fills a mask in the order of the memory; the comparison hands both C order.
    x = np.array(d.array((*d.leading(), 4)), order="C")
    return LayerCase(*both(d, "Dropout", training=d.one_of(True, True, False), **options), (x,))


# Activations.


def activation(name: str, **options: tuple) -> None:
    """Register an activation with the values that its options take."""

    def draw(d: Draw) -> LayerCase:
        x = np.array(d.array((*d.leading(), 3), d.one_of(arrays.array, arrays.tied), d.one_of(1, 8)))
        # Where a curve is flat, its slope is a difference of nearly equal numbers, with hardly a digit in common
        # between any two programs. One number on the bend gives the scale that such differences are to be measured by.
        x.reshape(-1)[:1] = 0.5
        x = arrays.lay_out(x, d.one_of(*arrays.LAYOUTS))
        return LayerCase(*both(d, name, **d.some_of(**options)), (x,))

    entry(name, "layer")(draw)


activation("ReLU")
activation("LeakyReLU", negative_slope=(0.0, 0.3, 1.0, 2.5, -0.5))
activation("ELU", alpha=(0.3, 2.5, 0.0, -0.5))
activation("GELU", approximate=("none", "tanh"))
activation("SiLU")
activation("Softplus", beta=(0.5, 3.0, -1.0), threshold=(0.3, 2.0))
activation("Sigmoid")
activation("Tanh")


def softmax(name: str) -> None:
    """Register a softmax along any axis, on logits of about 1, 30 and 10,000."""

    def draw(d: Draw) -> LayerCase:
        shape = (*d.leading(), d.integer(1, 5))
        dim = d.integer(-len(shape), len(shape) - 1)
        return LayerCase(*both(d, name, dim), (d.array(shape, factor=d.one_of(1, 30, 1e4)),))

    entry(name, "layer")(draw)


softmax("Softmax")
softmax("LogSoftmax")
