"""Losses of distributions, and losses with a margin."""

import math

import numpy as np
import torch

from parity_tests.catalogue.likelihoods_and_margins import without_warning
from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.cosine_embedding import cosine_embedding_loss, cosine_embedding_loss_backward
from scratch.nn.gaussian_nll import gaussian_nll_loss, gaussian_nll_loss_backward
from scratch.nn.kl_div import kl_div_backward
from scratch.nn.margin import (
    hinge_embedding_loss,
    margin_ranking_loss,
    margin_ranking_loss_backward,
    soft_margin_loss,
)
from scratch.nn.multi_margin import multi_margin_loss, multi_margin_loss_backward
from scratch.nn.poisson_nll import poisson_nll_loss
from scratch.nn.reduction import reduce, reduce_backward
from scratch.nn.triplet_margin import triplet_margin_loss, triplet_margin_loss_backward

X, OTHER, THIRD = array((4, 3)), array((4, 3), seed=1), array((4, 3), seed=2)
P = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.6, 0.3, 0.1], [0.25, 0.0, 0.75]])
COUNTS = np.array([[0.0, 2.0, 1.0], [5.0, 0.0, 3.0], [1.0, 1.0, 0.0], [4.0, 2.0, 7.0]])
SIGNS = np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
CLASSES = np.array([2, 0, 1, 1])
VAR = np.abs(THIRD)


def _log_of_zero(x, target, n, reduction):
    return reduce(target * (np.log(target) - x), reduction, n), (target,)


def torch_kl_div():
    """Return PyTorch's divergence, which warns of the default reduction."""
    return without_warning(torch.nn.KLDivLoss())


@layer(X, P, plain=(X, P + 0.1), torch=torch_kl_div, caught="torch laws", passes_ones=True)
class ZeroTimesInfinity(nn.KLDivLoss):
    """0 log 0 is 0, the limit; in floating point it is 0 times minus infinity, which is NaN.

    The loss is NaN at the first one-hot target.
    """

    functions = _log_of_zero, kl_div_backward


def _variance_detached_backward(grad_y, reduction, saved):
    grad_x, grad_target, grad_var = gaussian_nll_loss_backward(grad_y, reduction, saved)
    return grad_x, grad_target, np.zeros_like(grad_var)


gaussian = {"plain": (X, OTHER, VAR)}


@layer(X, OTHER, VAR, **gaussian, caught="torch differences laws", passes_ones=False)
class VarianceDetached(nn.GaussianNLLLoss):
    """The variance is predicted, too, and has a gradient of its own; here it is a constant.

    The network never learns how far off it is; its variances stay what they were at the start.
    """

    functions = gaussian_nll_loss, _variance_detached_backward


def _broadcast_not_summed_backward(grad_y, reduction, saved):
    shape, _, d = saved
    grad_x, grad_target, grad_var = gaussian_nll_loss_backward(grad_y, reduction, saved)
    return grad_x, grad_target, grad_var * math.prod(shape) / d.size


@layer(X, OTHER, VAR[:, 0], plain=(X, OTHER, VAR[:, 0]), caught="torch differences", passes_ones=False)
class SharedVarianceAveraged(nn.GaussianNLLLoss):
    """A variance shared by a row is used by all of its numbers, so its gradient is a sum; here it is a mean.

    The variance learns more slowly than the mean, by a factor of the number of outputs.
    """

    functions = gaussian_nll_loss, _broadcast_not_summed_backward


def _rate_for_its_logarithm_backward(grad_y, reduction, saved):
    rate, target = saved
    return reduce_backward(grad_y, reduction, rate.size) * (1 - target / rate)


@layer(X, COUNTS, plain=(X, COUNTS), caught="torch differences", passes_ones=False)
class RateForItsLogarithm(nn.PoissonNLLLoss):
    """The input is the logarithm of the rate; here the gradient is with respect to the rate itself.

    Small rates get huge gradients: training starts with a jump.
    """

    functions = poisson_nll_loss, _rate_for_its_logarithm_backward


def _always_pushed_backward(grad_y, reduction, saved):
    target, z = saved
    return np.where(target == 1, 1, -1) * reduce_backward(grad_y, reduction, z.size)


@layer(X, SIGNS, plain=(X, SIGNS), caught="torch differences laws", passes_ones=False)
class PushedBeyondTheMargin(nn.HingeEmbeddingLoss):
    """Pairs further apart than the margin cost nothing and have no gradient; here they are pushed further.

    All embeddings fly apart, while the loss, which is right, does not change.
    """

    functions = hinge_embedding_loss, _always_pushed_backward


def _target_forgotten_backward(grad_y, reduction, saved):
    _target, z = saved
    return reduce_backward(grad_y, reduction, z.size) / (1 + np.exp(-z))


@layer(X, SIGNS, plain=(X, SIGNS), caught="torch differences laws", passes_ones=False)
class SignOfTheTargetForgotten(nn.SoftMarginLoss):
    """The score is multiplied by the target, and so is its gradient; without that factor all scores are lowered.

    The network says no to everything.
    """

    functions = soft_margin_loss, _target_forgotten_backward


