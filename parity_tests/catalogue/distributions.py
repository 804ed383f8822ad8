"""The distributions' methods that have a backward: log-probabilities, entropies and reparameterised samples."""

import numpy as np
import torch
from torch import distributions

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from scratch.distributions.bernoulli import BernoulliEntropy, BernoulliLogits
from scratch.distributions.categorical import CategoricalEntropy, CategoricalLogProb
from scratch.distributions.kl import CategoricalKL, NormalKL
from scratch.distributions.mixture import MixtureLogProb
from scratch.distributions.normal import NormalEntropy, NormalLogProb, NormalRSample
from scratch.distributions.probabilities import Chosen, NormalizedLogits, NormalizedProbs, Uncertainty
from scratch.distributions.tanh_normal import TanhNormalLogProb, TanhNormalRSample

# With validation on, PyTorch refuses parameters that are NaN or infinite.
UNCHECKED = {"validate_args": False}


def shape_of(d: Draw) -> tuple[int, ...]:
    """Return the shape of a batch of distributions, and of one value for each."""
    return (*d.leading(), d.integer(1, 4))


def shared(d: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape that broadcasts to ``shape``; two times out of three it is ``shape`` itself."""
    return shape if d.rng.random() < 2 / 3 else d.one_of(shape[-1:], (*shape[:-1], 1))


def positive(d: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers above 0."""
    return np.asarray(np.abs(d.array(shape)))


@entry("CategoricalLogProb", "distribution")
def categorical_log_prob(d: Draw) -> LayerCase:
    """Draw one action for each row of logits, or several.

    The logits are about 1: PyTorch subtracts the logarithm of the sum from the logits, and with large ones it loses
    digits of a probability close to 1 that ours keep.
    """
    shape = shape_of(d)
    several = (d.integer(1, 3),) if d.fixed_batch is None and d.one_of(True, False, False) else ()
    actions = d.classes((*several, *shape), 3)

    def reference(logits: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return distributions.Categorical(logits=logits, **UNCHECKED).log_prob(action)

    return LayerCase(CategoricalLogProb(), reference, (d.array((*shape, 3)), actions))


@entry("CategoricalEntropy", "distribution")
def categorical_entropy(d: Draw) -> LayerCase:
    """Draw logits of about 1 and 3."""

    def reference(logits: torch.Tensor) -> torch.Tensor:
        return distributions.Categorical(logits=logits, **UNCHECKED).entropy()

    x = d.array((*shape_of(d), d.integer(2, 5)), factor=d.one_of(1, 3))
    return LayerCase(CategoricalEntropy(), reference, (x,))


@entry("NormalLogProb", "distribution")
def normal_log_prob(d: Draw) -> LayerCase:
    """Value, loc and scale, some of them shared."""
    shape = shape_of(d)

    def reference(value: torch.Tensor, loc: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return distributions.Normal(loc, scale, **UNCHECKED).log_prob(value)

    inputs = d.array(shape), d.array(shared(d, shape)), positive(d, shared(d, shape))
    return LayerCase(NormalLogProb(), reference, inputs)


@entry("NormalEntropy", "distribution")
def normal_entropy(d: Draw) -> LayerCase:
    """Of a scale."""

    def reference(scale: torch.Tensor) -> torch.Tensor:
        return distributions.Normal(torch.zeros_like(scale), scale, **UNCHECKED).entropy()

    return LayerCase(NormalEntropy(), reference, (positive(d, shape_of(d)),))


@entry("NormalRSample", "distribution")
def normal_rsample(d: Draw) -> LayerCase:
    """Loc and scale, some of them shared, and the noise."""
    shape = shape_of(d)

    def reference(loc: torch.Tensor, scale: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return loc + noise * scale

    inputs = d.array(shared(d, shape)), positive(d, shared(d, shape)), d.array(shape)
    return LayerCase(NormalRSample(), reference, inputs)


@entry("TanhNormalLogProb", "distribution")
def tanh_normal_log_prob(d: Draw) -> LayerCase:
    """Values between -0.9 and 0.9."""
    shape = shape_of(d)

    def reference(value: torch.Tensor, loc: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        squashed = distributions.TransformedDistribution(
            distributions.Normal(loc, scale, **UNCHECKED), [distributions.TanhTransform()], **UNCHECKED
        )
        return squashed.log_prob(value)

    value = np.asarray(0.45 * d.array(shape), d.dtype)
    return LayerCase(TanhNormalLogProb(), reference, (value, d.array(shared(d, shape)), positive(d, shared(d, shape))))


@entry("TanhNormalRSample", "distribution")
def tanh_normal_rsample(d: Draw) -> LayerCase:
    """Sample and log-probability at once, as PyTorch has them with a cached transform."""
    shape = shape_of(d)

    def reference(loc: torch.Tensor, scale: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        transform = distributions.TanhTransform(cache_size=1)
        normal = distributions.Normal(loc, scale, **UNCHECKED)
        y = transform(loc + noise * scale)
        return y, distributions.TransformedDistribution(normal, [transform], **UNCHECKED).log_prob(y)

    inputs = d.array(shared(d, shape)), positive(d, shared(d, shape)), d.array(shape)
    return LayerCase(TanhNormalRSample(), reference, inputs)


@entry("MixtureLogProb", "distribution")
def mixture_log_prob(d: Draw) -> LayerCase:
    """One to four components of one to three numbers; logits, locs and scales shared by several values or not."""
    # PyTorch takes no empty batch.
    batch, k, numbers = tuple(max(size, 1) for size in shape_of(d)), d.integer(1, 4), d.integer(1, 3)
    of_parameters = batch if d.one_of(True, False) else batch[1:]

    def reference(value: torch.Tensor, logits: torch.Tensor, loc: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        components = distributions.Independent(distributions.Normal(loc, scale, **UNCHECKED), 1, **UNCHECKED)
        mixture = distributions.Categorical(logits=logits, **UNCHECKED)
        return distributions.MixtureSameFamily(mixture, components, **UNCHECKED).log_prob(value)

    loc, scale = d.array((*of_parameters, k, numbers)), positive(d, (*of_parameters, k, numbers))
    inputs = d.array((*batch, numbers)), d.array((*of_parameters, k)), loc, scale
    return LayerCase(MixtureLogProb(), reference, inputs)


def distribution_of(p: torch.Tensor, logp: torch.Tensor) -> distributions.Categorical:
    """Return a categorical distribution of PyTorch, from probabilities and their logarithms as two leaves."""
    found = distributions.Categorical(probs=p, **UNCHECKED)
    found.probs, found.logits = p, logp
    return found


def probabilities(d: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Return probabilities that add up to 1 in each row, none of them near 0."""
    numbers = 0.2 + positive(d, shape)
    return np.asarray(numbers / numbers.sum(axis=-1, keepdims=True))


@entry("NormalizedLogits", "distribution")
def normalized_logits(d: Draw) -> LayerCase:
    """Logits of about 1."""

    def reference(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = distributions.Categorical(logits=logits, **UNCHECKED)
        return found.logits, found.probs

    return LayerCase(NormalizedLogits(), reference, (d.array(shape_of(d)),))


@entry("NormalizedProbs", "distribution")
def normalized_probs(d: Draw) -> LayerCase:
    """Probabilities, but for a factor in each row."""

    def reference(probs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = distributions.Categorical(probs=probs, **UNCHECKED)
        return found.logits, found.probs

    return LayerCase(NormalizedProbs(), reference, (3 * probabilities(d, (*shape_of(d), d.integer(2, 5))),))


@entry("Chosen", "distribution")
def chosen(d: Draw) -> LayerCase:
    """Draw one action for each row, or several."""
    shape = shape_of(d)
    several = (d.integer(1, 3),) if d.fixed_batch is None and d.one_of(True, False, False) else ()

    def reference(logp: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return distribution_of(logp.detach().exp(), logp).log_prob(action)

    return LayerCase(Chosen(), reference, (-positive(d, (*shape, 3)), d.classes((*several, *shape), 3)))


@entry("Uncertainty", "distribution")
def uncertainty(d: Draw) -> LayerCase:
    """Draw logarithms and probabilities, as if they had nothing to do with each other."""

    def reference(logp: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        return distribution_of(p, logp).entropy()

    shape = (*shape_of(d), 3)
    return LayerCase(Uncertainty(), reference, (d.array(shape), probabilities(d, shape)))


@entry("BernoulliLogits", "distribution")
def bernoulli_logits(d: Draw) -> LayerCase:
    """Probabilities, away from 0 and 1."""

    def reference(p: torch.Tensor) -> torch.Tensor:
        return distributions.Bernoulli(probs=p, **UNCHECKED).logits

    p = np.asarray(0.1 + 0.8 / (1 + np.exp(-d.array(shape_of(d)))), d.dtype)
    return LayerCase(BernoulliLogits(), reference, (p,))


@entry("BernoulliEntropy", "distribution")
def bernoulli_entropy(d: Draw) -> LayerCase:
    """Logits and probabilities, as if they had nothing to do with each other."""

    def reference(x: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        found = distributions.Bernoulli(probs=p, **UNCHECKED)
        found.logits = x
        return found.entropy()

    shape = shape_of(d)
    return LayerCase(BernoulliEntropy(), reference, (d.array(shape), positive(d, shape)))


@entry("NormalKL", "distribution")
def normal_kl(d: Draw) -> LayerCase:
    """Draw the locs and scales of two distributions, some of them shared."""
    shape = shape_of(d)

    def reference(*arrays: torch.Tensor) -> torch.Tensor:
        p, q = distributions.Normal(*arrays[:2], **UNCHECKED), distributions.Normal(*arrays[2:], **UNCHECKED)
        return distributions.kl_divergence(p, q)

    locs, scales = (d.array(shape), d.array(shared(d, shape))), (positive(d, shape), positive(d, shared(d, shape)))
    return LayerCase(NormalKL(), reference, (locs[0], scales[0], locs[1], scales[1]))


@entry("CategoricalKL", "distribution")
def categorical_kl(d: Draw) -> LayerCase:
    """Draw logarithms and probabilities, as if they had nothing to do with each other; q may be shared."""
    shape = (*shape_of(d), 3)
    of_q = d.one_of(shape, shape[-2:])

    def reference(p_log: torch.Tensor, p: torch.Tensor, q_log: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return distributions.kl_divergence(distribution_of(p, p_log), distribution_of(q.detach(), q_log))

    inputs = d.array(shape), probabilities(d, shape), d.array(of_q), probabilities(d, of_q)
    return LayerCase(CategoricalKL(), reference, inputs)
