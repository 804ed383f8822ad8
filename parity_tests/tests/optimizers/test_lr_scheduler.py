"""The schedulers' learning rates are PyTorch's, bit for bit, over hundreds of steps with options crossed."""

import copy
import itertools
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.scheduler_pair import (
    EACH,
    LRS,
    SchedulerPair,
    Wave,
    at_least_0,
    chainable,
    harmonic,
    plateaus,
    same_state,
    singles,
)
from parity_tests.harness.torch_releases import a_first_schedule_may_be_empty
from scratch import nn, optim
from scratch.optim.lr_scheduler import LRScheduler, cosine, cyclic, decay, factors, one_cycle

each_scheduler = pytest.mark.parametrize(("name", "options"), EACH, ids=[name for name, _ in EACH])
SCHEDULERS = optim.lr_scheduler, torch.optim.lr_scheduler


def new_optimizer(lr=0.1, **options):
    return optim.SGD([nn.Parameter(np.zeros(1))], lr=lr, **options)


def new_torch_optimizer(lr=0.1, **options):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, **options)


@given(case=singles, optimizer=st.sampled_from(["SGD", "Adam", "RMSprop"]))
def test_hundreds_of_learning_rates_are_torchs_bit_for_bit(case, optimizer):
    pair = SchedulerPair(*case, optimizer)
    pair.compare()
    for _ in range(case[1].get("total_steps", 250)):
        pair.step()
        pair.compare()


@given(options=plateaus, seed=st.integers(0, 2**16))
def test_falls_on_a_plateau_are_torchs(options, seed):
    pair = SchedulerPair("ReduceLROnPlateau", options)
    rng = np.random.default_rng(seed)
    level = 3.0
    for _ in range(200):
        level += rng.choice([0.0, 0.0, -0.3, 0.2, 1e-5])
        pair.step(rng.choice([level, level, np.nan, np.inf], p=[0.5, 0.45, 0.03, 0.02]))
        pair.compare()
        ours, theirs = pair.schedulers
        assert ours.in_cooldown == theirs.in_cooldown


@given(
    first=st.sampled_from(list(chainable)),
    parts=st.lists(st.sampled_from([*chainable, "OneCycleLR"]), max_size=2),
    at=st.lists(st.integers(0 if a_first_schedule_may_be_empty() else 1, 60), min_size=2, max_size=2),
    data=st.data(),
)
def test_one_schedule_after_another_is_torchs(first, parts, at, data):
    drawn = [(name, data.draw(chainable[name]) if name in chainable else {"max_lr": 0.3, "total_steps": 200})
             for name in (first, *parts)]  # fmt: skip
    milestones = sorted(at)[: len(parts)]
    pair = SchedulerPair("ExponentialLR", {"gamma": 1.0})
    pair.schedulers = [
        module.SequentialLR(opt, [getattr(module, name)(opt, **options) for name, options in drawn], milestones)
        for module, opt in zip(SCHEDULERS, pair.optimizers, strict=True)
    ]
    pair.compare()
    for _ in range(150):
        pair.step()
        pair.compare()


@given(names=st.lists(st.sampled_from(list(chainable)), min_size=2, max_size=2), data=st.data())
def test_two_schedulers_on_one_optimizer_are_torchs(names, data):
    # A cosine whose lowest rate is above the rate that the other leaves would cross 0, which the optimizer refuses.
    drawn = [(name, data.draw(chainable[name]) | ({"eta_min": 0.0} if "Cosine" in name else {})) for name in names]
    pair, (other, options) = SchedulerPair(*drawn[0]), drawn[1]
    more = [getattr(module, other)(opt, **options) for module, opt in zip(SCHEDULERS, pair.optimizers, strict=True)]
    for _ in range(60):
        pair.step()
        for scheduler in more:
            scheduler.step()
        assert more[0].get_last_lr() == at_least_0(more[1].get_last_lr())


@each_scheduler
def test_somebody_else_may_change_the_rate_in_between(name, options):
    pair = SchedulerPair(name, options)
    for number in range(12):
        if number == 4:
            for optimizer in pair.optimizers:
                optimizer.param_groups[1]["lr"] *= 0.3
        pair.step()
        pair.compare()


