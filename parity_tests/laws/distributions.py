"""Laws of distributions: what holds for probabilities, whatever the parameters are."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same
from scratch.distributions.bernoulli import BernoulliEntropy, BernoulliLogits
from scratch.distributions.categorical import CategoricalEntropy, CategoricalLogProb
from scratch.distributions.kl import CategoricalKL, NormalKL
from scratch.distributions.mixture import MixtureLogProb
from scratch.distributions.normal import NormalEntropy, NormalLogProb, NormalRSample
from scratch.distributions.probabilities import Chosen, NormalizedLogits, NormalizedProbs, Uncertainty
from scratch.distributions.tanh_normal import TanhNormalLogProb, TanhNormalRSample


@law(NormalLogProb, MixtureLogProb)
def moving_the_value_and_the_centres_alike_changes_nothing(layer, value, *parameters) -> None:
    """Only their difference counts, so the gradients of all centres add up to minus that of the value."""
    place = len(parameters) - 2
    (y,) = forward(layer, value, *parameters)
    (g,) = random_grads((y,))
    grads = backward(layer, g)
    of_loc = grads[1 + place]
    same(grads[0] + (of_loc.sum(axis=-2) if isinstance(layer, MixtureLogProb) else of_loc), np.zeros_like(value))
    moved = [one + 2.5 if k == place else one for k, one in enumerate(parameters)]
    same(forward(layer, value + 2.5, *moved)[0], y)


@law(NormalLogProb)
def the_density_of_all_numbers_is_one(layer: NormalLogProb, value, loc, scale) -> None:
    """The density integrates to 1, so the expected derivative of log p with respect to a parameter is 0."""
    grid = np.linspace(-9, 9, 2001).reshape(-1, *[1] * loc.ndim) * scale + loc
    (y,) = forward(layer, grid, loc, scale)
    share = np.exp(y) * 0.009 * scale
    same(share.sum(axis=0), np.ones_like(y[0]), tolerance=1e-8)
    _, grad_loc, grad_scale = backward(layer, share)
    same(grad_loc, np.zeros_like(loc), tolerance=1e-7)
    same(grad_scale, np.zeros_like(scale), tolerance=1e-7)


@law(NormalEntropy)
def twice_as_wide_is_log_two_more_uncertain(layer: NormalEntropy, scale: np.ndarray) -> None:
    """The entropy of c x is that of x plus log c: so its gradient times the scale is 1."""
    (y,) = forward(layer, scale)
    (g,) = random_grads((y,))
    same(backward(layer, g)[0] * scale, g)
    same(forward(layer, 2 * scale)[0], y + np.log(2))
    same(forward(layer, np.ones_like(scale))[0], np.full_like(y, (1 + np.log(2 * np.pi)) / 2))


@law(NormalRSample)
def a_sample_is_linear_in_its_parameters(layer: NormalRSample, loc, scale, noise) -> None:
    """<grad_loc, loc> + <grad_scale, scale> = <g, y>: Euler's theorem."""
    (y,) = forward(layer, loc, scale, noise)
    (g,) = random_grads((y,))
    grad_loc, grad_scale = backward(layer, g)
    same((grad_loc * loc).sum() + (grad_scale * scale).sum(), (g * y).sum())


@law(CategoricalLogProb)
def all_possibilities_together_are_certain(layer: CategoricalLogProb, logits, action) -> None:
    """The probabilities sum to 1, so the expected gradient of log p is 0."""
    every = np.arange(logits.shape[-1]).reshape(-1, *[1] * action.ndim) + np.zeros_like(action)
    (y,) = forward(layer, logits, every)
    same(np.exp(y).sum(axis=0), np.ones_like(y[0]))
    same(backward(layer, np.exp(y))[0], np.zeros_like(logits))
    same(forward(layer, logits + 1e4, every)[0], y)


@law(CategoricalEntropy)
def who_knows_nothing_is_the_most_uncertain(layer: CategoricalEntropy, logits: np.ndarray) -> None:
    """Equal logits have the entropy log A and a gradient of 0; a forbidden action adds nothing to it."""
    count = logits.shape[-1]
    (y,) = forward(layer, np.zeros_like(logits))
    same(y, np.full_like(y, np.log(count)))
    (g,) = random_grads((y,))
    same(backward(layer, g)[0], np.zeros_like(logits))
    forbidden = np.concatenate([logits, np.full_like(logits[..., :1], -np.inf)], axis=-1)
    (y,) = forward(layer, logits)
    grad = backward(layer, g)[0]
    same(forward(layer, forbidden)[0], y)
    same(backward(layer, g)[0][..., :-1], grad)


