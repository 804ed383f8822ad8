"""Functions without a backward: initial values, and the clipping of gradients."""

import math

import numpy as np
import torch

import scratch
from parity_tests.museum.exhibit import function
from scratch import nn
from scratch.nn import Parameter, init

SHAPE = (200, 50, 1, 3)


def drawn_as_torchs(fill):
    """Return whether the same seed gives PyTorch's numbers."""
    scratch.manual_seed(0)
    torch.manual_seed(0)
    expected = getattr(torch.nn.init, RIGHT[fill])(torch.empty(SHAPE, dtype=torch.float64))
    return np.array_equal(fill(np.empty(SHAPE)), expected.numpy())


def keeps_the_variance(fill):
    """Return whether the numbers have mean 0 and the variance 2 / fan_in, or that of Xavier's formula."""
    scratch.manual_seed(0)
    weight = fill(np.empty(SHAPE))
    fan_in, fan_out = 50 * 3, 200 * 3
    variance = 2 / fan_in if "kaiming" in RIGHT[fill] else 2 / (fan_in + fan_out)
    return abs(weight.mean()) < 5 * math.sqrt(variance / weight.size) and 0.95 < weight.var() / variance < 1.05


RIGHT = {fill: fill.__name__ for fill in (init.kaiming_uniform_, init.xavier_uniform_)}


def initializer(right):
    """Exhibit the function below as a wrong version of an initializer."""

    def hang(wrong):
        RIGHT[wrong] = right.__name__
        return function(right, "torch laws", drawn_as_torchs, keeps_the_variance)(wrong)

    return hang


@initializer(init.kaiming_uniform_)
def fan_out_for_fan_in(target):
    """A weight has the shape (out, in), so fan_in is the second axis; here the first is taken.

    Activations fade or explode wherever a layer has different numbers of inputs and outputs.
    """
    return init.kaiming_uniform_(target, mode="fan_out")


@initializer(init.kaiming_uniform_)
def kernel_area_forgotten(target):
    """A convolution's fan_in includes the kernel's area; here it is forgotten.

    Each convolution enlarges its activations: NaN after a few layers, or a first loss in the hundreds.
    """
    bound = math.sqrt(6 / target.shape[1])
    return init.uniform_(target, -bound, bound)


@initializer(init.xavier_uniform_)
def deviation_for_bound(target):
    """A uniform distribution on [-c, c) has the standard deviation c / sqrt(3); the root of 3 is forgotten.

    The variance is a third of what it should be: a deep network's signal fades.
    """
    bound = math.sqrt(2 / (3 * (target.shape[0] + target.shape[1])))
    return init.uniform_(target, -bound, bound)


@initializer(init.xavier_uniform_)
def all_units_twins(target):
    """Weights have to differ: units that start equal get equal gradients forever.

    The network behaves as if each layer had one unit.
    """
    return init.constant_(target, 0.1)


def parameters():
    """Return two parameters with gradients of norms 5 and 12, so 13 together."""
    pair = [Parameter(np.zeros(2)), Parameter(np.zeros((1, 1)))]
    pair[0].grad, pair[1].grad = np.array([3.0, -4.0]), np.array([[12.0]])
    return pair


def clips_as_torch(clip):
    """Return whether gradients and returned norm are PyTorch's, for a norm that is too large and one that is not."""
    for max_norm in (6.5, 100.0):
        ours = parameters()
        torchs = [torch.nn.Parameter(torch.tensor(parameter.data)) for parameter in ours]
        for one, other in zip(ours, torchs, strict=True):
            other.grad = torch.tensor(one.grad)
        pairs = [(clip(ours, max_norm), torch.nn.utils.clip_grad_norm_(torchs, max_norm).item())]
        pairs += [(one.grad, other.grad.numpy()) for one, other in zip(ours, torchs, strict=True)]
        if not all(np.allclose(found, expected) for found, expected in pairs):
            return False
    return True


def keeps_the_direction(clip):
    """Return whether the gradient is shortened to the norm as a whole, and a short one is left alone."""

    def vector(pair):
        return np.concatenate([parameter.grad.ravel() for parameter in pair])

    long, short = parameters(), parameters()
    before = vector(long)
    clip(long, 6.5)
    clip(short, 100.0)
    return np.allclose(vector(long), before * 0.5, rtol=1e-6) and np.array_equal(vector(short), before)


@function(nn.utils.clip_grad_norm_, "torch laws", clips_as_torch, keeps_the_direction)
def each_parameter_on_its_own(params, max_norm):
    """The norm is that of all gradients together; here each parameter is clipped by its own norm.

    The step turns towards the parameters with small gradients, and as a whole it is still too long.
    """
    return max(nn.utils.clip_grad_norm_([parameter], max_norm) for parameter in params)


@function(nn.utils.clip_grad_norm_, "torch laws", clips_as_torch, keeps_the_direction)
def short_ones_lengthened(params, max_norm):
    """The factor is at most 1; here every gradient is scaled to max_norm, the short ones too.

    Training never settles: near the minimum, where gradients are small, the steps stay as long as ever.
    """
    norm = nn.utils.clip_grad_norm_(params, math.inf)
    for parameter in params:
        parameter.grad *= max_norm / norm
    return norm


def clips_values_as_torch(clip):
    """Return whether the gradients are PyTorch's, for a value that some numbers are larger than."""
    ours = parameters()
    torchs = [torch.nn.Parameter(torch.tensor(parameter.data)) for parameter in ours]
    for one, other in zip(ours, torchs, strict=True):
        other.grad = torch.tensor(one.grad)
    clip(ours, 3.5)
    torch.nn.utils.clip_grad_value_(torchs, 3.5)
    return all(np.array_equal(one.grad, other.grad.numpy()) for one, other in zip(ours, torchs, strict=True))


def keeps_small_numbers_and_signs(clip):
    """Return whether numbers larger than the value are clipped with their sign, and all others are unchanged."""
    pair = parameters()
    before = np.concatenate([parameter.grad.ravel() for parameter in pair])
    clip(pair, 3.5)
    after = np.concatenate([parameter.grad.ravel() for parameter in pair])
    small = np.abs(before) <= 3.5
    return np.array_equal(after[small], before[small]) and np.array_equal(after[~small], 3.5 * np.sign(before[~small]))


@function(nn.utils.clip_grad_value_, "torch laws", clips_values_as_torch, keeps_small_numbers_and_signs)
def clipped_above_only(params, clip_value):
    """Both ends have to be clipped; here ``minimum`` clips the upper one alone.

    Large negative gradients pass unchanged: the loss jumps as before.
    """
    for parameter in params:
        parameter.grad = np.minimum(parameter.grad, clip_value)


@function(nn.utils.clip_grad_value_, "torch laws", clips_values_as_torch, keeps_small_numbers_and_signs)
def scaled_instead_of_clipped(params, clip_value):
    """Each number is clipped on its own; here all are scaled until the largest one fits.

    One exploding number stops the training of all others.
    """
    largest = max(np.abs(parameter.grad).max() for parameter in params)
    for parameter in params:
        parameter.grad = parameter.grad * min(1.0, clip_value / largest)
