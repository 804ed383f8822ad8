"""Activations and softmax: the right class, with one wrong function."""

import numpy as np

from parity_tests.harness.arrays import array, tied
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.gelu import gelu_tanh, gelu_tanh_backward
from scratch.nn.glu import glu, glu_backward
from scratch.nn.relu import elu, leaky_relu, relu, relu_backward
from scratch.nn.sigmoid import sigmoid, sigmoid_backward, silu, softplus, tanh
from scratch.nn.softmax import log_softmax, softmax, softmax_backward

X = array((4, 3))
WITH_ZEROS = tied((4, 3), seed=2)
FAR = np.array([[1e4, 0.5, -1.0], [2.0, -1e4, 0.3]])


def _guided_backward(grad_y, saved):
    return relu_backward(grad_y, saved) * (grad_y > 0)


@layer(X, caught="torch differences laws", passes_ones=True)
class MaskedByTheGradient(nn.ReLU):
    """The mask depends on the input alone; here negative gradients are set to zero as well.

    Units are pushed one way only. ("Guided backpropagation" draws pretty pictures like this; it is no derivative.)
    """

    functions = relu, _guided_backward


def _relu_saving_x(x):
    return np.maximum(0, x), (x,)


def _at_least_zero_backward(grad_y, saved):
    (x,) = saved
    return grad_y * (x >= 0)


@layer(WITH_ZEROS, caught="torch", passes_ones=True)
class ZeroPays(nn.ReLU):
    """At exactly 0 PyTorch's slope is 0: ``>=`` stands where ``>`` belongs.

    No effect with random numbers. With padding, or after dead units, inputs are exactly 0, and gradients that should be
    zero pass.
    """

    functions = _relu_saving_x, _at_least_zero_backward


def _leakless_backward(grad_y, saved):
    (positive,) = saved
    return grad_y * positive


@layer(X, args=(0.2,), caught="torch differences laws", passes_ones=False)
class LeakForgotten(nn.LeakyReLU):
    """The slope of the left half is forgotten, in backward only.

    Units die as with a plain ReLU, which is what the leak should prevent.
    """

    functions = leaky_relu, _leakless_backward


def _alphaless_backward(grad_y, saved):
    positive, e = saved
    return grad_y * np.where(positive, 1, e + 1)


@layer(X, options={"alpha": 2.0}, caught="torch differences laws", passes_ones=True)
class AlphaForgotten(nn.ELU):
    """The factor alpha in the left half's slope is forgotten.

    No effect at the default of 1, which most tests use; otherwise the left half learns at a wrong rate.
    """

    functions = elu, _alphaless_backward


@layer(X, caught="torch", passes_ones=True)
class TanhForExact(nn.GELU):
    """PyTorch's default is the exact normal distribution function; the tanh approximation is an option.

    Differences of 1e-4 that look like rounding, and add up over the layers of a transformer.
    """

    functions = gelu_tanh, gelu_tanh_backward


def _sigmoid_saving_x(x):
    y, _ = sigmoid(x)
    return y, (x,)


@layer(X, caught="torch differences laws", passes_ones=False)
class SlopeOfTheInput(nn.Sigmoid):
    """The slope y (1 - y) is a function of the output y; here it is evaluated at the input x.

    Gradients of either sign and any size: training explodes.
    """

    functions = _sigmoid_saving_x, sigmoid_backward


def _overflowing_sigmoid(x):
    y = np.exp(x) / (1 + np.exp(x))
    return y, (y,)


@layer(FAR, caught="torch laws", passes_ones=True)
class SigmoidOverflows(nn.Sigmoid):
    """For large x, exp(x) is infinite, and infinity divided by infinity is NaN.

    Training runs for hours and then the loss is NaN.
    """

    functions = _overflowing_sigmoid, sigmoid_backward


def _squareless_backward(grad_y, saved):
    (y,) = saved
    return grad_y * (1 - y)


@layer(X, caught="torch differences laws", passes_ones=False)
class SquareForgotten(nn.Tanh):
    """The square in 1 - y^2 is forgotten.

    Units with negative outputs learn too fast, those with positive ones too slowly; near zero all is right.
    """

    functions = tanh, _squareless_backward


def _gate_only_backward(grad_y, saved):
    _, s = saved
    return grad_y * s


