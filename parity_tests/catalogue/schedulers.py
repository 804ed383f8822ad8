"""The learning-rate schedulers' cases: options, a row of metrics where one is watched, and the rates of many steps."""

from dataclasses import dataclass

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, entry
from parity_tests.harness.report import Quantity, Report
from scratch import optim
from scratch.nn import Parameter

STEPS = 120
LRS = (0.1, 0.037)


@dataclass(frozen=True)
class SchedulerCase:
    """A scheduler's name and options, and the metrics that it is stepped with; none for most.

    The ``schedulers`` of SequentialLR and ChainedScheduler are pairs of a name and options.
    """

    name: str
    options: dict
    metrics: tuple[float, ...] = ()

    def check(self, seed: int) -> Report:
        """Compare the learning rates and momenta of both groups, bit for bit: both compute with Python's floats."""
        report = Report(f"{self.name}({self.options}), {STEPS} steps")
        expected, found = (self._path(module, seed) for module in (torch.optim, optim))
        for name, values in expected.items():
            report.quantities.append(Quantity(f"output {name}", np.array(values), np.array(found[name])))
        return report

    def _path(self, module: object, seed: int) -> dict[str, list[float]]:
        new = (lambda: Parameter(np.zeros(1))) if module is optim else (lambda: torch.nn.Parameter(torch.zeros(1)))
        groups = [{"params": [new()], "lr": lr} for lr in LRS]
        optimizer = module.SGD(groups, momentum=0.5) if seed % 2 else module.Adam(groups)
        scheduler = self._make(module.lr_scheduler, optimizer)
        path: dict[str, list[float]] = {"lr": [], "momentum": []}
        for step in range(STEPS):
            path["lr"] += scheduler.get_last_lr()
            for group in optimizer.param_groups:
                path["momentum"].append(group["momentum"] if "momentum" in group else group["betas"][0])
            optimizer.step()
            scheduler.step(*self.metrics[step : step + 1])
        return path

    def _make(self, module: object, optimizer: object) -> object:
        options = dict(self.options)
        if "schedulers" in options:
            options["schedulers"] = [getattr(module, name)(optimizer, **own) for name, own in options["schedulers"]]
        return getattr(module, self.name)(optimizer=optimizer, **options)


def step_lr(d: Draw) -> dict:
    """Return StepLR's options."""
    return {"step_size": d.integer(1, 40), **d.some_of(gamma=(0.5, 0.97, 1.1))}


def multi_step_lr(d: Draw) -> dict:
    """Return MultiStepLR's options; milestones in any order, some of them twice."""
    return {"milestones": d.integers(0, STEPS, d.integer(0, 5)), **d.some_of(gamma=(0.5, 0.97, 1.1))}


def exponential_lr(d: Draw) -> dict:
    """Return ExponentialLR's options."""
    return {"gamma": d.one_of(0.5, 0.97, 1.1)}


def linear_lr(d: Draw) -> dict:
    """Return LinearLR's options; not down to 0, where PyTorch's may end below it: see the scheduler's own tests."""
    return d.some_of(start_factor=(1.0, 0.01), end_factor=(0.9, 0.2), total_iters=(1, 7, 60))


def cosine_annealing_lr(d: Draw) -> dict:
    """Return CosineAnnealingLR's options; the steps go on past T_max."""
    return {"T_max": d.integer(1, STEPS), **d.some_of(eta_min=(0.0, 0.003))}


def lambda_lr(d: Draw) -> dict:
    """Return LambdaLR's options: one function for both groups, or one for each."""
    slope = d.one_of(0.1, 0.7)
    functions = [lambda epoch: 1 / (1 + slope * epoch), lambda epoch: 0.9**epoch]
    return {"lr_lambda": d.one_of(functions[0], functions)}


def one_cycle_lr(d: Draw) -> dict:
    """Return OneCycleLR's options."""
    return {
        "max_lr": d.one_of(0.3, [0.3, 0.05]),
        "total_steps": d.integer(STEPS, 2 * STEPS),
        **d.some_of(
            pct_start=(0.25, 0.45),
            anneal_strategy=("cos", "linear"),
            cycle_momentum=(True, False),
            base_momentum=(0.8, [0.8, 0.6]),
            max_momentum=(0.9, [0.9, 0.99]),
            div_factor=(4.0,),
            final_div_factor=(10.0,),
            three_phase=(True, False),
        ),
    }


