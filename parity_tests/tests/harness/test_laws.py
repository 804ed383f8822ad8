"""Every layer, loss and optimizer keeps the laws (`parity_tests.laws`), options crossed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests import laws
from parity_tests.harness.strategies import array, distinct, layouts, random_state, seeds
from scratch import actor_critic, models, nn, optim, policy_gradient

F64 = {"dtype": np.float64}
WEIGHT = np.array([0.5, 2.0, 1.25])
BN = [{"affine": affine, "track_running_stats": track} for affine in (True, False) for track in (True, False)]
CONV = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "dilation": (2, 1), "groups": 2},
    {"padding": "same", "dilation": 2},
    {"padding": (2, 1), "groups": 2, "bias": False},
]
POOL = [{}, {"stride": 1}, {"padding": 1}, {"ceil_mode": True}, {"stride": (1, 2), "padding": (0, 1)}]

LAYERS = [
    *[(nn.Linear(3, 5, bias=bias, **F64), (4, 3)) for bias in (True, False)],
    (nn.Linear(4, 2, **F64), (3, 2, 4)),
    (nn.Identity(), (3, 2)),
    *[(nn.Flatten(*args), (3, 2, 4, 2)) for args in ((), (1, 2), (2,))],
    *[(cls(), (3, 4)) for cls in (nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh)],
    *[(nn.LeakyReLU(slope), (3, 4)) for slope in (0.01, 0.3)],
    *[(nn.ELU(alpha), (3, 4)) for alpha in (1.0, 0.4)],
    *[(nn.GELU(approximate), (3, 4)) for approximate in ("none", "tanh")],
    *[(nn.Softplus(**options), (3, 4)) for options in ({}, {"beta": 3.0})],
    *[(cls(dim), (2, 4, 3)) for cls in (nn.Softmax, nn.LogSoftmax) for dim in (1, 2, -1)],
    *[(nn.Dropout(p), (5, 4)) for p in (0.0, 0.2, 0.5)],
    *[(nn.BatchNorm1d(3, **options, **F64), shape) for options in BN for shape in ((5, 3), (4, 3, 2))],
    *[(nn.BatchNorm2d(3, momentum=m, **F64), (2, 3, 4, 1)) for m in (0.1, None, 1.0)],
    *[(nn.LayerNorm(*args, **F64), (3, 2, 5)) for args in ((5,), ((2, 5),), (5, 1e-5, False))],
    *[(nn.GroupNorm(*args, **F64), (3, 4, 3)) for args in ((1, 4), (2, 4), (2, 4, 1e-5, False))],
    *[(nn.Conv2d(4, 6, (3, 2), **options, **F64), (2, 4, 5, 6)) for options in CONV],
    *[(nn.MaxPool2d((2, 3), **options), (2, 2, 5, 6)) for options in (*POOL, {"dilation": 2})],
    *[(nn.AvgPool2d((2, 3), **options), (2, 2, 5, 6)) for options in POOL],
    (nn.AvgPool2d((2, 3), padding=1, count_include_pad=False), (2, 2, 5, 6)),
    *[(nn.AdaptiveAvgPool2d(size), (2, 2, 5, 6)) for size in (1, (3, 4), (None, 7))],
    (nn.Sequential(nn.Linear(3, 4, **F64), nn.BatchNorm1d(4, **F64), nn.ReLU(), nn.Dropout(0.5)), (5, 3)),
    (models.ActorCritic(nn.Linear(4, 6, **F64), 6, 3, **F64), (5, 4)),
    (policy_gradient.Entropy(), (5, 3)),
]


def layer_id(case):
    return f"{case[0]!r} {case[1]}".replace("\n", "") if isinstance(case, tuple) else None


@pytest.mark.parametrize("case", LAYERS, ids=layer_id)
@given(training=st.booleans(), layout=layouts, seed=seeds)
def test_layers(case, training, layout, seed):
    layer, shape = case
    x = distinct(shape, seed=seed, layout=layout)
    assert laws.broken(random_state(layer, seed).train(training), x) == []


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


@given(value=st.sampled_from([nn.MSELoss, nn.HuberLoss]), seed=seeds)
def test_losses_of_reinforcement_learning(value, seed):
    rng = np.random.default_rng(seed)
    logits, numbers, actions = rng.normal(size=(5, 3)), rng.normal(size=(3, 5)), rng.integers(0, 3, 5)
    assert laws.broken(policy_gradient.PolicyGradientLoss(), logits, actions, numbers[0]) == []
    loss = actor_critic.ActorCriticLoss(value(), 0.5, 0.1)
    assert laws.broken(loss, logits, numbers[0], actions, *numbers[1:]) == []


SGD = [{}, {"momentum": 0.9}, {"momentum": 0.5, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True}]
ADAM = [{}, {"betas": (0.5, 0.7)}, {"amsgrad": True}, {"eps": 1e-3}]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("cls", "options"),
    [(optim.SGD, options) for options in SGD] + [(cls, o) for cls in (optim.Adam, optim.AdamW) for o in ADAM],
    ids=str,
)
def test_optimizers(cls, options, decay, maximize):
    options = {"lr": 0.05, "weight_decay": decay, "maximize": maximize, **options}
    assert laws.broken_by_optimizer(cls, options) == []


def test_every_law_has_somebody_to_keep_it():
    things = [*(case[0] for case in LAYERS), *ELEMENTWISE, *BINARY, *CLASSES]
    classes = {type(thing) for thing in things} | {optim.SGD, optim.Adam, optim.AdamW}
    classes |= {policy_gradient.PolicyGradientLoss, actor_critic.ActorCriticLoss}
    for kinds, function in laws.LAWS:
        assert function.__doc__
        assert any(issubclass(cls, kinds) for cls in classes)
