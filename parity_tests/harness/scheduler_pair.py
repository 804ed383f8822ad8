"""The same learning-rate scheduler in both engines, for the schedulers' tests to step and compare."""

import math
import warnings

import numpy as np
import torch
from hypothesis import strategies as st

from scratch import nn, optim

LRS = (0.1, 0.037)
gammas = st.sampled_from([0.1, 0.5, 0.97, 1.3, 0.0])
epochs = st.integers(1, 40)


class Wave:
    """A factor that has attributes, which a state dict keeps."""

    def __init__(self, period):
        self.period, self.calls = period, 0

    def __call__(self, epoch):
        """Return the factor of an epoch."""
        self.calls += 1
        return 1.1 + math.sin(epoch / self.period)


def harmonic(epoch):
    """Return a factor that falls."""
    return 1 / (1 + 0.3 * epoch)


# The options that are drawn for each scheduler; the plateau's are below.
step = st.fixed_dictionaries({"step_size": epochs, "gamma": gammas})
multi_step = st.fixed_dictionaries({"milestones": st.lists(st.integers(0, 90), max_size=6), "gamma": gammas})
exponential = st.fixed_dictionaries({"gamma": gammas})
linear = st.fixed_dictionaries(
    {
        "start_factor": st.sampled_from([1 / 3, 1.0, 0.01]),
        "end_factor": st.sampled_from([1.0, 0.4, 0.0]),
        "total_iters": epochs,
    }
)
cosine = st.fixed_dictionaries({"T_max": epochs, "eta_min": st.sampled_from([0.0, 0.003, 0.2])})
factors = st.sampled_from([harmonic, [harmonic, harmonic]])
lambdas = st.fixed_dictionaries({"lr_lambda": factors})
one_cycle = st.fixed_dictionaries(
    {
        "max_lr": st.sampled_from([0.3, [0.3, 0.05]]),
        "total_steps": st.integers(100, 260),
        "pct_start": st.sampled_from([0.3, 0.25, 0.45, 0.07]),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "cycle_momentum": st.booleans(),
        "base_momentum": st.sampled_from([0.85, [0.8, 0.6]]),
        "max_momentum": st.sampled_from([0.95, [0.9, 0.99]]),
        "div_factor": st.sampled_from([25.0, 4.0]),
        "final_div_factor": st.sampled_from([1e4, 10.0]),
        "three_phase": st.booleans(),
    }
)
constant = st.fixed_dictionaries({"factor": st.sampled_from([1 / 3, 1.0, 0.01]), "total_iters": epochs})
polynomial = st.fixed_dictionaries({"total_iters": epochs, "power": st.sampled_from([1.0, 2.0, 0.5, 0.0])})
restarts = st.fixed_dictionaries(
    {"T_0": epochs, "T_mult": st.sampled_from([1, 2, 3]), "eta_min": st.sampled_from([0.0, 0.003, 0.2])}
)
cyclic = st.fixed_dictionaries(
    {
        "base_lr": st.sampled_from([0.01, [0.01, 0.2]]),
        "max_lr": st.sampled_from([0.3, [0.3, 0.05]]),
        "step_size_up": epochs,
        "step_size_down": st.sampled_from([None, 1, 13]),
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": st.sampled_from([1.0, 0.99]),
        "scale_fn": st.sampled_from([None, harmonic]),
        "scale_mode": st.sampled_from(["cycle", "iterations"]),
        "cycle_momentum": st.booleans(),
        "base_momentum": st.sampled_from([0.85, [0.8, 0.6]]),
        "max_momentum": st.sampled_from([0.95, [0.9, 0.99]]),
    }
)
chainable = {
    "ConstantLR": constant,
    "PolynomialLR": polynomial,
    "StepLR": step,
    "MultiStepLR": multi_step,
    "ExponentialLR": exponential,
    "LinearLR": linear,
    "CosineAnnealingLR": cosine,
    "LambdaLR": lambdas,
}
singles = st.one_of(
    *[st.tuples(st.just(name), options) for name, options in chainable.items()],
    st.tuples(st.just("OneCycleLR"), one_cycle),
    st.tuples(st.just("CosineAnnealingWarmRestarts"), restarts),
    st.tuples(st.just("CyclicLR"), cyclic),
)
plateaus = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.sampled_from([0.1, 0.5, 0.9, -0.5]),
        "patience": st.integers(0, 4),
        "threshold": st.sampled_from([1e-4, 0.2, 1.0]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "min_lr": st.sampled_from([0, 1e-3, [1e-3, 0.01]]),
        "eps": st.sampled_from([1e-8, 1e-3]),
    }
)
EACH = [
    ("StepLR", {"step_size": 3, "gamma": 0.7}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.7}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("LinearLR", {"start_factor": 0.2, "total_iters": 7}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 1e-3}),
    ("LambdaLR", {"lr_lambda": harmonic}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 40}),
    ("ConstantLR", {"factor": 0.2, "total_iters": 6}),
    ("PolynomialLR", {"total_iters": 8, "power": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 1e-3}),
    ("CyclicLR", {"base_lr": 0.02, "max_lr": 0.4, "step_size_up": 3, "mode": "triangular2"}),
]