@each_scheduler
@pytest.mark.parametrize("last_epoch", [0, 2, 5, 8])
def test_a_training_that_goes_on_is_torchs(name, options, last_epoch):
    """With ``last_epoch`` the constructor takes the step to the next epoch, by each schedule's own rule."""
    pair = SchedulerPair(name, options)
    for _ in range(last_epoch):
        pair.step()
    pair.make(last_epoch=last_epoch)
    pair.compare()
    for _ in range(10):
        pair.step()
        pair.compare()


def test_an_interrupted_sequence_starts_where_it_is_told_to():
    pair = SchedulerPair("StepLR", {"step_size": 3})
    pair.schedulers = [
        module.SequentialLR(opt, [module.LinearLR(opt), module.StepLR(opt, 3)], [4], last_epoch=1)
        for module, opt in zip(SCHEDULERS, pair.optimizers, strict=True)
    ]
    for _ in range(9):
        pair.compare()
        pair.step()


@pytest.mark.parametrize("last_epoch", [0, 3])
@each_scheduler
def test_without_a_first_rate_nothing_goes_on(name, options, last_epoch):
    def make(module, optimizer):
        return lambda: getattr(module, name)(optimizer, **options, last_epoch=last_epoch)

    message = refuses_as_torch(
        make(SCHEDULERS[0], new_optimizer(momentum=0.5)), make(SCHEDULERS[1], new_torch_optimizer(momentum=0.5))
    )
    assert name in message
    assert "initial_lr" in message


@given(case=singles, taken=st.integers(0, 40))
def test_states_move_between_the_engines(case, taken):
    name, options = case
    pair = SchedulerPair(name, options, "Adam")
    for _ in range(taken):
        pair.step()
    states = [copy.deepcopy(scheduler.state_dict()) for scheduler in pair.schedulers]
    kept = [[dict(group, params=None) for group in optimizer.param_groups] for optimizer in pair.optimizers]
    pair = SchedulerPair(name, options, "Adam")
    for optimizer, groups in zip(pair.optimizers, kept[::-1], strict=True):
        for group, saved in zip(optimizer.param_groups, groups, strict=True):
            group.update({key: saved[key] for key in group if key != "params" and key in saved})
    for scheduler, state in zip(pair.schedulers, states[::-1], strict=True):
        scheduler.load_state_dict(state)
    for _ in range(50):
        pair.step()
        pair.compare()


def test_states_of_a_plateau_and_of_a_sequence_move_between_the_engines():
    for make in (
        lambda module, opt: module.ReduceLROnPlateau(opt, patience=1, cooldown=1, mode="max", min_lr=[0.001, 0.002]),
        lambda module, opt: module.SequentialLR(opt, [module.LinearLR(opt), module.StepLR(opt, 3)], [4]),
    ):
        pairs = [SchedulerPair("ExponentialLR", {"gamma": 1.0}) for _ in range(2)]
        for pair in pairs:
            pair.schedulers = [make(module, opt) for module, opt in zip(SCHEDULERS, pair.optimizers, strict=True)]
        metrics = (3.0, 2.0, 3.0, 1.0, 1.0, 1.0)
        has_metric = hasattr(pairs[0].schedulers[0], "best")
        for metric in metrics:
            pairs[0].step(*[metric] * has_metric)
        for old, new in zip(pairs[0].schedulers[::-1], pairs[1].schedulers, strict=True):
            new.load_state_dict(copy.deepcopy(old.state_dict()))
        for old, new in zip(pairs[0].optimizers, pairs[1].optimizers, strict=True):
            for group, saved in zip(new.param_groups, old.param_groups, strict=True):
                group["lr"] = saved["lr"]
        for metric in metrics:
            for pair in pairs:
                pair.step(*[metric] * has_metric)
            pairs[1].compare()
            assert pairs[0].schedulers[0].get_last_lr() == pairs[1].schedulers[0].get_last_lr()


