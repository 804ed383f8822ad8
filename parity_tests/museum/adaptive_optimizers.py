"""RMSprop, Adagrad, Adadelta."""

import numpy as np

from parity_tests.museum.exhibit import optimizer
from parity_tests.museum.optimizers import penalized
from scratch import optim
from scratch.optim.adadelta import adadelta


def rmsprop_eps_under_the_root(w, g, v, b, m, t, *, lr, alpha, eps, weight_decay, maximize):
    """Divide by sqrt(v + eps)."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = alpha * v + (1 - alpha) * slope**2
    return w - lr * slope / np.sqrt(v_next + eps), v_next, b, m


@optimizer(caught="torch laws", lr=0.1)
class EpsUnderRMSpropsRoot(optim.RMSprop):
    """PyTorch adds eps to the root; TensorFlow, and the paper on the centered form, add it under the root.

    Gradients count as small below sqrt(eps) = 1e-4, not only below 1e-8: at 1e-6 a step is a hundredth of lr. A policy
    that trains with TensorFlow's RMSprop and its eps does not train here with the same numbers.
    """

    rule = rmsprop_eps_under_the_root


def rmsprop_momentum_of_gradients(w, g, v, b, m, t, *, lr, alpha, eps, weight_decay, momentum, maximize):
    """Average the gradients, and divide their average."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = alpha * v + (1 - alpha) * slope**2
    b_next = momentum * b + slope if momentum else slope
    return w - lr * b_next / (np.sqrt(v_next) + eps), v_next, b_next, m


@optimizer(caught="torch laws", lr=0.1, momentum=0.9)
class MomentumOfTheGradients(optim.RMSprop):
    """The momentum is that of the scaled gradients; here the gradients are averaged first and then divided, as in Adam.

    A large gradient stays in the buffer undivided: once v has forgotten it, the steps are too long.
    """

    rule = rmsprop_momentum_of_gradients


def rmsprop_lr_inside(w, g, v, b, m, t, *, lr, alpha, eps, weight_decay, momentum, maximize):
    """Average the steps, lr included."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = alpha * v + (1 - alpha) * slope**2
    step = lr * slope / (np.sqrt(v_next) + eps)
    b_next = momentum * b + step if momentum else step
    return w - b_next, v_next, b_next, m


@optimizer(caught="torch laws", lr=0.1, momentum=0.9)
class LearningRateInsideRMSpropsMomentum(optim.RMSprop):
    """PyTorch applies lr after the averaging; TensorFlow does so before, so the buffer remembers the old lr.

    No effect while lr is constant; after lr is lowered, the first steps still have the old length.
    """

    rule = rmsprop_lr_inside


def rmsprop_mean_not_squared(w, g, v, b, m, t, *, lr, alpha, eps, weight_decay, centered, maximize):
    """Subtract the mean from the mean square."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next, m_next = alpha * v + (1 - alpha) * slope**2, m + (1 - alpha) * (slope - m) if centered else 0.0
    return w - lr * slope / (np.sqrt(np.maximum(v_next - m_next, 0)) + eps), v_next, b, m_next


@optimizer(caught="torch laws", lr=0.01, centered=True, alpha=0.9, eps=1e-2)
class MeanNotSquared(optim.RMSprop):
    """The variance is the mean square minus the square of the mean; here the mean itself is subtracted.

    The steps depend on the gradient's sign, and are huge where the mean square is smaller than the mean.
    """

    rule = rmsprop_mean_not_squared


def adagrad_that_forgets(w, g, s, t, *, lr, lr_decay, eps, weight_decay, maximize):
    """Take the mean of the squares."""
    slope = penalized(w, g, weight_decay, maximize)
    s_next = s + (slope**2 - s) / t
    return w - lr / (1 + (t - 1) * lr_decay) * slope / (np.sqrt(s_next) + eps), s_next


@optimizer(caught="torch laws", lr=0.1)
class MeanForTheSum(optim.Adagrad):
    """Adagrad divides by the root of the sum of the squares; here it is the root of their mean.

    The steps do not become shorter, and with noisy gradients the training does not settle.
    """

    rule = adagrad_that_forgets