class SchedulerPair:
    """The same optimizer with two groups, and the same scheduler on it, in both engines."""

    def __init__(self, name, options, optimizer="SGD", **more):
        self.name, self.options = name, options
        if optimizer == "SGD":
            more = {"momentum": 0.5, **more}
        engines = (optim, lambda: nn.Parameter(np.zeros(2))), (torch.optim, lambda: torch.nn.Parameter(torch.zeros(2)))
        self.optimizers = []
        for module, new in engines:
            groups = [{"params": [new()], "lr": lr} for lr in LRS]
            self.optimizers.append(getattr(module, optimizer)(groups, **more))
        self.make()

    def make(self, **more):
        """Make new schedulers on the optimizers as they are."""
        modules = optim.lr_scheduler, torch.optim.lr_scheduler
        self.schedulers = [
            getattr(module, self.name)(optimizer, **self.options, **more)
            for module, optimizer in zip(modules, self.optimizers, strict=True)
        ]

    def step(self, *metrics):
        """Step both optimizers and schedulers."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
                optimizer.step()
                scheduler.step(*metrics)

    def compare(self):
        """Compare the groups' options, the rates that were set last, and the states, bit for bit."""
        ours, torchs = self.schedulers
        assert ours.get_last_lr() == at_least_0(torchs.get_last_lr())
        for group, expected in zip(*[optimizer.param_groups for optimizer in self.optimizers], strict=True):
            for key in {
                "lr",
                "initial_lr",
                "betas",
                "momentum",
                "max_lr",
                "min_lr",
                "max_momentum",
                "base_momentum",
            } & expected.keys():
                assert group[key] == at_least_0(expected[key]), key
        assert ours.last_epoch == torchs.last_epoch
        same_state(ours.state_dict(), torchs.state_dict())


def same_state(ours, torchs):
    """Raise unless a state dict equals PyTorch's, apart from internal flags."""
    flags = {"_is_initial", "_get_lr_called_within_step"}
    flags |= {"use_beta1", "base_momentums", "max_momentums"} - torchs.keys()
    assert ours.keys() - flags == torchs.keys() - flags
    for key in ours.keys() - flags:
        if key == "_schedulers":
            for one, other in zip(ours[key], torchs[key], strict=True):
                same_state(one, other)
        else:
            assert ours[key] == at_least_0(torchs[key]), key


def at_least_0(found):
    """Return a rate or a list of rates, with 0 for the -1e-19 that rounding leaves in PyTorch's LinearLR."""
    if isinstance(found, list):
        return [at_least_0(one) for one in found]
    return 0.0 if isinstance(found, float) and -1e-15 < found < 0 else found
