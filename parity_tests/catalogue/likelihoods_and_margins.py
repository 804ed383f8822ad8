"""The cases of the losses of distributions, and of those with a margin."""

import warnings
from collections.abc import Callable

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.catalogue.losses import REDUCTIONS, both, shape_of
from parity_tests.harness import arrays
from parity_tests.harness.torch_releases import NO_SLOPE_AT_THE_MARGIN

# Among tied numbers are some exactly at a margin, where older releases of PyTorch take another slope.
NUMBERS = (arrays.array, arrays.tied) if NO_SLOPE_AT_THE_MARGIN else (arrays.array,)


def signs(d: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Return targets of 1 and -1."""
    return np.asarray(d.rng.choice([-1.0, 1.0], shape), d.dtype)


def without_warning(loss: Callable) -> Callable:
    """Return PyTorch's loss without its warning that "mean" is not the divergence."""

    def call(*tensors: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return loss(*tensors)

    return call


@entry("KLDivLoss", "loss")
def kl_div(d: Draw) -> LayerCase:
    """Targets that are probabilities, some of them 0, or logarithms of probabilities."""
    shape = shape_of(d)
    options = d.some_of(reduction=(*REDUCTIONS, "batchmean"), log_target=(True, False))
    target = -np.abs(d.array(shape)) if options.get("log_target") else d.probabilities(shape)
    loss, reference = both("KLDivLoss", **options)
    return LayerCase(loss, without_warning(reference), (d.array(shape), np.asarray(target)))


@entry("GaussianNLLLoss", "loss")
def gaussian_nll(d: Draw) -> LayerCase:
    """Draw a variance for each number, for each row, or for each column."""
    shape = shape_of(d)
    options = d.some_of(reduction=REDUCTIONS, full=(True, False), eps=(1e-6, 0.1))
    of_var = d.one_of(shape, shape[:-1], (*shape[:-1], 1), (1, *shape[1:]))
    var = np.asarray(np.abs(d.array(of_var)))
    return LayerCase(*both("GaussianNLLLoss", **options), (d.array(shape), d.array(shape), var))


@entry("PoissonNLLLoss", "loss")
def poisson_nll(d: Draw) -> LayerCase:
    """Draw counts from 0, and rates of either sign for logarithms."""
    shape = shape_of(d)
    options = d.some_of(reduction=REDUCTIONS, log_input=(True, False), full=(True, False), eps=(1e-8, 0.1))
    x = d.array(shape) if options.get("log_input", True) else np.asarray(np.abs(d.array(shape)))
    target = np.asarray(d.rng.integers(0, 6, shape), d.dtype)
    return LayerCase(*both("PoissonNLLLoss", **options), (x, target))


@entry("HingeEmbeddingLoss", "loss")
def hinge_embedding(d: Draw) -> LayerCase:
    """Distances exactly at the margin among others."""
    shape = shape_of(d)
    options = d.some_of(reduction=REDUCTIONS, margin=(0.0, 1.0, 2.0))
    x = d.array(shape, d.one_of(*NUMBERS))
    return LayerCase(*both("HingeEmbeddingLoss", **options), (x, signs(d, shape)))


@entry("SoftMarginLoss", "loss")
def soft_margin(d: Draw) -> LayerCase:
    """Scores of about 1 and 20."""
    shape = shape_of(d)
    x = d.array(shape, factor=d.one_of(1, 20))
    return LayerCase(*both("SoftMarginLoss", **d.some_of(reduction=REDUCTIONS)), (x, signs(d, shape)))


@entry("MarginRankingLoss", "loss")
def margin_ranking(d: Draw) -> LayerCase:
    """Differences exactly at the margin among others."""
    shape, numbers = shape_of(d), d.one_of(*NUMBERS)
    options = d.some_of(reduction=REDUCTIONS, margin=(0.0, 0.5, 1.0))
    inputs = d.array(shape, numbers), d.array(shape, numbers), signs(d, shape)
    return LayerCase(*both("MarginRankingLoss", **options), inputs)


@entry("MultiMarginLoss", "loss")
def multi_margin(d: Draw) -> LayerCase:
    """One row as well; weighted, squared, with scores exactly at the margin."""
    classes = d.integer(1, 5)
    rows = max(d.batch(1, 3), 1)  # of none PyTorch returns memory that nobody has written to
    shape = (rows, classes) if d.fixed_batch is not None or d.rng.random() < 0.8 else (classes,)
    options = d.some_of(reduction=REDUCTIONS, p=(1, 2), margin=(0.5, 1.0, 3.0))
    if d.one_of(True, False):
        options["weight"] = d.rng.uniform(0.3, 3, classes).astype(d.dtype)
    x = d.array(shape, d.one_of(arrays.array, arrays.tied))
    return LayerCase(*both("MultiMarginLoss", **options), (x, np.asarray(d.classes(shape[:-1], classes))))


@entry("TripletMarginLoss", "loss")
def triplet_margin(d: Draw) -> LayerCase:
    """Several norms, with and without the swap."""
    shape = (*d.leading()[:1], d.integer(1, 5))
    options = d.some_of(
        reduction=REDUCTIONS,
        margin=(0.2, 1.0, 5.0),
        p=(1.0, 1.5, 2.0, 3.0, float("inf")),
        eps=(1e-6, 0.1),
        swap=(True, False),
    )
    inputs = tuple(d.array(shape) for _ in range(3))
    return LayerCase(*both("TripletMarginLoss", **options), inputs)


@entry("CosineEmbeddingLoss", "loss")
def cosine_embedding(d: Draw) -> LayerCase:
    """One row as well; targets of both signs."""
    shape = (*d.leading()[:1], d.integer(2, 5))
    options = d.some_of(reduction=REDUCTIONS, margin=(-0.5, 0.0, 0.3))
    return LayerCase(*both("CosineEmbeddingLoss", **options), (d.array(shape), d.array(shape), signs(d, shape[:-1])))