def constant_lr(d: Draw) -> dict:
    """Return ConstantLR's options."""
    return d.some_of(factor=(1.0, 0.01), total_iters=(1, 7, 60))


def polynomial_lr(d: Draw) -> dict:
    """Return PolynomialLR's options; the steps go on past the end."""
    return d.some_of(total_iters=(1, 7, 60), power=(2.0, 0.5))


def warm_restarts(d: Draw) -> dict:
    """Return CosineAnnealingWarmRestarts' options."""
    return {"T_0": d.integer(1, 40), **d.some_of(T_mult=(2, 3), eta_min=(0.003,))}


def cyclic_lr(d: Draw) -> dict:
    """Return CyclicLR's options."""
    return {
        "base_lr": d.one_of(0.01, [0.01, 0.2]),
        "max_lr": d.one_of(0.3, [0.3, 0.05]),
        "step_size_up": d.integer(1, 40),
        **d.some_of(
            step_size_down=(1, 13),
            mode=("triangular2", "exp_range"),
            gamma=(0.99,),
            scale_fn=(lambda x: 1 / (1 + x),),
            scale_mode=("cycle", "iterations"),
            cycle_momentum=(True, False),
            base_momentum=(0.85, [0.8, 0.6]),
            max_momentum=(0.95, [0.9, 0.99]),
        ),
    }


CHAINABLE = {
    "ConstantLR": constant_lr,
    "PolynomialLR": polynomial_lr,
    "StepLR": step_lr,
    "MultiStepLR": multi_step_lr,
    "ExponentialLR": exponential_lr,
    "LinearLR": linear_lr,
    "CosineAnnealingLR": cosine_annealing_lr,
    "LambdaLR": lambda_lr,
}
SINGLE = {
    **CHAINABLE,
    "OneCycleLR": one_cycle_lr,
    "CosineAnnealingWarmRestarts": warm_restarts,
    "CyclicLR": cyclic_lr,
}

for _name in SINGLE:
    entry(_name, "scheduler", share=4)(lambda d, name=_name: SchedulerCase(name, SINGLE[name](d)))


@entry("SequentialLR", "scheduler", share=4)
def sequential_lr(d: Draw) -> SchedulerCase:
    """Draw one to three schedulers, and when each begins."""
    drawn = [(name, CHAINABLE[name](d)) for name in (d.one_of(*CHAINABLE) for _ in range(d.integer(1, 3)))]
    milestones = sorted(d.integers(0, STEPS, len(drawn) - 1))
    return SchedulerCase("SequentialLR", {"schedulers": drawn, "milestones": milestones})


@entry("ChainedScheduler", "scheduler", share=4)
def chained_scheduler(d: Draw) -> SchedulerCase:
    """Draw one to three schedulers; no cosine, whose recursion may leave the rates that others have lowered below 0."""
    names = [name for name in CHAINABLE if name != "CosineAnnealingLR"]
    drawn = [(name, CHAINABLE[name](d)) for name in (d.one_of(*names) for _ in range(d.integer(1, 3)))]
    return SchedulerCase("ChainedScheduler", {"schedulers": drawn})


@entry("ReduceLROnPlateau", "scheduler", share=4)
def reduce_lr_on_plateau(d: Draw) -> SchedulerCase:
    """Draw a metric that falls, rises and stays, now and then NaN."""
    options = d.some_of(
        mode=("min", "max"),
        factor=(0.5, 0.9),
        patience=(0, 1, 4),
        threshold=(0.2, 1.0),
        threshold_mode=("rel", "abs"),
        cooldown=(1, 3),
        min_lr=(1e-3, [1e-3, 0.01]),
        eps=(1e-3,),
    )
    level = np.cumsum(d.rng.choice([0.0, -0.3, 0.2, 1e-5], STEPS))
    metrics = np.where(d.rng.random(STEPS) < 0.03, np.nan, level)
    return SchedulerCase("ReduceLROnPlateau", options, tuple(metrics.tolist()))
