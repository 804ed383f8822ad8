"""Losses."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.binary_cross_entropy import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
)
from scratch.nn.cross_entropy import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_probabilities,
    cross_entropy_probabilities_backward,
)
from scratch.nn.loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss_backward
from scratch.nn.nll import nll_loss, nll_loss_backward
from scratch.nn.reduction import reduce, reduce_backward

X, TARGET = array((4, 3)), array((4, 3), seed=1)
HIT = np.where(np.arange(12).reshape(4, 3) % 5 == 0, TARGET, X)
CLASSES = np.array([2, 0, 1, 1])
PROBABILITIES = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3))
BINARY = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0], [0.0, 0.8, 0.0], [1.0, 0.0, 1.0]])
WEIGHT = np.array([0.5, 2.0, 1.25])
FAR = np.array([[900.0, 0.5, -1.0], [2.0, -900.0, 0.3]])


def _two_forgotten_backward(grad_y, reduction, saved):
    (d,) = saved
    return d * reduce_backward(grad_y, reduction, d.size)


@layer(X, TARGET, caught="torch differences laws", passes_ones=False)
class TwoForgotten(nn.MSELoss):
    """The factor 2 of the square's derivative is forgotten.

    Training runs at half the learning rate; hardly anybody notices, as the learning rate is tuned anyway.
    """

    functions = mse_loss, _two_forgotten_backward


def _averaged_over_the_batch_only(x, target, reduction):
    d = x - target
    return reduce(d**2, reduction, len(d)), (d,)


def _averaged_over_the_batch_only_backward(grad_y, reduction, saved):
    (d,) = saved
    return 2 * d * reduce_backward(grad_y, reduction, len(d))


@layer(X, TARGET, caught="torch laws", passes_ones=False)
class AveragedOverTheBatchOnly(nn.MSELoss):
    """The mean is over all elements; here each example's elements are summed, and only the batch is averaged.

    The right learning rate depends on the number of outputs.
    """

    functions = _averaged_over_the_batch_only, _averaged_over_the_batch_only_backward


def _sign_of_zero_backward(grad_y, reduction, saved):
    (d,) = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)
    return np.where(d >= 0, grad_losses, -grad_losses)


@layer(HIT, TARGET, caught="torch laws", passes_ones=True)
class SignOfZero(nn.L1Loss):
    """At the target the gradient is 0: the sign of 0 is 0, not 1.

    Outputs that are exactly right are pushed off again.
    """

    functions = l1_loss, _sign_of_zero_backward


def _beta_on_the_wrong_side(x, target, beta, reduction):
    d = x - target
    size = np.abs(d)
    return reduce(np.where(size < beta, d**2 / 2, size - beta / 2), reduction, d.size), (d,)


def _beta_on_the_wrong_side_backward(grad_y, beta, reduction, saved):
    (d,) = saved
    return np.where(np.abs(d) < beta, d, np.sign(d)) * reduce_backward(grad_y, reduction, d.size)


@layer(X, TARGET, options={"beta": 0.5}, caught="torch laws", passes_ones=True)
class BetaOnTheWrongSide(nn.SmoothL1Loss):
    """The parabola is d^2 / (2 beta); without the division by beta it does not meet the line.

    No effect at the default of 1; otherwise the loss jumps where the two should meet.
    """

    functions = _beta_on_the_wrong_side, _beta_on_the_wrong_side_backward


def _delta_forgotten(x, target, delta, reduction):
    y, saved = huber_loss(x, target, delta, reduction)
    return y / delta, saved


def _delta_forgotten_backward(grad_y, delta, reduction, saved):
    return smooth_l1_loss_backward(grad_y, delta, reduction, saved)


@layer(X, TARGET, options={"delta": 2.0}, caught="torch laws", passes_ones=True)
class DeltaForgotten(nn.HuberLoss):
    """Huber's loss is delta times SmoothL1Loss with beta = delta; the factor is left out in both passes.

    No effect at the default of 1; otherwise the gradients are off by the factor delta.
    """

    functions = _delta_forgotten, _delta_forgotten_backward


def _slope_is_the_sign_backward(grad_y, delta, reduction, saved):
    (d,) = saved
    return np.where(np.abs(d) <= delta, d, np.sign(d)) * reduce_backward(grad_y, reduction, d.size)


@layer(X, TARGET, options={"delta": 0.5}, caught="torch differences laws", passes_ones=True)
class SlopeIsTheSign(nn.HuberLoss):
    """Beyond delta the slope is delta times the sign, not the sign.

    Outliers pull 1/delta times as hard as they should, which is what the loss should prevent.
    """

    functions = huber_loss, _slope_is_the_sign_backward


def _mean_forgotten_backward(grad_y, weight, label_smoothing, reduction, saved):
    return cross_entropy_backward(grad_y, weight, label_smoothing, "sum", saved)


@layer(X, CLASSES, caught="torch differences laws", passes_ones=False)
class MeanForgottenInBackward(nn.CrossEntropyLoss):
    """The mean's 1/N is forgotten in backward: forward averages, backward does not.

    The steps grow with the batch size; a larger batch, which should be steadier, diverges.
    """

    functions = cross_entropy, _mean_forgotten_backward


def _onehot_not_subtracted_backward(grad_y, reduction, saved):
    logp, _, _, share, total = saved
    return np.exp(logp) * (share * reduce_backward(grad_y, reduction, total))[:, None]


@layer(X, CLASSES, caught="torch differences laws", passes_ones=False)
class OneHotNotSubtracted(nn.CrossEntropyLoss):
    """The gradient is p - onehot; here onehot is not subtracted, and the gradient is p.

    All logits fall, whatever the labels say, and the accuracy stays at chance.
    """

    functions = cross_entropy, _onehot_not_subtracted_backward


def _softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _softmax_twice(x, target, weight, ignore_index, label_smoothing, reduction):
    p = _softmax(x)
    y, saved = cross_entropy(p, target, weight, ignore_index, label_smoothing, reduction)
    return y, (p, saved)


def _softmax_twice_backward(grad_y, weight, label_smoothing, reduction, saved):
    p, of_cross_entropy = saved
    grad_p = cross_entropy_backward(grad_y, weight, label_smoothing, reduction, of_cross_entropy)
    return p * (grad_p - (grad_p * p).sum(axis=1, keepdims=True))


@layer(X, CLASSES, caught="torch laws", passes_ones=False)
class SoftmaxTwice(nn.CrossEntropyLoss):
    """The softmax is inside the loss; here the loss gets probabilities, and takes the softmax of them again.

    It learns, but slowly, and the loss never falls below log(1 + (C - 1) / e).
    """

    functions = _softmax_twice, _softmax_twice_backward


def _divided_by_the_rows(x, target, weight, ignore_index, label_smoothing, reduction):
    losses, saved = cross_entropy(x, target, weight, ignore_index, label_smoothing, "none")
    return reduce(losses, reduction, len(x)), (*saved[:-1], len(x))


@layer(X, CLASSES, options={"ignore_index": 1}, caught="torch laws", passes_ones=True)
class IgnoredButCounted(nn.CrossEntropyLoss):
    """An ignored row must not count in the mean's denominator either; here it does.

    The more padding a batch has, the smaller its gradient: short sentences learn more slowly.
    """

    functions = _divided_by_the_rows, cross_entropy_backward


@layer(X, CLASSES, options={"weight": WEIGHT}, caught="torch laws", passes_ones=True)
class WeightsNotNormalized(nn.CrossEntropyLoss):
    """A weighted mean divides by the sum of the weights; here it divides by the number of rows.

    The learning rate depends on the scale of the weights.
    """

    functions = _divided_by_the_rows, cross_entropy_backward


def _smoothed_over_the_others(x, target, weight, ignore_index, label_smoothing, reduction):
    onehot = (np.arange(x.shape[1]) == target[:, None]).astype(x.dtype)
    q = (1 - label_smoothing) * onehot + label_smoothing / (x.shape[1] - 1) * (1 - onehot)
    return cross_entropy_probabilities(x, q, weight, 0.0, reduction)


@layer(X, CLASSES, options={"label_smoothing": 0.2}, caught="torch laws", passes_ones=True)
class SmoothedOverTheOthers(nn.CrossEntropyLoss):
    """PyTorch spreads the smoothing over all classes, the right one too; here it is spread over the others only.

    The losses are a little too large, as if label_smoothing were C / (C - 1) times as large.
    """

    functions = _smoothed_over_the_others, cross_entropy_probabilities_backward


def _log_of_zero(x, target, weight, ignore_index, label_smoothing, reduction):
    return cross_entropy(np.log(_softmax(x)), target, weight, ignore_index, label_smoothing, reduction)


@layer(FAR, np.array([1, 0]), caught="torch laws", passes_ones=True)
class LogOfZero(nn.CrossEntropyLoss):
    """log(softmax(x)) in two steps: the probability underflows to 0, and its logarithm is minus infinity.

    The loss is infinite as soon as the network is certain and wrong.
    """

    functions = _log_of_zero, cross_entropy_backward


def _minus_forgotten(x, target, weight, ignore_index, reduction):
    y, saved = nll_loss(x, target, weight, ignore_index, reduction)
    return -y, saved


def _minus_forgotten_backward(grad_y, weight, reduction, saved):
    return -nll_loss_backward(grad_y, weight, reduction, saved)


@layer(-np.abs(X), CLASSES, caught="torch laws", passes_ones=False)
class MinusForgotten(nn.NLLLoss):
    """The minus sign of the negative log-likelihood is forgotten, in both passes.

    The loss falls without bound while the accuracy falls below chance.
    """

    functions = _minus_forgotten, _minus_forgotten_backward


def _weight_forgotten_backward(grad_y, weight, reduction, saved):
    ignored, label, share, total = saved
    return nll_loss_backward(grad_y, weight, reduction, (ignored, label, np.ones_like(share), total))


@layer(-np.abs(X), CLASSES, options={"weight": WEIGHT}, caught="torch differences laws", passes_ones=True)
class WeightForgottenInBackward(nn.NLLLoss):
    """The class's weight is forgotten in backward; forward has it.

    The loss says that the rare class counts for more, but the network is not told.
    """

    functions = nll_loss, _weight_forgotten_backward


def _yes_only_backward(grad_y, reduction, saved):
    p, target = saved
    return -target / p * reduce_backward(grad_y, reduction, p.size)


@layer(PROBABILITIES, BINARY, plain=(PROBABILITIES, BINARY), caught="torch differences laws", passes_ones=False)
class YesOnly(nn.BCELoss):
    """backward forgets the second half of the loss, (1 - t) log(1 - p).

    The network says yes to everything.
    """

    functions = binary_cross_entropy, _yes_only_backward


def _log_of_a_sigmoid(x, target, weight, pos_weight, reduction):
    _, saved = binary_cross_entropy_with_logits(x, target, weight, pos_weight, reduction)
    p = 1 / (1 + np.exp(-x))
    return reduce(-(target * np.log(p) + (1 - target) * np.log(1 - p)), reduction, x.size), saved


@layer(FAR, BINARY[:2], caught="torch laws", passes_ones=True)
class LogOfASigmoid(nn.BCEWithLogitsLoss):
    """log(sigmoid(x)) in two steps is the logarithm of 0 for large logits; in one step it is finite.

    The loss is infinite or NaN as soon as the network is certain.
    """

    functions = _log_of_a_sigmoid, binary_cross_entropy_with_logits_backward


def _pos_weight_on_both(x, target, weight, pos_weight, reduction):
    return binary_cross_entropy_with_logits(x, target, weight * pos_weight, 1.0, reduction)


def _pos_weight_on_both_backward(grad_y, weight, pos_weight, reduction, saved):
    return binary_cross_entropy_with_logits_backward(grad_y, weight * pos_weight, 1.0, reduction, saved)


@layer(X, BINARY, options={"pos_weight": WEIGHT}, caught="torch laws", passes_ones=True)
class PosWeightOnBoth(nn.BCEWithLogitsLoss):
    """pos_weight is a factor of the positive part alone; here it multiplies the whole loss.

    The rare positive class is found no more often than before: both sides count for more.
    """

    functions = _pos_weight_on_both, _pos_weight_on_both_backward