@law(TanhNormalLogProb)
def squeezing_loses_no_probability(layer: TanhNormalLogProb, value, loc, scale) -> None:
    """The integral of the density over (-1, 1) is 1."""
    u = np.linspace(-9, 9, 2001).reshape(-1, *[1] * loc.ndim) * scale + loc
    inside = np.abs(u) < 12
    grid = np.tanh(np.where(inside, u, 0))
    (y,) = forward(layer, grid, loc, scale)
    share = np.where(inside, np.exp(y) * (1 - grid**2) * 0.009 * scale, 0)
    same(share.sum(axis=0), np.ones_like(share[0]), tolerance=1e-4)


@law(TanhNormalRSample)
def a_sample_knows_its_own_log_probability(layer: TanhNormalRSample, loc, scale, noise) -> None:
    """It equals `TanhNormalLogProb` at the sample, and the gradients follow from both by the chain rule."""
    noise = np.clip(noise, -1, 1)
    y, logp = forward(layer, loc, scale, noise)
    g, h = random_grads((y, logp))
    grad_loc, grad_scale = backward(layer, g, h)
    again = TanhNormalLogProb()
    same(forward(again, y, loc, scale)[0], logp, tolerance=1e-7)
    grad_y, of_loc, of_scale = backward(again, h)
    by_sample = backward(layer, g + grad_y, np.zeros_like(h))
    same(by_sample[0] + of_loc, grad_loc, tolerance=1e-6)
    same(by_sample[1] + of_scale, grad_scale, tolerance=1e-6)


@law(MixtureLogProb)
def the_components_have_no_order(layer: MixtureLogProb, value, logits, loc, scale) -> None:
    """Reordering the components changes nothing; K equal ones act as one, each with the responsibility 1 / K."""
    (y,) = forward(layer, value, logits, loc, scale)
    same(forward(layer, value, logits[..., ::-1], loc[..., ::-1, :], scale[..., ::-1, :])[0], y)
    first = [np.repeat(one[..., :1, :], loc.shape[-2], axis=-2) for one in (loc, scale)]
    (y,) = forward(layer, value, logits, *first)
    same(y, forward(NormalLogProb(), value, loc[..., 0, :], scale[..., 0, :])[0].sum(axis=-1))
    (g,) = random_grads((y,))
    same(backward(layer, g)[1], np.zeros_like(logits))


@law(MixtureLogProb)
def far_from_all_components_the_density_is_small_and_not_zero(layer: MixtureLogProb, value, *parameters) -> None:
    """Its logarithm falls with the square of the distance, and stays finite."""
    y, further = (forward(layer, value + far, *parameters)[0] for far in (60.0, 600.0))
    assert np.isfinite(y).all()
    assert (further < y).all()


@law(NormalizedLogits, NormalizedProbs)
def a_row_of_probabilities_adds_up_to_one(layer: NormalizedLogits | NormalizedProbs, given: np.ndarray) -> None:
    """So its sum has no gradient; and the logarithms are those of the probabilities."""
    logp, p = forward(layer, given)
    same(p.sum(axis=-1), np.ones_like(p[..., 0]))
    same(np.exp(logp), p)
    (g,) = random_grads((logp,))
    same(backward(layer, np.zeros_like(logp), np.broadcast_to(g[..., :1], p.shape))[0], np.zeros_like(given))
    same(backward(layer, g / p, np.zeros_like(p))[0], backward(layer, np.zeros_like(p), g / p**2)[0])


@law(NormalizedProbs)
def a_factor_in_all_probabilities_changes_nothing(layer: NormalizedProbs, probs: np.ndarray) -> None:
    """So the gradient is orthogonal to the probabilities: Euler's theorem."""
    logp, p = forward(layer, probs)
    grads = random_grads((logp, p))
    same((backward(layer, *grads)[0] * probs).sum(axis=-1), np.zeros_like(p[..., 0]))
    for one, other in zip(forward(layer, 7 * probs), (logp, p), strict=True):
        same(one, other)


@law(Chosen)
def each_action_chooses_its_own(layer: Chosen, logp: np.ndarray, action: np.ndarray) -> None:
    """With all actions chosen in turn, the sum is that of the rows, and each has the gradient that it was given."""
    every = np.arange(logp.shape[-1]).reshape(-1, *[1] * (logp.ndim - 1))
    (y,) = forward(layer, logp, every)
    same(y.sum(axis=0), logp.sum(axis=-1))
    (g,) = random_grads((y,))
    same(backward(layer, g)[0], np.moveaxis(g, 0, -1))


