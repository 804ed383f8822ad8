"""Distributions: log-probabilities, entropies and samples with one wrong function."""

import numpy as np
import torch
from torch import distributions

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch.distributions import categorical, kl, mixture, normal, probabilities, tanh_normal

VALUE, LOC, SCALE, NOISE = array((4, 3)), array((4, 3), seed=1), np.abs(array((4, 3), seed=2)), array((4, 3), seed=3)
LOGITS, ACTIONS = array((4, 3)), np.array([2, 0, 1, 1])
MASKED = np.where(np.arange(12).reshape(4, 3) % 5 == 1, -np.inf, LOGITS)
OF_MIXTURE = array((4, 2)), LOGITS, array((4, 3, 2), seed=4), np.abs(array((4, 3, 2), seed=5))
FAR = OF_MIXTURE[0] + 60, *OF_MIXTURE[1:]


def torch_log_prob():
    """Return PyTorch's log-probability of a normal distribution."""
    return lambda value, loc, scale: distributions.Normal(loc, scale).log_prob(value)


def torch_rsample():
    """Return PyTorch's reparameterised sample, of given noise."""
    return lambda loc, scale, noise: loc + noise * scale


def torch_categorical_log_prob():
    """Return PyTorch's log-probability of actions."""
    return lambda logits, action: distributions.Categorical(logits=logits).log_prob(action)


def torch_categorical_entropy():
    """Return PyTorch's entropy of a categorical distribution."""
    return lambda logits: distributions.Categorical(logits=logits, validate_args=False).entropy()


def torch_squashed():
    """Return PyTorch's sample of a squashed normal distribution, and its log-probability."""

    def sample(loc, scale, noise):
        transform = distributions.TanhTransform(cache_size=1)
        y = transform(loc + noise * scale)
        return y, distributions.TransformedDistribution(distributions.Normal(loc, scale), [transform]).log_prob(y)

    return sample


def torch_squashed_log_prob():
    """Return PyTorch's log-probability of a squashed normal distribution."""
    transforms = [distributions.TanhTransform()]
    return lambda value, loc, scale: distributions.TransformedDistribution(
        distributions.Normal(loc, scale), transforms
    ).log_prob(value)


def torch_mixture():
    """Return PyTorch's log-probability of a mixture."""

    def log_prob(value, logits, loc, scale):
        components = distributions.Independent(distributions.Normal(loc, scale), 1)
        return distributions.MixtureSameFamily(distributions.Categorical(logits=logits), components).log_prob(value)

    return log_prob


def _scale_in_the_logarithm_only_backward(grad_y, saved):
    grad_value, grad_loc, _ = normal.log_prob_backward(grad_y, saved)
    return grad_value, grad_loc, -grad_y / saved[1]


@layer(
    VALUE,
    LOC,
    SCALE,
    torch=torch_log_prob,
    plain=(VALUE, LOC, SCALE),
    caught="torch differences laws",
    passes_ones=False,
)
class ScaleInTheLogarithmOnly(normal.NormalLogProb):
    """The scale is used twice: in the logarithm, and as the divisor in the square; the second use is missing.

    All standard deviations shrink, whatever the data says, until the loss explodes.
    """

    functions = normal.log_prob, _scale_in_the_logarithm_only_backward


def _variance_for_deviation(scale):
    y, saved = normal.entropy(scale)
    return y - np.log(scale) / 2, saved


def _halved_backward(grad_y, saved):
    return normal.entropy_backward(grad_y, saved) / 2


@layer(
    SCALE,
    torch=lambda: lambda scale: distributions.Normal(torch.zeros_like(scale), scale).entropy(),
    plain=(SCALE,),
    caught="torch laws",
    passes_ones=False,
)
class VarianceTakenForDeviation(normal.NormalEntropy):
    """The entropy is log s, or half the logarithm of the variance s^2; here it is half the logarithm of s.

    The bonus for exploring is half of what its coefficient says.
    """

    functions = _variance_for_deviation, _halved_backward


def _noise_forgotten_backward(grad_y, saved):
    grad_loc, _ = normal.rsample_backward(grad_y, saved)
    return grad_loc, grad_loc


@layer(
    LOC,
    SCALE,
    NOISE,
    torch=torch_rsample,
    plain=(LOC, SCALE, NOISE),
    caught="torch differences laws",
    passes_ones=False,
)
class NoiseForgotten(normal.NormalRSample):
    """The scale is multiplied by the noise, and so is its gradient; here it gets the mean's gradient.

    In a VAE the variances follow the means: the samples are either all alike or all noise.
    """

    functions = normal.rsample, _noise_forgotten_backward


def _only_the_drawn_backward(grad_y, saved):
    _, drawn = saved
    return np.where(drawn, grad_y[..., None], 0)


@layer(
    LOGITS,
    ACTIONS,
    torch=torch_categorical_log_prob,
    plain=(LOGITS, ACTIONS),
    caught="torch differences laws",
    passes_ones=False,
)
class OnlyTheDrawn(categorical.CategoricalLogProb):
    """Every logit is in its row's sum of exponentials, so those that were not drawn must fall; here they do not.

    Logits only rise; the policy still changes, until they overflow.
    """

    functions = categorical.log_prob, _only_the_drawn_backward