@each_scheduler
def test_a_state_is_a_copy_and_may_be_pickled(name, options):
    pair = SchedulerPair(name, options)
    scheduler = pair.schedulers[0]
    state = pickle.loads(pickle.dumps(scheduler.state_dict()))
    taken = scheduler.state_dict()
    taken["_last_lr"][0] = taken["base_lrs"][0] = 7.0
    assert scheduler.get_last_lr()[0] != 7.0
    assert scheduler.base_lrs[0] != 7.0
    for _ in range(3):
        pair.step()
    scheduler.load_state_dict(state)
    assert scheduler.last_epoch == 0
    state["_last_lr"][0] = 7.0
    assert scheduler.get_last_lr()[0] != 7.0


def test_the_attributes_of_a_factor_are_kept_and_a_function_is_not():
    pair = SchedulerPair("LambdaLR", {"lr_lambda": [Wave(3.0), harmonic]})
    pair.step()
    (state, torch_state) = (scheduler.state_dict() for scheduler in pair.schedulers)
    assert [entry and entry["period"] for entry in state["lr_lambdas"]] == [3.0, None]
    assert [entry and entry["period"] for entry in torch_state["lr_lambdas"]] == [3.0, None]
    other = SchedulerPair("LambdaLR", {"lr_lambda": [Wave(9.0), harmonic]})
    for scheduler in other.schedulers:
        scheduler.load_state_dict(state)
        scheduler.step()
    assert other.schedulers[0].lr_lambdas[0].period == 3.0
    assert other.schedulers[0].get_last_lr() == other.schedulers[1].get_last_lr()
    with pytest.raises(ValueError, match="LambdaLR: expected the state of 2 lr_lambdas, got 1"):
        other.schedulers[0].load_state_dict({**state, "lr_lambdas": [None]})


# The recursions against their closed forms, which the docstrings give.