@law(Uncertainty, CategoricalKL, BernoulliEntropy)
def it_is_linear_in_the_probabilities(layer, *arrays: np.ndarray) -> None:
    """Given the logarithms: half of all p give half of it, less what does not depend on p."""
    (y,) = forward(layer, *arrays)
    (nothing,) = forward(layer, arrays[0], np.zeros_like(arrays[1]), *arrays[2:])
    same(forward(layer, arrays[0], arrays[1] / 2, *arrays[2:])[0], (y + nothing) / 2)
    forward(layer, *arrays)
    (g,) = random_grads((y,))
    grads = backward(layer, g)
    same((grads[1] * arrays[1]).sum(), (g * (y - nothing)).sum())


@law(CategoricalKL)
def only_differences_of_the_logarithms_count(layer: CategoricalKL, p_log, p, q_log, q) -> None:
    """So their gradients are opposite; equal distributions are 0 apart, and what q calls impossible is too far."""
    (y,) = forward(layer, p_log, p, q_log, q)
    (g,) = random_grads((y,))
    grad_p_log, _, grad_q_log = backward(layer, g)
    same(grad_p_log.sum(), -grad_q_log.sum())
    same(forward(layer, p_log, p, p_log, p)[0], np.zeros_like(y))
    impossible = np.where(np.arange(q.shape[-1]) == 1, 0, q)
    assert np.isposinf(forward(layer, p_log, p, q_log, impossible)[0]).all()


@law(NormalKL)
def equal_distributions_are_nothing_apart(layer: NormalKL, p_loc, p_scale, q_loc, q_scale) -> None:
    """Where p is q the divergence is 0, and least; it is E_p[log p - log q], by the other file's log-probability."""
    (y,) = forward(layer, p_loc, p_scale, p_loc, p_scale)
    same(y, np.zeros_like(y))
    for grad in backward(layer, *random_grads((y,))):
        same(grad, np.zeros_like(grad))
    (y,) = forward(layer, p_loc, p_scale, q_loc, q_scale)
    z = np.linspace(-9, 9, 2001).reshape(-1, *[1] * y.ndim)
    value = z * p_scale + p_loc
    log_p, log_q = (forward(NormalLogProb(), value, *q)[0] for q in ((p_loc, p_scale), (q_loc, q_scale)))
    weights = np.exp(log_p) * 0.009 * p_scale
    same((weights * (log_p - log_q)).sum(axis=0), y, tolerance=1e-8)


@law(NormalKL)
def the_unit_of_measurement_does_not_matter(layer: NormalKL, *arrays: np.ndarray) -> None:
    """So the gradients are orthogonal to the arrays, taken together: Euler's theorem."""
    (y,) = forward(layer, *arrays)
    (g,) = random_grads((y,))
    same(sum((grad * x).sum() for grad, x in zip(backward(layer, g), arrays, strict=True)), 0.0)
    same(forward(layer, *[10 * x for x in arrays])[0], y)


@law(BernoulliLogits)
def the_logit_of_a_no_is_minus_that_of_a_yes(layer: BernoulliLogits, p: np.ndarray) -> None:
    """It is the inverse of the sigmoid, whose slope is p (1 - p)."""
    (x,) = forward(layer, p)
    (g,) = random_grads((x,))
    same(backward(layer, g)[0] * p * (1 - p), g)
    same(1 / (1 + np.exp(-x)), p)
    same(forward(layer, 1 - p)[0], -x)


@law(BernoulliEntropy)
def who_knows_nothing_about_a_switch_is_the_most_uncertain(layer: BernoulliEntropy, x, p) -> None:
    """At p = 1/2 the entropy is log 2 with no gradient; of a yes it is that of a no."""
    half = np.full_like(p, 0.5)
    (y,) = forward(layer, np.zeros_like(x), half)
    same(y, np.full_like(y, np.log(2)))
    for grad in backward(layer, *random_grads((y,))):
        same(grad, np.zeros_like(grad))
    p = 1 / (1 + np.exp(-x))
    (y,) = forward(layer, x, p)
    same(y, -p * np.log(p) - (1 - p) * np.log(1 - p))
    (g,) = random_grads((y,))
    same(backward(layer, g)[0], np.zeros_like(x))
