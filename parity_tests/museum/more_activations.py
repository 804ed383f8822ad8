"""Activations beyond the classic ones: the right class, with one wrong function."""

import numpy as np

from parity_tests.catalogue.activations import TorchHardsigmoid
from parity_tests.harness.arrays import array, tied
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.hardswish import hardsigmoid, hardswish
from scratch.nn.hardtanh import hardtanh
from scratch.nn.log_sigmoid import log_sigmoid_backward
from scratch.nn.mish import mish, mish_backward
from scratch.nn.prelu import prelu, prelu_backward
from scratch.nn.selu import SCALE, celu, selu
from scratch.nn.softmin import softmin, softmin_backward
from scratch.nn.softsign import softsign

X, IMAGES = array((4, 3)), array((4, 3, 2))
FAR = np.array([[1e4, 0.5, -1.0], [2.0, -1e4, 0.3]])
AT_THE_BOUNDS = tied((4, 3), seed=2)


def _slope_averaged_backward(grad_y, saved):
    grad_x, grad_weight = prelu_backward(grad_y, saved)
    return grad_x, grad_weight / len(grad_y)


@layer(IMAGES, args=(3,), caught="torch differences laws", passes_ones=False)
class SlopeAveraged(nn.PReLU):
    """The slope is used everywhere, so its gradient sums over batch and positions; here the sum is divided by N.

    The slopes hardly move; since they start at a good value, nobody notices.
    """

    functions = prelu, _slope_averaged_backward


def _slope_of_the_sign_backward(grad_y, saved):
    _x, slope, positive = saved
    grad_weight = np.where(positive, 0, -grad_y).sum(axis=(0, 2))
    return np.where(positive, grad_y, slope * grad_y), grad_weight


@layer(IMAGES, args=(3,), caught="torch differences laws", passes_ones=False)
class FactorForgotten(nn.PReLU):
    """The slope is multiplied by x, so its gradient has the factor x; here it has only the sign of x.

    Slopes learn as much from inputs near zero, where they hardly matter, as from large ones.
    """

    functions = prelu, _slope_of_the_sign_backward


def _at_the_bounds_too_backward(grad_y, min_val, max_val, saved):
    (y,) = saved
    return np.where((min_val <= y) & (y <= max_val), grad_y, 0)


@layer(X, caught="torch differences laws", passes_ones=False)
class NeverSaturated(nn.Hardtanh):
    """Inputs beyond a bound become the bound, so testing the output with ``<=`` finds everything inside.

    Saturated units still get gradients, and drift further and further out.
    """

    functions = hardtanh, _at_the_bounds_too_backward


def _lower_bound_only_backward(grad_y, min_val, max_val, saved):
    (y,) = saved
    return np.where(y > min_val, grad_y, 0)


@layer(8 * X, caught="torch differences laws", passes_ones=True)
class CeilingForgotten(nn.ReLU6):
    """The gradient stops at both bounds; here it stops only at 0, like a ReLU's.

    No effect while activations are small. Where they reach 6, the network is told that more would help.
    """

    functions = hardtanh, _lower_bound_only_backward


def _half_the_product_rule_backward(grad_y, saved):
    _, gate = saved
    return grad_y * gate


@layer(X, caught="torch differences", passes_ones=False)
class GateIsAConstant(nn.Mish):
    """x is used twice, as a factor and inside the gate; the gate's derivative is missing.

    The network trains, somewhat worse, and never learns to use the dip left of zero.
    """

    functions = mish, _half_the_product_rule_backward


def _overflowing_mish(x):
    e = (1 + np.exp(x)) ** 2
    gate = (e - 1) / (e + 1)
    return x * gate, (x, gate)


@layer(FAR, caught="torch laws", passes_ones=True)
class MishOverflows(nn.Mish):
    """tanh(log(1 + e^x)) as a quotient of squares is fast, but for large x it is infinity over infinity.

    Training runs for hours, and then the loss is NaN.
    """

    functions = _overflowing_mish, mish_backward


def _scale_on_the_right_only_backward(grad_y, saved):
    positive, e = saved
    return np.where(positive, SCALE * grad_y, grad_y * (SCALE * e + SCALE))


@layer(X, caught="torch differences laws", passes_ones=False)
class SelusAlphaForgotten(nn.SELU):
    """The left half is multiplied by alpha, and so is its slope; here alpha is in forward only.

    The activations normalize themselves as promised; the gradients do not, and vanish in deep networks.
    """

    functions = selu, _scale_on_the_right_only_backward


def _elu_for_celu_backward(grad_y, alpha, saved):
    positive, e = saved
    return np.where(positive, grad_y, alpha * grad_y * (e + 1))


@layer(X, options={"alpha": 2.0}, caught="torch differences laws", passes_ones=True)
class InnerDivisionForgotten(nn.CELU):
    """x is divided by alpha inside the exponential, so the slope has a factor 1 / alpha; here it is forgotten.

    No effect at the default of 1; otherwise the slope jumps at 0, which CELU exists to prevent.
    """

    functions = celu, _elu_for_celu_backward


def _log_of_a_sigmoid(x):
    return np.log(1 / (1 + np.exp(-x))), (x,)


@layer(FAR, caught="torch laws", passes_ones=True)
class LogOfARoundedSigmoid(nn.LogSigmoid):
    """log(sigmoid(x)) in two steps: the probability rounds to 0, and its logarithm is minus infinity.

    The loss is infinite as soon as the network is certain and wrong.
    """

    functions = _log_of_a_sigmoid, log_sigmoid_backward


def _denominator_constant_backward(grad_y, saved):
    _, d, _ = saved
    return grad_y / d


@layer(X, caught="torch differences laws", passes_ones=False)
class DenominatorIsAConstant(nn.Softsign):
    """x is in the denominator as well; the quotient rule's second half is missing.

    Slopes fall as 1 / x instead of 1 / x^2: units that should be saturated are pushed further.
    """

    functions = softsign, _denominator_constant_backward


def _sign_forgotten_backward(grad_y, saved):
    return -softmin_backward(grad_y, saved)


@layer(X, args=(1,), caught="torch differences laws", passes_ones=True)
class MinusOfSoftminForgotten(nn.Softmin):
    """The scores are negated before the softmax; backward is softmax's, without the sign.

    Everything is learned the wrong way round, but a test with ones, which sees zeros, passes.
    """

    functions = softmin, _sign_forgotten_backward


def _divisor_forgotten_backward(grad_y, saved):
    (x,) = saved
    return np.where((x > -3) & (x < 3), grad_y, 0)


@layer(X, torch=TorchHardsigmoid, caught="torch differences laws", passes_ones=False)
class SixthForgotten(nn.Hardsigmoid):
    """The line climbs from 0 to 1 over six units, so its slope is 1/6; here it is 1, as in ReLU6.

    What comes before a gate learns six times too fast.
    """

    functions = hardsigmoid, _divisor_forgotten_backward


def _gate_alone_backward(grad_y, saved):
    (x,) = saved
    return grad_y * np.minimum(np.maximum(x + 3, 0), 6) / 6


@layer(X, caught="torch differences", passes_ones=False)
class HardGateIsAConstant(nn.Hardswish):
    """x is used twice, as a factor and inside the gate; the gate's derivative, 1/6 between the bounds, is missing.

    Between the bounds all slopes are wrong, and the curve never seems to fall.
    """

    functions = hardswish, _gate_alone_backward
