"""NAdam, RAdam."""

import numpy as np

from parity_tests.museum.exhibit import optimizer
from parity_tests.museum.optimizers import means, penalized
from scratch import optim
from scratch.optim.radam import radam


def nadam_without_schedule(w, g, m, v, p, t, *, lr, betas, eps, weight_decay, maximize):
    """Look ahead with beta1 itself."""
    (beta1, beta2), slope = betas, penalized(w, g, weight_decay, maximize)
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    ahead = beta1 * m_next / (1 - beta1 ** (t + 1)) + (1 - beta1) * slope / (1 - beta1**t)
    return w - lr * ahead / (np.sqrt(v_next / (1 - beta2**t)) + eps), m_next, v_next, p * beta1


@optimizer(caught="torch laws", lr=0.1)
class MomentumNotScheduled(optim.NAdam):
    """NAdam's momentum grows from half of beta1 to beta1; here it is beta1 from the beginning.

    The first step is two fifths too long, and those that follow trust a mean of few gradients too much.
    """

    rule = nadam_without_schedule


def nadam_not_ahead(w, g, m, v, p, t, *, lr, betas, eps, weight_decay, momentum_decay, maximize):
    """Take the same step's momentum twice."""
    (beta1, beta2), slope = betas, penalized(w, g, weight_decay, maximize)
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    mu = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)
    p_next = p * mu
    ahead = mu * m_next / (1 - float(p_next)) + (1 - mu) * slope / (1 - float(p_next))
    return w - lr * ahead / (np.sqrt(v_next / (1 - beta2**t)) + eps), m_next, v_next, p_next


@optimizer(caught="torch laws", lr=0.1)
class ThisStepsMomentumTwice(optim.NAdam):
    """The old gradients get the next step's momentum and its product; here it is this step's.

    The first steps are a few hundredths too long; later there is nothing to see.
    """

    rule = nadam_not_ahead


def radam_from_the_start(w, g, m, v, t, *, lr, betas, eps, weight_decay, maximize):
    """Divide by v from the first step on."""
    m_next, v_next = means(w, g, m, v, betas, weight_decay, maximize)
    m_hat, v_hat = m_next / (1 - betas[0] ** t), v_next / (1 - betas[1] ** t)
    n_max = 2 / (1 - betas[1]) - 1
    n = n_max - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    share = np.sqrt((n - 4) * (n - 2) * n_max / ((n_max - 4) * (n_max - 2) * n)) if n > 5 else 1.0
    return w - lr * share * m_hat / (np.sqrt(v_hat) + eps), m_next, v_next


@optimizer(caught="torch laws", lr=0.1)
class DividedFromTheStart(optim.RAdam):
    """RAdam's first steps are not divided by v, which is made of too few gradients; here they are Adam's.

    These are the steps that the warm-up is for: a gradient that is small by chance takes a step of lr.
    """

    rule = radam_from_the_start


def radam_eps_after_the_correction(w, g, m, v, t, *, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize):
    """Scale eps as v is scaled, so that it is added to the root of v_hat."""
    options = {"weight_decay": weight_decay, "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
    return radam(w, g, m, v, t, lr=lr, betas=betas, eps=eps * np.sqrt(1 - betas[1] ** t), **options)


@optimizer(caught="torch laws", lr=0.1, eps=1e-2)
class EpsAfterTheCorrection(optim.RAdam):
    """RAdam adds eps to the root of v, unlike Adam, which adds it to that of the corrected v.

    Early steps along small gradients are too long; no effect on gradients far above eps.
    """

    rule = radam_eps_after_the_correction