@given(options=chainable["StepLR"])
def test_step_lr_is_its_closed_form(options):
    close("StepLR", options, lambda epoch: options["gamma"] ** (epoch // options["step_size"]))


@given(options=chainable["MultiStepLR"])
def test_multi_step_lr_is_its_closed_form(options):
    close("MultiStepLR", options, lambda epoch: options["gamma"] ** sum(m <= epoch for m in options["milestones"]))


@given(options=chainable["LinearLR"])
def test_linear_lr_is_its_closed_form(options):
    start, end, total = options["start_factor"], options["end_factor"], options["total_iters"]
    close("LinearLR", options, lambda epoch: start + (end - start) * min(epoch, total) / total)


@given(options=chainable["CosineAnnealingLR"])
def test_cosine_annealing_lr_is_its_closed_form(options):
    low, wave = options["eta_min"], lambda epoch: (1 + math.cos(math.pi * epoch / options["T_max"])) / 2
    close("CosineAnnealingLR", options, lambda epoch: (low + (LRS[0] - low) * wave(epoch)) / LRS[0])


@given(options=chainable["ConstantLR"])
def test_constant_lr_is_its_closed_form(options):
    close("ConstantLR", options, lambda epoch: options["factor"] if epoch < options["total_iters"] else 1.0)


@given(options=chainable["PolynomialLR"])
def test_polynomial_lr_is_its_closed_form(options):
    total, power = options["total_iters"], options["power"]
    close("PolynomialLR", options, lambda epoch: (1 - min(epoch, total) / total) ** power)


@given(first=st.integers(1, 9), factor=st.sampled_from([1, 2, 3]))
def test_warm_restarts_are_whole_cosines_one_after_another(first, factor):
    waves = [
        (1 + math.cos(math.pi * epoch / length)) / 2
        for length in (first * factor**number for number in range(100))
        for epoch in range(min(length, 100))
    ][:100]
    close("CosineAnnealingWarmRestarts", {"T_0": first, "T_mult": factor}, waves.__getitem__)


@pytest.mark.parametrize("factor", [1, 2, 3])
@given(data=st.data())
def test_warm_restarts_go_to_any_epoch_and_on_from_there_as_torchs_do(factor, data):
    pair = SchedulerPair("CosineAnnealingWarmRestarts", {"T_0": data.draw(st.integers(1, 9)), "T_mult": factor})
    at = st.one_of(st.none(), st.integers(0, 200), st.floats(0, 200))
    for epoch in data.draw(st.lists(at, max_size=12)):
        pair.step(*[epoch] * (epoch is not None))
        pair.compare()


def test_warm_restarts_refuse_an_epoch_before_the_first():
    message = refuses_as_torch(
        *[lambda one=one: one.step(-1) for one in SchedulerPair("CosineAnnealingWarmRestarts", {"T_0": 4}).schedulers]
    )
    assert message == "CosineAnnealingWarmRestarts: expected an epoch of 0 or more, got -1"


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cycles_go_up_and_down_and_the_momentum_the_other_way(mode):
    optimizer = optim.Adam([nn.Parameter(np.zeros(1))], betas=(0.7, 0.99))
    scheduler = optim.lr_scheduler.CyclicLR(optimizer, 1.0, 3.0, 4, 6, mode=mode, gamma=0.5)
    for epoch in range(40):
        height = min(epoch % 10 / 4, (10 - epoch % 10) / 6)
        height *= {"triangular": 1, "triangular2": 0.5 ** (epoch // 10), "exp_range": 0.5**epoch}[mode]
        assert scheduler.get_last_lr()[0] == pytest.approx(1 + 2 * height)
        assert optimizer.param_groups[0]["betas"] == pytest.approx((0.9 - 0.1 * height, 0.99))
        optimizer.step()
        scheduler.step()


def test_the_attributes_of_a_scale_are_kept():
    options = {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "scale_mode": "iterations"}
    pair = SchedulerPair("CyclicLR", {**options, "scale_fn": Wave(3.0)})
    pair.step()
    states = [copy.deepcopy(scheduler.state_dict()) for scheduler in pair.schedulers]
    assert [state["_scale_fn_custom"]["period"] for state in states] == [3.0, 3.0]
    other = SchedulerPair("CyclicLR", {**options, "scale_fn": Wave(9.0)})
    for scheduler, state in zip(other.schedulers, states[::-1], strict=True):
        scheduler.load_state_dict(state)
        scheduler.step()
    assert other.schedulers[0].scale_fn(2) == Wave(3.0)(2)
    assert other.schedulers[0].get_last_lr() == other.schedulers[1].get_last_lr()


@given(
    names=st.lists(st.sampled_from([name for name in chainable if "Cosine" not in name]), min_size=1, max_size=3),
    data=st.data(),
)
def test_a_chain_is_torchs(names, data):
    drawn = [(name, data.draw(chainable[name])) for name in names]
    pairs = [SchedulerPair("ExponentialLR", {"gamma": 1.0}) for _ in range(2)]
    for pair in pairs:
        pair.schedulers = [
            module.ChainedScheduler([getattr(module, name)(opt, **options) for name, options in drawn])
            for module, opt in zip(SCHEDULERS, pair.optimizers, strict=True)
        ]
    for _ in range(40):
        pairs[0].step()
        ours, theirs = pairs[0].schedulers
        assert ours.get_last_lr() == at_least_0(theirs.get_last_lr())
        same_state(ours.state_dict(), theirs.state_dict())
    for old, new in zip(pairs[0].schedulers[::-1], pairs[1].schedulers, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    for old, new in zip(pairs[0].optimizers, pairs[1].optimizers, strict=True):
        for group, saved in zip(new.param_groups, old.param_groups, strict=True):
            group["lr"] = saved["lr"]
    for _ in range(20):
        for pair in pairs:
            pair.step()
        assert pairs[1].schedulers[0].get_last_lr() == at_least_0(pairs[1].schedulers[1].get_last_lr())
        assert pairs[0].schedulers[0].get_last_lr() == pairs[1].schedulers[0].get_last_lr()


def test_what_cannot_be_in_a_chain_is_refused():
    chain, schedulers = optim.lr_scheduler.ChainedScheduler, optim.lr_scheduler
    optimizer = new_optimizer()
    step = schedulers.StepLR(optimizer, 3)
    with pytest.raises(ValueError, match="ChainedScheduler: expected at least one scheduler, got none"):
        chain([])
    with pytest.raises(TypeError, match="ChainedScheduler: expected schedulers to be LRSchedulers, got int"):
        chain([3])
    with pytest.raises(ValueError, match="ChainedScheduler: expected schedulers of one optimizer, got a StepLR of ano"):
        chain([step], new_optimizer())
    with pytest.raises(ValueError, match="ChainedScheduler: a ReduceLROnPlateau cannot be one of the schedulers"):
        chain([step, schedulers.ReduceLROnPlateau(optimizer)])
    both = chain([step, schedulers.SequentialLR(optimizer, [step, schedulers.LinearLR(optimizer)], [2])], optimizer)
    with pytest.raises(ValueError, match="SequentialLR: a ChainedScheduler cannot be one of the schedulers"):
        schedulers.SequentialLR(optimizer, [step, both], [2])


def close(name, options, factor):
    optimizer = new_optimizer(LRS[0])
    scheduler = getattr(optim.lr_scheduler, name)(optimizer, **options)
    for epoch in range(100):
        assert scheduler.get_last_lr()[0] == pytest.approx(LRS[0] * factor(epoch), rel=1e-6, abs=1e-9)
        optimizer.step()
        scheduler.step()


def test_rules_are_functions_of_their_arguments_alone():
    assert decay.step_lr(8.0, 4, step_size=2, gamma=0.5) == 4.0
    assert factors.linear_lr(1.0, 0, start=0.25, end=1.0, total=3) == 0.25
    assert cosine.cosine_annealing_lr(0.0, 1.0, 5, T_max=4, eta_min=0.0) == pytest.approx(0.1464, abs=1e-4)
    assert factors.constant_lr(3.0, 4, factor=0.5, total=4) == 6.0
    assert factors.polynomial_lr(3.0, 4, total=4, power=2.0) == 0.0
    assert cosine.warm_restarts(3.0, T_cur=2, T_i=4, eta_min=1.0) == 2.0
    assert cyclic.cyclic_lr(1.0, highest=3.0, height=0.5, scale=0.5) == 1.5
    assert one_cycle.annealed(1.0, 3.0, 0.5, linear=True) == one_cycle.annealed(1.0, 3.0, 0.5, linear=False) == 2.0


def test_one_cycle_goes_up_and_down_and_the_momentum_the_other_way():
    optimizer = optim.Adam([nn.Parameter(np.zeros(1))], betas=(0.7, 0.99))
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, epochs=10, steps_per_epoch=10)
    rates, momenta = [], []
    for _ in range(100):
        rates.append(scheduler.get_last_lr()[0])
        momenta.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        scheduler.step() if len(rates) < 100 else None
    top = int(np.argmax(rates))
    assert (top, rates[top], momenta[top]) == (29, 1.0, 0.85)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[-1] == pytest.approx(1 / 25e4)
    assert all(a < b for a, b in itertools.pairwise(rates[: top + 1]))
    assert all(a > b for a, b in itertools.pairwise(rates[top:]))
    assert all((a < b) == (c > d) for (a, b), (c, d) in zip(*map(itertools.pairwise, (rates, momenta)), strict=True))
    assert optimizer.param_groups[0]["betas"][1] == 0.99


def test_a_step_past_the_end_of_the_cycle_is_refused():
    pair = SchedulerPair("OneCycleLR", {"max_lr": 1.0, "total_steps": 5})
    for _ in range(5):
        pair.step()
        pair.compare()
    message = refuses_as_torch(*[scheduler.step for scheduler in pair.schedulers])
    assert "OneCycleLR: step 6 is past the last one; total_steps is 5" in message


# The order of calls.


@each_scheduler
def test_a_scheduler_stepped_before_its_optimizer_warns_once(name, options):
    for module, optimizer in zip(SCHEDULERS, (new_optimizer(momentum=0.5), new_torch_optimizer(momentum=0.5)),
                                 strict=True):  # fmt: skip
        scheduler = getattr(module, name)(optimizer, **options)
        if name == "CosineAnnealingWarmRestarts":  # PyTorch's does not warn
            scheduler.step()
            continue
        with pytest.warns(UserWarning, match=r"before .*optimizer") as caught:
            scheduler.step()
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scheduler.step()


def test_the_warning_names_the_scheduler_and_the_way_out():
    scheduler = optim.lr_scheduler.StepLR(new_optimizer(), 3)
    with pytest.warns(UserWarning, match=r"^StepLR: step\(\) was called before .* call optimizer.step\(\) first"):
        scheduler.step()


def test_an_optimizer_that_stepped_before_the_scheduler_was_made_does_not_count():
    optimizer = new_optimizer()
    optimizer.step()
    scheduler = optim.lr_scheduler.StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="StepLR"):
        scheduler.step()


# Refusals.


@each_scheduler
@pytest.mark.parametrize("thing", [None, "SGD", nn.Linear(2, 3)], ids=str)
def test_what_is_no_optimizer_is_refused(name, options, thing):
    with pytest.raises(TypeError, match=f"^{name}: expected an Optimizer, got {type(thing).__name__}"):
        getattr(optim.lr_scheduler, name)(thing, **options)


BAD = [
    ("StepLR", {"step_size": 0}, ValueError, "step_size of 1 or more, got 0"),
    ("StepLR", {"step_size": 2.5}, TypeError, "step_size to be an integer, got 2.5"),
    ("StepLR", {"step_size": 2, "gamma": "0.1"}, TypeError, "gamma to be a number, got '0.1'"),
    ("StepLR", {"step_size": 2, "gamma": math.nan}, ValueError, "gamma to be finite, got nan"),
    ("MultiStepLR", {"milestones": [3, -1]}, ValueError, "each of milestones of 0 or more, got -1"),
    ("MultiStepLR", {"milestones": [0.5]}, TypeError, "each of milestones to be an integer, got 0.5"),
    ("ExponentialLR", {"gamma": None}, TypeError, "gamma to be a number, got None"),
    ("LinearLR", {"start_factor": 0.0}, ValueError, "start_factor over 0 and up to 1, got 0.0"),
    ("LinearLR", {"start_factor": 1.1}, ValueError, "start_factor over 0 and up to 1, got 1.1"),
    ("LinearLR", {"end_factor": -0.1}, ValueError, "end_factor from 0 to 1, got -0.1"),
    ("LinearLR", {"end_factor": 1.1}, ValueError, "end_factor from 0 to 1, got 1.1"),
    ("LinearLR", {"total_iters": 0}, ValueError, "total_iters of 1 or more, got 0"),
    ("CosineAnnealingLR", {"T_max": 0}, ValueError, "T_max over 0, got 0"),
    ("CosineAnnealingLR", {"T_max": "9"}, TypeError, "T_max to be a number, got '9'"),
    ("CosineAnnealingLR", {"T_max": 9, "eta_min": None}, TypeError, "eta_min to be a number, got None"),
    ("LambdaLR", {"lr_lambda": 0.5}, TypeError, "lr_lambda to be a function of the epoch, got 0.5"),
    ("LambdaLR", {"lr_lambda": [harmonic, harmonic]}, ValueError, "lr_lambda for 1 groups, got 2"),
    ("OneCycleLR", {"max_lr": 1.0}, ValueError, "total_steps, or epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 3}, ValueError, "total_steps, or epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}, ValueError, "total_steps of 1 or more, got 0"),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 0, "steps_per_epoch": 2}, ValueError, "epochs of 1 or more, got 0"),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 2, "steps_per_epoch": 0}, ValueError, "steps_per_epoch of 1 or more"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 1}, ValueError, "pct_start to be a float"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 1.5}, ValueError, "pct_start to be a float"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "up"}, ValueError, "anneal_strategy to be"),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 9}, ValueError, "max_lr for 1 groups, got 2"),
    ("OneCycleLR", {"max_lr": "1", "total_steps": 9}, TypeError, "max_lr to be a number, got '1'"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "max_momentum": "1"}, TypeError, "max_momentum to be a number"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "cycle_momentum": 1}, TypeError, "cycle_momentum to be a bool"),
    ("ConstantLR", {"factor": 0.0}, ValueError, "factor over 0 and up to 1, got 0.0"),
    ("ConstantLR", {"factor": 1.5}, ValueError, "factor over 0 and up to 1, got 1.5"),
    ("ConstantLR", {"total_iters": 0}, ValueError, "total_iters of 1 or more, got 0"),
    ("PolynomialLR", {"total_iters": 0}, ValueError, "total_iters of 1 or more, got 0"),
    ("PolynomialLR", {"power": -1}, ValueError, "power of 0 or more, got -1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, ValueError, "T_0 to be an integer of 1 or more, got 0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2.5}, ValueError, "T_0 to be an integer of 1 or more, got 2.5"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 0}, ValueError, "T_mult to be an integer of 1 or more"),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "eta_min": "0"}, ValueError, "eta_min to be a number, got '0'"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0, 2.0]}, ValueError, "max_lr for 1 groups, got 2"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 0}, ValueError, "step_size_up of more than 0, got 0"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "up"}, ValueError, "mode to be triangular, triangular2 or"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "scale_mode": "x"}, ValueError, "scale_mode to be cycle or itera"),
    ("CyclicLR", {"base_lr": "0", "max_lr": 1.0}, TypeError, "base_lr to be a number, got '0'"),
    ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, "factor below 1, got 1.0"),
    ("ReduceLROnPlateau", {"mode": "low"}, ValueError, "mode to be min or max, got 'low'"),
    ("ReduceLROnPlateau", {"threshold_mode": "both"}, ValueError, "threshold_mode to be rel or abs, got 'both'"),
    ("ReduceLROnPlateau", {"min_lr": [0.1, 0.2]}, ValueError, "min_lr for 1 groups, got 2"),
    ("ReduceLROnPlateau", {"patience": -1}, ValueError, "patience of 0 or more, got -1"),
    ("ReduceLROnPlateau", {"cooldown": 1.5}, TypeError, "cooldown to be an integer, got 1.5"),
]


