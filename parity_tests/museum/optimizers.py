"""Optimizers."""

import numpy as np

from parity_tests.museum.exhibit import optimizer
from scratch import optim
from scratch.optim.adam import adam
from scratch.optim.adamw import adamw


def penalized(w, g, weight_decay, maximize, decay=1.0):
    """Return the gradient with its sign and its decay, as it should be."""
    return (-g if maximize else g) + decay * weight_decay * w


def sgd_dampened_at_once(w, g, b, t, *, lr, momentum, dampening, weight_decay, maximize):
    """Average with b = 0 at the first step already."""
    b_next = momentum * b + (1 - dampening) * penalized(w, g, weight_decay, maximize)
    return w - lr * b_next, b_next


@optimizer(caught="torch laws", lr=0.1, momentum=0.9, dampening=0.5)
class DampenedAtOnce(optim.SGD):
    """The first step is the gradient itself: the momentum buffer starts with g, not with (1 - dampening) g.

    The first steps are too short. Without dampening there is no effect.
    """

    rule = sgd_dampened_at_once


def sgd_nesterov_without_mu(w, g, b, t, *, lr, momentum, weight_decay, nesterov, maximize):
    """Look ahead along the whole of b."""
    slope = penalized(w, g, weight_decay, maximize)
    b_next = momentum * b + slope
    return w - lr * (slope + b_next if nesterov else b_next), b_next


@optimizer(caught="torch laws", lr=0.1, momentum=0.9, nesterov=True)
class NesterovWithoutMu(optim.SGD):
    """Nesterov's step is g + mu b; here it is g + b.

    The steps are too long, by a tenth in the long run.
    """

    rule = sgd_nesterov_without_mu


def sgd_lr_inside(w, g, b, t, *, lr, momentum, weight_decay, maximize):
    """Average the steps instead of the gradients."""
    b_next = momentum * b + lr * penalized(w, g, weight_decay, maximize)
    return w - b_next, b_next


@optimizer(caught="torch laws", lr=0.1, momentum=0.9)
class LearningRateInsideTheMomentum(optim.SGD):
    """PyTorch applies lr after the averaging; the paper does so before, so the buffer remembers the old lr.

    No effect while lr is constant; after lr is lowered, the first steps still have the old length.
    """

    rule = sgd_lr_inside


def sgd_decay_goes_up(w, g, b, t, *, lr, weight_decay, maximize):
    """Flip the sign of the sum."""
    slope = g + weight_decay * w
    return w - lr * (-slope if maximize else slope), b


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1, maximize=True)
class DecayGoesUpToo(optim.SGD):
    """maximize flips the sign of the gradient, but must leave the decay alone.

    The weights grow without bound.
    """

    rule = sgd_decay_goes_up


def sgd_decay_twice(w, g, b, t, *, lr, weight_decay, maximize):
    """Add the gradient of lambda |w|^2."""
    return w - lr * penalized(w, g, weight_decay, maximize, decay=2.0), b


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayTwice(optim.SGD):
    """weight_decay adds lambda w, the gradient of lambda/2 |w|^2; here it adds 2 lambda w, that of lambda |w|^2.

    Regularization is twice as strong as in PyTorch with the same number.
    """

    rule = sgd_decay_twice


@optimizer(caught="torch laws", of="Optimizer SGD", lr=0.1, momentum=0.9)
class NoneTakenForZero(optim.SGD):
    """A parameter without a gradient takes no step; here it is given a gradient of zeros.

    A frozen layer goes on moving, pushed by its momentum and shrunk by its decay.
    """

    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = np.zeros_like(parameter.data)
        super().step()


@optimizer(caught="torch laws", of="Optimizer SGD", lr=0.1)
class GradientsKept(optim.SGD):
    """zero_grad has to clear the gradients; here it does nothing.

    Every step goes along the sum of all gradients so far: the loss falls, overshoots and swings.
    """

    def zero_grad(self, set_to_none=True):
        pass


