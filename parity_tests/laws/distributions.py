"""Laws of distributions: what holds for probabilities, whatever the parameters are."""

import numpy as np

from parity_tests.laws.law import backward, forward, law, random_grads, same
from scratch.distributions.categorical import CategoricalEntropy, CategoricalLogProb
from scratch.distributions.mixture import MixtureLogProb
from scratch.distributions.normal import NormalEntropy, NormalLogProb, NormalRSample
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