@pytest.mark.parametrize(("name", "options", "error", "message"), BAD, ids=lambda value: str(value).split(" at 0x")[0])
def test_options_that_make_no_sense_are_refused(name, options, error, message):
    with pytest.raises(error, match=f"^{name}: expected {message}"):
        getattr(optim.lr_scheduler, name)(new_optimizer(momentum=0.9), **options)


def test_a_phase_without_length_is_refused():
    with pytest.raises(ValueError, match="OneCycleLR: with 10 steps in all, one of the phases has no length"):
        optim.lr_scheduler.OneCycleLR(new_optimizer(momentum=0.9), 1.0, total_steps=10, pct_start=0.1)


def test_an_optimizer_without_momentum_has_none_to_cycle():
    optimizer = optim.Adagrad([nn.Parameter(np.zeros(1))])
    with pytest.raises(ValueError, match="OneCycleLR: Adagrad has neither momentum nor betas; pass cycle_momentum"):
        optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=9)
    optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=9, cycle_momentum=False)
    with pytest.raises(ValueError, match="CyclicLR: Adagrad has neither momentum nor betas; pass cycle_momentum"):
        optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0)
    optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, cycle_momentum=False)


def test_a_metric_that_is_no_number_is_refused():
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(new_optimizer())
    for metrics in (None, "low", [1.0, 2.0], np.ones(2)):
        with pytest.raises(TypeError, match="ReduceLROnPlateau: expected metrics to be a number"):
            scheduler.step(metrics)
    scheduler.step(np.float32(1.5))
    assert (scheduler.best, scheduler.last_epoch, scheduler.in_cooldown) == (1.5, 1, False)


