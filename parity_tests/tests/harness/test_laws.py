"""Every layer, loss and optimizer keeps the laws (`parity_tests.laws`), with options crossed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests import laws
from parity_tests.catalogue import of_kind
from parity_tests.harness.strategies import array, distinct, layouts, seeds
from parity_tests.laws.likelihoods_and_margins import MORE_INPUTS, TWO_INPUTS
from scratch import actor_critic, nn, optim, policy_gradient
from scratch.distributions import bernoulli, categorical, kl, mixture, normal, probabilities, tanh_normal
from scratch.distributions.method import Method

WEIGHT = np.array([0.5, 2.0, 1.25])
ENTRIES = [entry for entry in of_kind("layer", "model") if entry.share == 1]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
@given(training=st.booleans(), seed=seeds)
def test_layers(entry, training, seed):
    case = entry.case("float64", seed, batch=4)
    assert laws.broken(case.layer.train(training), *case.inputs) == []


REDUCTIONS = ("mean", "sum")
ELEMENTWISE = [
    *[cls(reduction=r) for cls in (nn.MSELoss, nn.L1Loss) for r in REDUCTIONS],
    *[nn.SmoothL1Loss(reduction=r, beta=beta) for r in REDUCTIONS for beta in (1.0, 0.3, 0.0)],
    *[nn.HuberLoss(reduction=r, delta=delta) for r in REDUCTIONS for delta in (1.0, 0.3)],
]
BINARY = [
    *[nn.BCELoss(weight, reduction=r) for weight in (None, WEIGHT) for r in REDUCTIONS],
    *[nn.BCEWithLogitsLoss(weight, reduction=r) for weight in (None, WEIGHT) for r in REDUCTIONS],
    nn.BCEWithLogitsLoss(pos_weight=WEIGHT),
]
CLASSES = [
    *[nn.NLLLoss(weight, reduction=r) for weight in (None, WEIGHT) for r in REDUCTIONS],
    *[
        nn.CrossEntropyLoss(weight, reduction=r, label_smoothing=e)
        for weight in (None, WEIGHT)
        for r in REDUCTIONS
        for e in (0.0, 0.2)
    ],
]


def loss_id(loss):
    options = {name: value for name, value in vars(loss).items() if not name.startswith("_") and name != "training"}
    return f"{type(loss).__name__} {options}"


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=loss_id)
@given(layout=layouts, seed=seeds)
def test_losses_of_differences(loss, layout, seed):
    assert laws.broken(loss, distinct((4, 3), seed=seed, layout=layout), 0.37 * distinct((4, 3), seed=seed + 1)) == []


@pytest.mark.parametrize("loss", BINARY, ids=loss_id)
@given(seed=seeds)
def test_binary_losses(loss, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.05, 0.95, (4, 3)) if isinstance(loss, nn.BCELoss) else rng.normal(size=(4, 3))
    assert laws.broken(loss, x, rng.uniform(0, 1, (4, 3)).round(1)) == []


@pytest.mark.parametrize("loss", CLASSES, ids=loss_id)
@given(extra=st.sampled_from([(), (2,), (2, 1)]), layout=layouts, seed=seeds)
def test_losses_of_classes(loss, extra, layout, seed):
    rng = np.random.default_rng(seed)
    x = -rng.uniform(0.1, 3, (4, 3, *extra)) if isinstance(loss, nn.NLLLoss) else array((4, 3, *extra), seed=seed)
    assert laws.broken(loss, x, rng.integers(0, 3, (4, *extra))) == []


OTHERS = [entry for entry in of_kind("loss") if isinstance(entry.case("float64", 0).layer, (*TWO_INPUTS, *MORE_INPUTS))]


@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry.name)
@given(seed=seeds)
def test_likelihoods_and_margins(entry, seed):
    case = entry.case("float64", seed, batch=4)
    assert laws.broken(case.layer, *case.inputs) == []


@given(seed=seeds)
def test_distributions(seed):
    value, loc, noise = (array((4, 3), seed=seed + k) for k in range(3))
    scale, logits = np.abs(array((4, 3), seed=seed + 3)), array((4, 2, 3), seed=seed + 4)
    other, action = np.abs(array((4, 3), seed=seed + 8)), np.random.default_rng(seed).integers(0, 3, (4, 2))
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    components = array((4, 3, 2), seed=seed + 5), np.abs(array((4, 3, 2), seed=seed + 6))
    cases = (
        (normal.NormalLogProb(), value, loc, scale),
        (normal.NormalEntropy(), scale),
        (normal.NormalRSample(), loc, scale, noise),
        (categorical.CategoricalLogProb(), logits, action),
        (categorical.CategoricalEntropy(), logits),
        (tanh_normal.TanhNormalLogProb(), 0.45 * value, loc, scale),
        (tanh_normal.TanhNormalRSample(), loc, scale, noise),
        (mixture.MixtureLogProb(), array((4, 2), seed=seed + 7), value, *components),
        (probabilities.NormalizedLogits(), logits),
        (probabilities.NormalizedProbs(), 3 * probs),
        (probabilities.Chosen(), logits, action),
        (probabilities.Uncertainty(), logits, probs),
        (bernoulli.BernoulliLogits(), probs),
        (bernoulli.BernoulliEntropy(), value, scale),
        (kl.NormalKL(), value, scale, loc, other),
        (kl.CategoricalKL(), logits, probs, array((4, 2, 3), seed=seed + 9), probs[::-1]),
    )
    assert {type(layer) for layer, *_ in cases} == set(METHODS)
    for layer, *inputs in cases:
        assert laws.broken(layer, *inputs) == [], type(layer).__name__


@given(seed=seeds)
def test_entropy(seed):
    assert laws.broken(policy_gradient.Entropy(), distinct((5, 3), seed=seed)) == []


@given(value=st.sampled_from([nn.MSELoss, nn.HuberLoss]), seed=seeds)
def test_losses_of_reinforcement_learning(value, seed):
    rng = np.random.default_rng(seed)
    logits, numbers, actions = rng.normal(size=(5, 3)), rng.normal(size=(3, 5)), rng.integers(0, 3, 5)
    assert laws.broken(policy_gradient.PolicyGradientLoss(), logits, actions, numbers[0]) == []
    loss = actor_critic.ActorCriticLoss(value(), 0.5, 0.1)
    assert laws.broken(loss, logits, numbers[0], actions, *numbers[1:]) == []


SGD = [{}, {"momentum": 0.9}, {"momentum": 0.5, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True}]
ADAM = [{}, {"betas": (0.5, 0.7)}, {"amsgrad": True}, {"eps": 1e-3}]
OPTIMIZERS = [
    *[(optim.SGD, options) for options in SGD],
    *[(cls, options) for cls in (optim.Adam, optim.AdamW) for options in ADAM],
    *[(optim.NAdam, options) for options in ({}, {"betas": (0.5, 0.7)}, {"momentum_decay": 0.3}, {"eps": 1e-3})],
    *[(optim.RAdam, options) for options in ({}, {"betas": (0.5, 0.8)}, {"betas": (0.9, 0.6)}, {"eps": 1e-3})],
    *[(cls, {"decoupled_weight_decay": True}) for cls in (optim.NAdam, optim.RAdam)],
    *[(optim.RMSprop, options) for options in ({}, {"momentum": 0.9}, {"centered": True, "alpha": 0.8}, {"eps": 1e-3})],
    *[(optim.Adagrad, options) for options in ({}, {"lr_decay": 0.3}, {"initial_accumulator_value": 0.4})],
    *[(optim.Adadelta, options) for options in ({}, {"rho": 0.5}, {"eps": 1e-3})],
]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("cls", "options"), OPTIMIZERS, ids=str)
def test_optimizers(cls, options, decay, maximize):
    options = {"lr": 0.05, "weight_decay": decay, "maximize": maximize, **options}
    assert laws.broken_by_optimizer(cls, options) == []


METHODS = Method.__subclasses__()
HELD = [entry.case("float64", 0, batch=4).layer for entry in ENTRIES] + ELEMENTWISE + BINARY + CLASSES
REINFORCEMENT = {policy_gradient.PolicyGradientLoss, policy_gradient.Entropy, actor_critic.ActorCriticLoss}
CLASSES_HELD = (
    {type(thing) for thing in HELD}
    | REINFORCEMENT
    | {*TWO_INPUTS, *MORE_INPUTS, *METHODS}
    | {cls for cls, _ in OPTIMIZERS}
)


@pytest.mark.parametrize("entry", of_kind("loss"), ids=lambda entry: entry.name)
def test_every_loss_is_held_to_the_laws(entry):
    assert entry.name in {cls.__name__ for cls in CLASSES_HELD}, (
        f"{entry.name} is held to no law of losses; add it to ELEMENTWISE, BINARY or CLASSES in "
        "parity_tests/tests/harness/test_laws.py"
    )


def test_every_law_has_somebody_to_keep_it():
    for kinds, function in laws.LAWS:
        assert function.__doc__
        assert any(issubclass(cls, kinds) for cls in CLASSES_HELD)
