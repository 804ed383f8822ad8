"""The losses' cases."""

from collections.abc import Callable

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays
from scratch import actor_critic, nn, policy_gradient
from torch_ref import actor_critic as torch_actor_critic
from torch_ref import policy_gradient as torch_policy_gradient

REDUCTIONS = ("none", "mean", "sum")


def both(name: str, **options: object) -> tuple[nn.Module, torch.nn.Module]:
    """Return a loss of each engine; arrays among the options become tensors."""
    tensors = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in options.items()}
    return getattr(nn, name)(**options), getattr(torch.nn, name)(**tensors)


def shape_of(d: Draw) -> tuple[int, ...]:
    """Return the shape of both arrays of an elementwise loss."""
    return (*d.leading(), d.integer(1, 4))


# Between two arrays of one shape.


def regression(name: str, **options: tuple) -> None:
    """Register a regression loss; every other case has differences of exactly 0, 1 and 2.5, where branches meet."""

    def draw(d: Draw) -> LayerCase:
        shape = shape_of(d)
        x = d.array(shape, arrays.tied)
        target = np.asarray(x + d.rng.choice([0, 0.5, -0.5, 1, -1, 2.5, -2.5], shape), d.dtype)
        if d.one_of(True, False):
            x, target = d.array(shape), d.array(shape)
        return LayerCase(*both(name, **d.some_of(reduction=REDUCTIONS, **options)), (x, target))

    entry(name, "loss")(draw)


regression("MSELoss")
regression("L1Loss")
regression("SmoothL1Loss", beta=(0.0, 0.5, 1.0, 2.5))
regression("HuberLoss", delta=(0.5, 1.0, 2.5))


def weights(d: Draw, shape: tuple[int, ...], *names: str) -> dict[str, np.ndarray]:
    """Return some of the weights, each of a shape that broadcasts to ``shape``."""
    found = {}
    for name in names:
        if d.one_of(True, False):
            cut = d.integer(0, len(shape))
            found[name] = np.array(d.array(tuple(d.one_of(1, side) for side in shape[cut:])))
    return found


@entry("BCELoss", "loss")
def bce(d: Draw) -> LayerCase:
    """Probabilities and targets of exactly 0 and 1 among others."""
    shape = shape_of(d)
    options = d.some_of(reduction=REDUCTIONS) | weights(d, shape, "weight")
    return LayerCase(*both("BCELoss", **options), (d.probabilities(shape), d.probabilities(shape)))


@entry("BCEWithLogitsLoss", "loss")
def bce_with_logits(d: Draw) -> LayerCase:
    """Logits of about 1, 10 and 1,000."""
    shape = shape_of(d)
    options = d.some_of(reduction=REDUCTIONS) | weights(d, shape, "weight", "pos_weight")
    x = d.array(shape, factor=d.one_of(1, 10, 1000))
    return LayerCase(*both("BCEWithLogitsLoss", **options), (x, d.probabilities(shape)))


# Between logits and classes.


def logits_and_options(d: Draw) -> tuple[np.ndarray, dict[str, object]]:
    """Return logits, (N, C, ...) or (C,), and weights and reduction."""
    classes = d.integer(1, 5)
    shape = (d.batch(0, 1, 2, 4), classes, *d.integers(1, 3, d.integer(0, 2)))
    if d.fixed_batch is None and d.rng.random() < 0.1:
        shape = (classes,)
    options = d.some_of(reduction=REDUCTIONS)
    if d.one_of(True, False):
        options["weight"] = d.rng.uniform(0.3, 3, classes).astype(d.dtype)
        options["weight"][::2] *= d.one_of(0, 1)
    return d.array(shape, factor=3), options


def target_indices(d: Draw, x: np.ndarray, options: dict) -> np.ndarray:
    """Return class indices for ``x``, some of them ignored; add ``ignore_index`` to the options."""
    axis = 0 if x.ndim == 1 else 1
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    options |= d.some_of(ignore_index=(-1, 0, 1, 1000))
    ignored = d.rng.random(shape) < d.one_of(0, 0.4, 1.0)
    return np.where(ignored, options.get("ignore_index", -100), d.classes(shape, x.shape[axis]))


@entry("CrossEntropyLoss", "loss")
def cross_entropy(d: Draw) -> LayerCase:
    """Weight, ignore_index, label smoothing, reduction; class indices and class probabilities; extra dimensions."""
    x, options = logits_and_options(d)
    options |= d.some_of(label_smoothing=(0.1, 0.5, 0.9))
    if d.one_of(True, False):
        target = target_indices(d, x, options)
    else:
        target = nn.Softmax(dim=0 if x.ndim == 1 else 1)(d.array(x.shape))
    return LayerCase(*both("CrossEntropyLoss", **options), (x, target))


@entry("NLLLoss", "loss")
def nll(d: Draw) -> LayerCase:
    """Draw the same as for CrossEntropyLoss without label smoothing, on any numbers."""
    x, options = logits_and_options(d)
    target = target_indices(d, x, options)
    return LayerCase(*both("NLLLoss", **options), (x, target))


# Reinforcement learning.


def of_the_policy(d: Draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits, actions and advantages."""
    n, count = d.batch(1, 3, 6), d.integer(2, 5)
    return d.array((n, count), factor=d.one_of(1, 3)), d.classes((n,), count), d.array((n,))


@entry("PolicyGradientLoss", "loss")
def policy_gradient_loss(d: Draw) -> LayerCase:
    """REINFORCE's."""
    reference = torch_policy_gradient.PolicyGradientLoss()
    return LayerCase(policy_gradient.PolicyGradientLoss(), reference, of_the_policy(d))


@entry("Entropy", "loss")
def entropy(d: Draw) -> LayerCase:
    """Of a policy's actions."""
    return LayerCase(policy_gradient.Entropy(), torch_policy_gradient.Entropy(), of_the_policy(d)[:1])


@entry("ActorCriticLoss", "loss")
def actor_critic_loss(d: Draw) -> LayerCase:
    """Policy, critic and entropy, weighted."""
    logits, actions, advantages = of_the_policy(d)
    values, returns = d.array(advantages.shape), d.array(advantages.shape)
    criterion = d.one_of("MSELoss", "HuberLoss")
    options = d.some_of(value_weight=(0.2, 0.7, 1.0), entropy_weight=(0.0, 0.01, 0.3))

    def build(module: object, engine: object) -> Callable:
        return module.ActorCriticLoss(getattr(engine, criterion)(), **options)

    layers = build(actor_critic, nn), build(torch_actor_critic, torch.nn)
    return LayerCase(*layers, (logits, values, actions, advantages, returns))