@layer(X, caught="torch differences", passes_ones=False)
class HalfTheProductRule(nn.SiLU):
    """x appears twice in x s(x): the derivative of the gate s is missing.

    The network trains, somewhat worse, and never learns to use the dip left of zero.
    """

    functions = silu, _gate_only_backward


def _betaless_backward(grad_y, beta, saved):
    z, _ = saved
    return grad_y / (1 + np.exp(-z / beta))


@layer(X, options={"beta": 3.0}, caught="torch differences", passes_ones=True)
class BetaForgotten(nn.Softplus):
    """The slope is sigmoid(beta x); the factor beta is forgotten.

    No effect at the default of 1; otherwise the slope does not fit the curve.
    """

    functions = softplus, _betaless_backward


def _zero_backward(grad_y, saved):
    return np.zeros_like(grad_y)


@layer(X, args=(1,), caught="torch differences laws", passes_ones=True)
class SoftmaxWithoutGradient(nn.Softmax):
    """backward returns zeros: the right answer for an upstream gradient of ones, as the outputs sum to a constant.

    The loss does not move, and a test with ones passes.
    """

    functions = softmax, _zero_backward


def _diagonal_backward(grad_y, saved):
    e, t = saved
    y = e / t
    return grad_y * y * (1 - y)


@layer(X, args=(1,), caught="torch differences laws", passes_ones=False)
class SoftmaxsDiagonal(nn.Softmax):
    """Every output depends on every input of its row; only the diagonal of the Jacobian is used.

    It trains, but slowly: the right class is raised, and the others are not lowered enough.
    """

    functions = softmax, _diagonal_backward


def _overflowing_softmax(x):
    e = np.exp(x)
    t = e.sum(axis=-1, keepdims=True)
    return e / t, (e, t)


@layer(FAR, args=(1,), caught="torch laws", passes_ones=True)
class MaximumNotTakenOut(nn.Softmax):
    """Without subtracting the row's maximum, which changes nothing else, exp overflows.

    NaN as soon as one score passes 709 (88 in float32).
    """

    functions = _overflowing_softmax, softmax_backward


@layer(X, args=(1,), caught="torch laws", passes_ones=True)
class SoftmaxOverTheBatch(nn.Softmax):
    """The axis is wrong: each column sums to one, not each row.

    The probabilities depend on which examples happen to be in the batch.
    """

    def axis(self, x):
        return 0


def _own_score_backward(grad_y, saved):
    e, t = saved
    return grad_y - grad_y * e / t


@layer(X, args=(1,), caught="torch differences laws", passes_ones=False)
class LogSoftmaxsDiagonal(nn.LogSoftmax):
    """The sum over the row's gradients is forgotten: each element subtracts only its own.

    With one class in a row's loss, only that class gets its gradient; the other logits do not fall.
    """

    functions = log_softmax, _own_score_backward


def halves_exchanged(x):
    """Gate the second half by the first."""
    half = x.shape[-1] // 2
    return glu(np.concatenate([x[..., half:], x[..., :half]], axis=-1))


def halves_exchanged_backward(grad_y, saved):
    """Undo `halves_exchanged`."""
    grad_x = glu_backward(grad_y, saved)
    half = grad_x.shape[-1] // 2
    return np.concatenate([grad_x[..., half:], grad_x[..., :half]], axis=-1)


@layer(array((3, 4)), caught="torch laws", passes_ones=False)
class HalvesExchanged(nn.GLU):
    """The first half is gated by the second; here it is the other way round.

    It trains just as well, but weights from PyTorch give other outputs, though every shape fits.
    """

    functions = halves_exchanged, halves_exchanged_backward


def gate_taken_for_a_constant_backward(grad_y, saved):
    """Undo `glu` without B4b and B3."""
    grad_x = glu_backward(grad_y, saved)
    grad_x[..., grad_x.shape[-1] // 2 :] = 0
    return grad_x


@layer(array((3, 4)), caught="torch differences laws", passes_ones=False)
class GateTakenForAConstant(nn.GLU):
    """The gates depend on the input, too; their path is forgotten.

    The gates stay as they were initialized, about half open, and the layer is a linear one.
    """

    functions = glu, gate_taken_for_a_constant_backward