def test_what_cannot_be_in_a_sequence_is_refused():
    sequential, schedulers = optim.lr_scheduler.SequentialLR, optim.lr_scheduler
    optimizer = new_optimizer()
    step, linear = schedulers.StepLR(optimizer, 3), schedulers.LinearLR(optimizer)
    with pytest.raises(ValueError, match="expected at least one scheduler, got none"):
        sequential(optimizer, [], [])
    with pytest.raises(TypeError, match="expected schedulers to be LRSchedulers, got int"):
        sequential(optimizer, [step, 3], [2])
    with pytest.raises(ValueError, match="expected 1 milestones for 2 schedulers, got 2"):
        sequential(optimizer, [step, linear], [2, 3])
    with pytest.raises(ValueError, match="expected schedulers of one optimizer, got a StepLR of another"):
        sequential(optimizer, [step, schedulers.StepLR(new_optimizer(), 3)], [2])
    for one in (schedulers.ReduceLROnPlateau(optimizer), sequential(optimizer, [step, linear], [2])):
        with pytest.raises(ValueError, match=f"a {type(one).__name__} cannot be one of the schedulers"):
            sequential(optimizer, [step, one], [2])


@each_scheduler
def test_the_state_of_another_scheduler_is_refused_and_changes_nothing(name, options):
    scheduler = SchedulerPair(name, options).schedulers[0]
    before = scheduler.state_dict()
    missing = {key: value for key, value in before.items() if key != "last_epoch"}
    for state, error, message in (
        ({**before, "temperature": 3}, ValueError, "the state has an unknown 'temperature'; known are"),
        (missing, ValueError, "the state has no 'last_epoch'"),
        ({**before, "_last_lr": [0.1]}, ValueError, "expected the state of 2 groups, got 1"),
        ([1, 2], TypeError, "expected a state dict, got"),
    ):
        with pytest.raises(error, match=f"^{name}: {message}"):
            scheduler.load_state_dict(state)
        assert scheduler.state_dict() == before