def _both_the_same_way_backward(grad_y, reduction, saved):
    grad_x1, _ = margin_ranking_loss_backward(grad_y, reduction, saved)
    return grad_x1, grad_x1


@layer(X, OTHER, SIGNS, plain=(X, OTHER, SIGNS), caught="torch differences laws", passes_ones=False)
class BothTheSameWay(nn.MarginRankingLoss):
    """The second score is subtracted, so its gradient has the opposite sign; here both have the same.

    Both scores rise and fall together, and their order is never learned.
    """

    functions = margin_ranking_loss, _both_the_same_way_backward


def _right_class_not_raised_backward(grad_y, p, reduction, saved):
    _target, pays, hinge, share = saved
    grad_losses = reduce_backward(grad_y, reduction, len(share))
    return (share * grad_losses)[:, None] * p * hinge ** (p - 1) * pays


@layer(X, CLASSES, plain=(X, CLASSES), caught="torch differences laws", passes_ones=False)
class RightClassNotRaised(nn.MultiMarginLoss):
    """The right class's score is in all differences of its row: its gradient is minus the others' sum; here it is 0.

    All wrong scores sink and the right ones stay; the scores drift down together.
    """

    functions = multi_margin_loss, _right_class_not_raised_backward


def _power_forgotten_backward(grad_y, p, reduction, saved):
    return multi_margin_loss_backward(grad_y, 1, reduction, saved)


@layer(X, CLASSES, options={"p": 2}, plain=(X, CLASSES), caught="torch differences laws", passes_ones=True)
class SquareOfTheHingeForgotten(nn.MultiMarginLoss):
    """With p = 2 the slope is twice the amount missing to the margin; here it is 1, as with p = 1.

    Classes that are nearly far enough away are pushed as hard as those that are quite wrong.
    """

    functions = multi_margin_loss, _power_forgotten_backward


def _anchor_at_rest_backward(grad_y, p, swap, reduction, saved):
    grad_anchor, grad_positive, grad_negative = triplet_margin_loss_backward(grad_y, p, swap, reduction, saved)
    return np.zeros_like(grad_anchor), grad_positive, grad_negative


@layer(X, OTHER, THIRD, plain=(X, OTHER, THIRD), caught="torch differences laws", passes_ones=False)
class AnchorAtRest(nn.TripletMarginLoss):
    """The anchor is in both distances and has a gradient, too; here only the positive and the negative do.

    With one network for all three, a third of the gradient is lost; it learns, but more slowly.
    """

    functions = triplet_margin_loss, _anchor_at_rest_backward


def _other_forgotten_backward(grad_y, p, swap, reduction, saved):
    *differences, near, far, _other, z = saved
    return triplet_margin_loss_backward(
        grad_y, p, False, reduction, (*differences, near, far, np.full_like(far, np.inf), z)
    )


@layer(
    X,
    OTHER,
    THIRD,
    options={"swap": True, "margin": 3.0},
    plain=(X, OTHER, THIRD),
    caught="torch differences",
    passes_ones=True,
)
class SwapInForwardOnly(nn.TripletMarginLoss):
    """With the swap, the gradient goes to whichever distance is smaller; here it always goes to the anchor's.

    The negative is pushed away from the anchor when it is too close to the positive.
    """

    functions = triplet_margin_loss, _other_forgotten_backward


def _lengths_are_constants_backward(grad_y, margin, reduction, saved):
    x1, x2, target, square1, _square2, size, cosine = saved
    no = np.zeros_like(square1)
    grad_losses = reduce_backward(grad_y, reduction, size.size)
    grad_cosine = np.where(target == 1, -grad_losses, np.where(cosine > margin, grad_losses, no))
    return (grad_cosine / size)[:, None] * x2, (grad_cosine / size)[:, None] * x1


@layer(X, OTHER, SIGNS[:, 0], plain=(X, OTHER, SIGNS[:, 0]), caught="torch differences laws", passes_ones=False)
class LengthsAreConstants(nn.CosineEmbeddingLoss):
    """The product is divided by the lengths, which depend on the vectors; the lengths' gradients are missing.

    Vectors grow longer with each step, though the cosine does not care; the learning rate seems to fade.
    """

    functions = cosine_embedding_loss, _lengths_are_constants_backward


def _margin_forgotten_backward(grad_y, margin, reduction, saved):
    return cosine_embedding_loss_backward(grad_y, -1.0, reduction, saved)


@layer(
    X,
    OTHER,
    SIGNS[:, 0],
    options={"margin": 0.9},
    plain=(X, OTHER, SIGNS[:, 0]),
    caught="torch differences",
    passes_ones=False,
)
class MarginInForwardOnly(nn.CosineEmbeddingLoss):
    """Pairs that are far enough apart have no gradient; here they are still turned away from each other.

    All unrelated vectors are turned to be opposite to one another, for which there are not enough directions.
    """

    functions = cosine_embedding_loss, _margin_forgotten_backward