def adagrad_decay_from_one(w, g, s, t, *, lr, lr_decay, eps, weight_decay, maximize):
    """Divide lr at the first step already."""
    slope = penalized(w, g, weight_decay, maximize)
    s_next = s + slope**2
    return w - lr / (1 + t * lr_decay) * slope / (np.sqrt(s_next) + eps), s_next


@optimizer(caught="torch laws", lr=0.1, lr_decay=0.5)
class DecayCountsFromOne(optim.Adagrad):
    """The first step is taken with lr itself: it is divided by 1 + (t - 1) lr_decay, not by 1 + t lr_decay.

    With an lr_decay of 1 the first step is half as long as it should be; with one of 1e-4 there is nothing to see.
    """

    rule = adagrad_decay_from_one


def adagrad_without_root(w, g, s, t, *, lr, lr_decay, eps, weight_decay, maximize):
    """Divide by the sum itself."""
    slope = penalized(w, g, weight_decay, maximize)
    s_next = s + slope**2
    return w - lr / (1 + (t - 1) * lr_decay) * slope / (s_next + eps), s_next


@optimizer(caught="torch laws", lr=0.1)
class RootForgotten(optim.Adagrad):
    """The gradient is divided by the root of the sum; here it is divided by the sum.

    The smaller a gradient, the longer its steps: parameters with small gradients jump about.
    """

    rule = adagrad_without_root


def adadelta_without_numerator(w, g, v, u, t, *, lr, rho, eps, weight_decay, maximize):
    """Leave the numerator out."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = rho * v + (1 - rho) * slope**2
    return w - lr * slope / np.sqrt(v_next + eps), v_next, u


@optimizer(caught="torch laws", lr=1.0)
class NumeratorForgotten(optim.Adadelta):
    """A step is measured by the steps before; without that numerator this is RMSprop with a learning rate of 1.

    The first step is three, whatever w is: everything that was learned or initialized is gone.
    """

    rule = adadelta_without_numerator


def adadelta_lr_inside(w, g, v, u, t, *, lr, rho, eps, weight_decay, maximize):
    """Average the squares of what is subtracted, lr included."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = rho * v + (1 - rho) * slope**2
    step = lr * np.sqrt(u + eps) / np.sqrt(v_next + eps) * slope
    return w - step, v_next, rho * u + (1 - rho) * step**2


@optimizer(caught="torch laws", lr=0.5)
class LearningRateInTheMeanOfTheSteps(optim.Adadelta):
    """lr is a factor of what is subtracted; the running mean is that of the steps without it.

    No effect at lr = 1. Below it each step shortens the next, and the training comes to a stop.
    """

    rule = adadelta_lr_inside


def adadelta_eps_outside(w, g, v, u, t, *, lr, rho, eps, weight_decay, maximize):
    """Add eps to the roots."""
    slope = penalized(w, g, weight_decay, maximize)
    v_next = rho * v + (1 - rho) * slope**2
    step = (np.sqrt(u) + eps) / (np.sqrt(v_next) + eps) * slope
    return w - lr * step, v_next, rho * u + (1 - rho) * step**2


@optimizer(caught="torch laws", lr=1.0)
class EpsOutsideOfTheRoots(optim.Adadelta):
    """Adadelta's eps is under the roots, unlike RMSprop's: its root sets the length of the first steps.

    They are a thousand times too short, and take long to grow.
    """

    rule = adadelta_eps_outside


def adadelta_penalty_outside(w, g, v, u, t, *, lr, rho, eps, weight_decay, maximize):
    """Shrink w beside the step."""
    options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": 0, "maximize": maximize}
    return adadelta(w * (1 - lr * weight_decay), g, v, u, t, **options)


@optimizer(caught="torch", lr=1.0, weight_decay=0.1)
class AdadeltasDecayDecoupled(optim.Adadelta):
    """Adadelta's weight_decay joins the gradient; here the weights shrink by 1 - lr lambda, and lr is 1.

    Each step takes a tenth off a weight, while the gradient's first steps are about 0.003 long.
    """

    rule = adadelta_penalty_outside