@optimizer(caught="laws", of="Optimizer SGD", lr=0.1)
class DataReplaced(optim.SGD):
    """A step writes into the parameter's array; here it puts a new array in its place.

    Everything that holds the old array goes stale: state dicts, and arrays that two parameters share.
    """

    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data = parameter.data.copy()
        super().step()


def means(w, g, m, v, betas, weight_decay, maximize):
    """Return Adam's running means after a step, as they should be."""
    beta1, beta2 = betas
    slope = penalized(w, g, weight_decay, maximize)
    return beta1 * m + (1 - beta1) * slope, beta2 * v + (1 - beta2) * slope**2


def adam_not_corrected(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, maximize):
    """Divide the means as they are."""
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    return w - lr * m_next / (np.sqrt(v_next) + eps), m_next, v_next, v_max


@optimizer(caught="torch laws", lr=0.1)
class BiasNotCorrected(optim.Adam):
    """The means start at 0 and are too small in the first steps, so they have to be divided by 1 - beta^t.

    The first steps are three times too long, as v is further off than m; later there is no effect.
    """

    rule = adam_not_corrected


def adam_eps_under_the_root(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, maximize):
    """Divide by sqrt(v_hat + eps)."""
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    m_hat, v_hat = m_next / (1 - betas[0] ** t), v_next / (1 - betas[1] ** t)
    return w - lr * m_hat / np.sqrt(v_hat + eps), m_next, v_next, v_max


@optimizer(caught="torch laws", lr=0.1, eps=1e-3)
class EpsUnderTheRoot(optim.Adam):
    """eps is added to the root, not under it.

    At the default of 1e-8, parameters with small gradients take much smaller steps than they should.
    """

    rule = adam_eps_under_the_root


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayDecoupled(optim.Adam):
    """Adam's weight_decay joins the gradient; the decay that stays outside is AdamW's.

    The results may be better than the paper's, but they are not Adam's, nor those of the same settings elsewhere.
    """

    rule = adamw


def adam_maximum_of_the_corrected(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, maximize):
    """Correct v before it is compared."""
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    m_hat, v_max_next = m_next / (1 - betas[0] ** t), np.maximum(v_max, v_next / (1 - betas[1] ** t))
    return w - lr * m_hat / (np.sqrt(v_max_next) + eps), m_next, v_next, v_max_next


@optimizer(caught="torch", lr=0.1, amsgrad=True)
class MaximumOfTheCorrected(optim.Adam):
    """PyTorch's amsgrad takes the maximum of v and then corrects it; here v is corrected first.

    The first v, divided by a small number, is remembered forever: steps are too short for the rest of the training.
    """

    rule = adam_maximum_of_the_corrected


def adam_betas_exchanged(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, amsgrad, maximize):
    """Take beta2 for beta1, and beta1 for beta2."""
    options = {"eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
    return adam(w, g, m, v, v_max, t, lr=lr, betas=betas[::-1], **options)


@optimizer(caught="torch", lr=0.1)
class BetasExchanged(optim.Adam):
    """betas are those of the mean and of the mean square, in this order.

    The optimizer starts and turns slowly, and takes large steps after small gradients.
    """

    rule = adam_betas_exchanged


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayInTheGradient(optim.AdamW):
    """AdamW's decay stays outside the means; here it joins the gradient, as in Adam.

    Weights with large gradients hardly decay, and the advantage over Adam is gone.
    """

    rule = adam


def adamw_without_lr(w, g, m, v, v_max, t, *, lr, betas, eps, weight_decay, amsgrad, maximize):
    """Shrink by 1 - lambda."""
    options = {"eps": eps, "weight_decay": 0, "amsgrad": amsgrad, "maximize": maximize}
    return adam(w * (1 - weight_decay), g, m, v, v_max, t, lr=lr, betas=betas, **options)


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayWithoutTheLearningRate(optim.AdamW):
    """The paper's decay is not multiplied by lr; PyTorch's is.

    With lr = 1e-3 the weights vanish within a few hundred steps.
    """

    rule = adamw_without_lr
