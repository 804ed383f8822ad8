"""The layers' cases."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays
from scratch import nn
from scratch.nn.layer import Layer


def both(d: Draw, name: str, *args: object, training: bool = True, **options: object) -> tuple[nn.Module, Callable]:
    """Return a layer of each engine; scratch's with random numbers, which the comparison copies to the other."""
    cls = getattr(nn, name)
    own = {"dtype": d.dtype} if "dtype" in inspect.signature(cls).parameters else {}
    layer = arrays.random_state(cls(*args, **options, **own), d.seed).train(training)
    return layer, getattr(torch.nn, name)(*args, **options)


def has_bias(name: str) -> bool:
    """Return whether the installed PyTorch's layer has the option ``bias``, which normalizations got late."""
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


@entry("Unflatten", "layer")
def unflatten(d: Draw) -> LayerCase:
    """Any axis, counted from either end, made into one to three; one size is often left open."""
    sizes = list(d.integers(1, 3, d.integer(1, 3)))
    before, behind = ((d.batch(0, 1, 3),), d.integers(1, 4, d.integer(0, 2)))
    shape = (*before, math.prod(sizes), *behind)
    if d.one_of(True, False):
        sizes[d.integer(0, len(sizes) - 1)] = -1
    return LayerCase(*both(d, "Unflatten", d.one_of(1, 1 - len(shape)), tuple(sizes)), (d.array(shape),))


class Chain(nn.Module):
    """Layers of a container one after another: what a model does with a ModuleList or a ModuleDict."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def held(self) -> list[nn.Module]:
        """Return the layers in their order."""
        return list(self.layers.values() if isinstance(self.layers, nn.ModuleDict) else self.layers)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Apply them in order."""
        for layer in self.held():
            x = layer(x)
        return x

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo them in reverse order."""
        for layer in reversed(self.held()):
            grad_output = layer.backward(grad_output)
        return grad_output


class TorchChain(torch.nn.Module):
    """`Chain` in PyTorch."""

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply them in order."""
        for layer in self.layers.values() if isinstance(self.layers, torch.nn.ModuleDict) else self.layers:
            x = layer(x)
        return x


def container(d: Draw, name: str) -> LayerCase:
    """Return a case of a chain of one to three linear layers that a container holds."""
    sizes = d.integers(1, 5, d.integer(2, 4))
    pairs = list(pairwise(sizes))
    ours, theirs = ([make(*pair) for pair in pairs] for make in (partial(nn.Linear, dtype=d.dtype), torch.nn.Linear))
    if name == "ModuleDict":
        keys = d.one_of("cab", "abc")
        ours, theirs = (dict(zip(keys, layers, strict=False)) for layers in (ours, theirs))
    layer = arrays.random_state(Chain(getattr(nn, name)(ours)), d.seed)
    return LayerCase(layer, TorchChain(getattr(torch.nn, name)(theirs)), (d.array((*d.leading(), sizes[0])),))


@entry("ModuleList", "layer")
def module_list(d: Draw) -> LayerCase:
    """Hold linear layers in a list."""
    return container(d, "ModuleList")


@entry("ModuleDict", "layer")
def module_dict(d: Draw) -> LayerCase:
    """Hold linear layers in a dictionary, whose order is not that of its keys."""
    return container(d, "ModuleDict")