def test_a_sequence_refuses_the_state_of_other_schedulers():
    def make(*kinds):
        optimizer = new_optimizer()
        return optim.lr_scheduler.SequentialLR(optimizer, [kind(optimizer) for kind in kinds], [4, 6][: len(kinds) - 1])

    def step(optimizer):
        return optim.lr_scheduler.StepLR(optimizer, 3)

    scheduler = make(optim.lr_scheduler.LinearLR, step)
    with pytest.raises(ValueError, match="SequentialLR: expected the state of 2 schedulers, got 3"):
        scheduler.load_state_dict(make(step, step, step).state_dict())
    with pytest.raises(ValueError, match="LinearLR: the state has an unknown 'step_size'"):
        scheduler.load_state_dict(make(step, optim.lr_scheduler.LinearLR).state_dict())


def test_a_group_that_is_added_later_falls_with_the_others_where_no_first_rate_is_needed():
    for name, options in (("StepLR", {"step_size": 2}), ("ReduceLROnPlateau", {"patience": 0})):
        pair = SchedulerPair(name, options)
        for optimizer, new in zip(pair.optimizers, (nn.Parameter(np.zeros(3)), torch.zeros(3)), strict=True):
            optimizer.add_param_group({"params": [new], "lr": 0.9})
        for _ in range(6):
            pair.step(*[1.0] * (name == "ReduceLROnPlateau"))
            assert pair.schedulers[0].get_last_lr() == pair.schedulers[1].get_last_lr()
    for name, options in (("CosineAnnealingLR", {"T_max": 9}), ("LambdaLR", {"lr_lambda": harmonic})):
        pair = SchedulerPair(name, options)
        pair.optimizers[0].add_param_group({"params": [nn.Parameter(np.zeros(3))]})
        with pytest.raises(ValueError, match=f"{name}: the optimizer has 3 groups, and had 2 when"):
            pair.step()
    scheduler = SchedulerPair("ReduceLROnPlateau", {"patience": 0, "min_lr": [0.1, 0.2]}).schedulers[0]
    scheduler.optimizer.add_param_group({"params": [nn.Parameter(np.zeros(3))]})
    scheduler.step(1.0)
    with pytest.raises(RuntimeError, match="the optimizer has 3 groups, and min_lr was given for 2"):
        scheduler.step(1.0)


def test_numbers_of_numpy_are_taken_as_pythons():
    optimizer = new_optimizer(np.float32(0.1))
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, np.float64(0.5))
    optimizer.step()
    scheduler.step()
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert scheduler.get_last_lr() == [float(np.float32(0.1)) * 0.5]


def test_a_scheduler_without_a_rule_says_so():
    with pytest.raises(NotImplementedError, match="LRScheduler: neither rate nor get_lr is defined"):
        LRScheduler(new_optimizer())


def test_ones_own_scheduler_needs_a_rule_only():
    class Halving(LRScheduler):
        def rate(self, lr):
            return lr / 2 if self.last_epoch else lr

    optimizer = new_optimizer(1.0)
    scheduler = Halving(optimizer)
    for expected in (0.5, 0.25):
        optimizer.step()
        scheduler.step()
        assert scheduler.get_last_lr() == [expected]