def _zero_times_infinity(logits):
    z = logits - logits.max(axis=-1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    p = np.exp(logp)
    return -(p * logp).sum(axis=-1), (p, logp)


@layer(MASKED, torch=torch_categorical_entropy, plain=(LOGITS,), caught="torch laws", passes_ones=True)
class MaskedActionsEntropy(categorical.CategoricalEntropy):
    """An action that is not allowed has a logit of minus infinity, and 0 log 0 is 0; here it is NaN.

    The first masked action turns every weight into NaN.
    """

    functions = _zero_times_infinity, categorical.entropy_backward


def _slope_forgotten_backward(grad_y, grad_logp, saved):
    return tanh_normal.rsample_with_log_prob_backward(grad_y, np.zeros_like(grad_logp), saved)


@layer(
    LOC,
    SCALE,
    NOISE,
    torch=torch_squashed,
    plain=(LOC, SCALE, NOISE),
    caught="torch differences laws",
    passes_ones=False,
)
class DensityDetached(tanh_normal.TanhNormalRSample):
    """The sample's log-probability depends on the parameters, too; here only the sample has a gradient.

    Soft actor-critic loses its entropy bonus: the policy settles on one action, and exploration ends.
    """

    functions = tanh_normal.rsample_with_log_prob, _slope_forgotten_backward


def _slope_on_the_wrong_side(value, loc, scale):
    logp, saved = tanh_normal.log_prob(value, loc, scale)
    return logp + 2 * np.log(1 - value**2), saved


@layer(
    VALUE / 3,
    LOC,
    SCALE,
    torch=torch_squashed_log_prob,
    plain=(VALUE / 3, LOC, SCALE),
    caught="torch differences laws",
    passes_ones=True,
)
class SlopeOnTheWrongSide(tanh_normal.TanhNormalLogProb):
    """Where tanh is flat, many values are squeezed into few, so the density is divided by the slope, not multiplied.

    Actions near their limits look unlikely, and the entropy coefficient is tuned to nonsense.
    """

    functions = _slope_on_the_wrong_side, tanh_normal.log_prob_backward


def _all_responsible_backward(grad_y, saved):
    z, scale, mix, joint, *_ = saved
    return mixture.log_prob_backward(
        grad_y, (z, scale, mix, np.zeros_like(joint), np.full_like(grad_y, np.log(joint.shape[-1])), *saved[5:])
    )


@layer(*OF_MIXTURE, torch=torch_mixture, plain=OF_MIXTURE, caught="torch differences laws", passes_ones=False)
class AllResponsibleAlike(mixture.MixtureLogProb):
    """Each component is pulled towards a value by its share of the density there; here all are pulled alike.

    All components end up at the mean: the mixture is a single Gaussian.
    """

    functions = mixture.log_prob, _all_responsible_backward


def _without_the_maximum(value, logits, loc, scale):
    _y, saved = mixture.log_prob(value, logits, loc, scale)
    return np.log(np.exp(saved[3]).sum(axis=-1)), saved


@layer(*FAR, torch=torch_mixture, plain=OF_MIXTURE, caught="torch differences laws", passes_ones=True)
class MaximumNotTakenOutOfAMixture(mixture.MixtureLogProb):
    """Far from every component all densities round to 0, and the logarithm of their sum is minus infinity.

    The loss is infinite at the first outlier.
    """

    functions = _without_the_maximum, mixture.log_prob_backward


def torch_normal_kl():
    """Return PyTorch's divergence of two normal distributions."""
    return lambda *arrays: distributions.kl_divergence(
        distributions.Normal(*arrays[:2]), distributions.Normal(*arrays[2:])
    )


def _divergence_of_q_from_p(p_loc, p_scale, q_loc, q_scale):
    return kl.normal(q_loc, q_scale, p_loc, p_scale)


def _of_q_from_p_backward(grad_y, saved):
    grad_q_loc, grad_q_scale, grad_p_loc, grad_p_scale = kl.normal_backward(grad_y, saved)
    return grad_p_loc, grad_p_scale, grad_q_loc, grad_q_scale


@layer(
    *(LOC, SCALE, NOISE, SCALE + 1),
    torch=torch_normal_kl,
    plain=(LOC, SCALE, NOISE, SCALE + 1),
    caught="torch laws",
    passes_ones=False,
)
class DivergenceTheOtherWayRound(kl.NormalKL):
    """KL(p || q) takes its mean over p; here p and q are exchanged, and the mean is over q.

    A VAE's posteriors may then be as narrow as they like, as long as the prior lies within them: samples of the prior
    decode to noise.
    """

    functions = _divergence_of_q_from_p, _of_q_from_p_backward


def _scale_only_in_the_ratio_backward(grad_y, saved):
    ratio, _, q_scale, *_ = saved
    *others, _ = kl.normal_backward(grad_y, saved)
    return *others, -grad_y * (ratio**2 - 1) / q_scale


@layer(
    *(LOC, SCALE, NOISE, SCALE + 1),
    torch=torch_normal_kl,
    plain=(LOC, SCALE, NOISE, SCALE + 1),
    caught="torch differences laws",
    passes_ones=False,
)
class PriorsScaleUsedOnce(kl.NormalKL):
    """q's scale divides both p's scale and the distance of the means; here its gradient knows of the first only.

    A prior that is learned, as in world models, never widens to where the posteriors are.
    """

    functions = kl.normal, _scale_only_in_the_ratio_backward


def torch_normalized():
    """Return PyTorch's logits and probabilities, given probabilities but for a factor."""

    def normalized(probs):
        found = distributions.Categorical(probs=probs)
        return found.logits, found.probs

    return normalized


def _sum_for_a_constant_backward(grad_logp, grad_p, saved):
    total, p = saved
    return (grad_p + grad_logp / p) / total


@layer(SCALE, torch=torch_normalized, plain=(SCALE,), caught="torch differences laws", passes_ones=False)
class SumTakenForAConstant(probabilities.NormalizedProbs):
    """Each probability is in its row's sum, by which all are divided; here the sum has no gradient.

    Probabilities of what was drawn grow, and no other one shrinks: all of them grow without limit.
    """

    functions = probabilities.of_probs, _sum_for_a_constant_backward