def scale(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Multiply each row by the weight."""
    y = x * weight
    return y, (x,)


def scale_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `scale`."""
    (x,) = saved
    grad_x = grad_y * weight
    grad_weight = (grad_y * x).sum(axis=0)
    return grad_x, grad_weight


class Scale(Layer):
    """A factor for each number of a row; the weight is somebody else's."""

    functions = scale, scale_backward
    learned = ("weight",)

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def arguments(self) -> tuple:
        """Return the weight."""
        return (self.weight.data,)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (..., K) to (R, K)."""
        return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (R, K) to (..., K)."""
        return y.reshape(input_shape)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is (..., K)."""
        if x.shape[-1:] != self.weight.shape:
            raise RuntimeError(f"ParameterList: expected rows of {self.weight.shape}, got {x.shape}")


class Scales(Chain):
    """Factors of a ParameterList applied one after another; the layers are in a plain list, and so not found."""

    def __init__(self, scales: nn.ParameterList) -> None:
        super().__init__([Scale(weight) for weight in scales])
        self.scales = scales


class TorchScales(torch.nn.Module):
    """`Scales` in PyTorch."""

    def __init__(self, scales: torch.nn.ParameterList) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply by each."""
        for one in self.scales:
            x = x * one
        return x


@entry("ParameterList", "layer")
def parameter_list(d: Draw) -> LayerCase:
    """Hold one to three factors."""
    size = d.integer(1, 5)
    values = [d.array((size,)) for _ in range(d.integer(1, 3))]
    reference = TorchScales(torch.nn.ParameterList([torch.tensor(np.array(one)) for one in values]))
    return LayerCase(Scales(nn.ParameterList(values)), reference, (d.array((*d.leading(), size)),))


# Normalization. A row of two numbers always becomes -1 and 1, so its input gradient is what cancellation leaves of far
# larger terms, in PyTorch as here. Such rows have tests of their own.


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
    """One to three groups, any number of axes after the channels."""
    groups, each = d.integer(1, 3), d.integer(1, 3)
    places = d.integers(1, 4, d.integer(0, 2))
    places = places if each * math.prod(places) > 2 else (3, *places[1:])
    options = d.some_of(eps=(1e-5, 1e-3, 0.5), affine=(True, False))
    if has_bias("GroupNorm"):
        options |= d.some_of(bias=(True, False))
    x = d.array((d.batch(0, 1, 3), groups * each, *places))
    return LayerCase(*both(d, "GroupNorm", groups, groups * each, **options), (x,))


@entry("RMSNorm", "layer")
def rms_norm(d: Draw) -> LayerCase:
    """Over one to three axes; eps in all its forms."""
    normalized = d.one_of((d.integer(2, 9),), (d.integer(1, 5), d.integer(2, 3)), (2, 3, d.integer(1, 3)))
    options = d.some_of(eps=(None, 1e-5, 1e-3, 0.5), elementwise_affine=(True, False))
    argument = normalized[0] if len(normalized) == 1 else normalized
    return LayerCase(*both(d, "RMSNorm", argument, **options), (d.array((*d.leading(), *normalized)),))


@entry("InstanceNorm2d", "layer")
def instance_norm2d(d: Draw) -> LayerCase:
    """With and without a batch, weights, and running statistics, in training and in evaluation."""
    options = d.some_of(
        eps=(1e-5, 1e-3, 0.5),
        momentum=(None, 0.1, 0.0, 1.0, 0.7),
        # With no image, PyTorch raises an IndexError if there are weights, and its running statistics become NaN.
        affine=(False,) if d.fixed_batch == 0 else (True, False),
        track_running_stats=(False,) if d.fixed_batch == 0 else (True, False),
        **({"bias": (True, False)} if has_bias("InstanceNorm2d") else {}),
    )
    channels = d.integer(1, 5)
    unbatched = d.fixed_batch is None and d.rng.random() < 0.2
    shape = (d.batch(1, 3), channels, d.integer(1, 5), d.integer(3, 5))[unbatched:]
    training = d.one_of(True, True, False)
    return LayerCase(*both(d, "InstanceNorm2d", channels, training=training, **options), (d.array(shape),))


@entry("Dropout2d", "layer")
def dropout2d(d: Draw) -> LayerCase:
    """Draw p; the masks come from the seed that both generators are set to."""
    options = d.some_of(p=(0.0, 0.1, 0.5, 0.75, 1.0))
    x = d.array((d.batch(1, 3), d.integer(1, 5), *d.integers(1, 4, 2)))
    return LayerCase(*both(d, "Dropout2d", training=d.one_of(True, True, False), **options), (x,))


@entry("Dropout", "layer")
def dropout(d: Draw) -> LayerCase:
    """Draw p; the masks come from the seed that both generators are set to."""
    options = d.some_of(p=(0.0, 0.1, 0.5, 0.75, 1.0))
    # PyTorch fills a mask in the order of the memory, so both get C order.
    x = np.array(d.array((*d.leading(), 4)), order="C")
    return LayerCase(*both(d, "Dropout", training=d.one_of(True, True, False), **options), (x,))


# Activations.


def activation(name: str, **options: tuple) -> None:
    """Register an activation with the values that its options take."""

    def draw(d: Draw) -> LayerCase:
        x = np.array(d.array((*d.leading(), 3), d.one_of(arrays.array, arrays.tied), d.one_of(1, 8)))
        # Where a curve is flat, its slope is a difference of nearly equal numbers, and two programs agree in hardly a
        # digit. One number on the bend sets the scale by which such differences are measured.
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


@entry("GLU", "layer")
def glu(d: Draw) -> LayerCase:
    """Along any axis, counted from either end."""
    shape = [*d.leading(), d.integer(1, 4), d.integer(1, 3)]
    place = d.integer(0 if d.fixed_batch is None else 1, len(shape) - 1)
    shape[place] *= 2
    return LayerCase(*both(d, "GLU", d.one_of(place, place - len(shape))), (d.array(tuple(shape)),))
