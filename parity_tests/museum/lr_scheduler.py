"""Learning-rate schedulers."""

import math
from collections.abc import Callable

import numpy as np
import torch

from parity_tests.museum.exhibit import function
from scratch import nn, optim
from scratch.optim import lr_scheduler

LR = 0.8


def rates(cls: type, options: dict, metrics: list[float] | None = None, momentum: bool = False) -> list[float]:
    """Return the learning rates of 24 epochs; with ``momentum``, alternating with the momenta."""
    if issubclass(cls, lr_scheduler.LRScheduler):
        optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=LR, momentum=0.5)
    else:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR, momentum=0.5)
    if "schedulers" in options:
        module = lr_scheduler if isinstance(optimizer, optim.Optimizer) else torch.optim.lr_scheduler
        made = [getattr(module, name)(optimizer, **own) for name, own in options["schedulers"]]
        options = {**options, "schedulers": made}
    scheduler = cls(optimizer=optimizer, **options)
    found = []
    for epoch in range(24):
        found += [scheduler.get_last_lr()[0], *[optimizer.param_groups[0]["momentum"]] * momentum]
        optimizer.step()
        scheduler.step(*[] if metrics is None else [metrics[epoch]])
    return found


def scheduler(
    closed: Callable[[int], float],
    of: str | None = None,
    metrics: list[float] | None = None,
    momentum: bool = False,
    **options: object,
) -> Callable:
    """Exhibit the class below as a wrong version of the scheduler that it is derived from.

    ``closed`` is the law in closed form: the learning rate of an epoch, as a share of the first one.
    """

    def hang(wrong: type) -> type:
        right = wrong.__bases__[0]

        def is_torchs(cls: type) -> bool:
            expected = rates(getattr(torch.optim.lr_scheduler, right.__name__), options, metrics, momentum)
            return bool(np.allclose(rates(cls, options, metrics, momentum), expected, rtol=1e-12))

        def is_lawful(cls: type) -> bool:
            expected = [LR * closed(epoch) for epoch in range(24)]
            return bool(np.allclose(rates(cls, options, metrics), expected, rtol=1e-9, atol=1e-12))

        caught = "torch" if momentum else "torch laws"
        return function(right, caught, is_torchs, is_lawful, of)(wrong)

    return hang


@scheduler(lambda epoch: 0.5 ** (epoch // 5), step_size=5, gamma=0.5)
class FallsAtTheStart(lr_scheduler.StepLR):
    """0 is a multiple of every step size, but the learning rate must not fall at epoch 0.

    The whole training runs at gamma times the learning rate that was asked for.
    """

    def rate(self, lr):
        return lr * self.gamma if self.last_epoch % self.step_size == 0 else lr


@scheduler(lambda epoch: 0.5 ** ((epoch >= 4) + (epoch >= 9)), milestones=[4, 9], gamma=0.5)
class FallsAnEpochLate(lr_scheduler.MultiStepLR):
    """The learning rate falls at the milestone itself; here it falls an epoch later.

    Runs that are compared epoch by epoch differ for one epoch at each milestone.
    """

    def rate(self, lr):
        return lr * self.gamma if self.last_epoch - 1 in self.milestones else lr


@scheduler(lambda epoch: 0.9**epoch, gamma=0.9)
class ClosedFormOfTheRateAsItIs(lr_scheduler.ExponentialLR):
    """gamma^epoch is a factor of the first learning rate; here it is applied to the current one.

    The learning rate falls as gamma^(epoch^2 / 2): after some epochs nothing is learned any more.
    """

    def rate(self, lr):
        return lr * self.gamma**self.last_epoch


@scheduler(lambda epoch: 0.2 + 0.8 * min(epoch, 6) / 6, start_factor=0.2, total_iters=6)
class WarmUpOfTheRateAsItIs(lr_scheduler.LinearLR):
    """The straight line gives factors of the first learning rate; here they are applied to the current one.

    The warm-up never reaches the full learning rate: the product of all its factors stays.
    """

    def rate(self, lr):
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * share)


@scheduler(lambda epoch: (1 + math.cos(math.pi * epoch / 12)) / 2, T_max=12)
class HalfAWaveTakenForAWhole(lr_scheduler.CosineAnnealingLR):
    """T_max is half a cosine period, from the top to the bottom; here it is a whole period.

    Halfway through the training the learning rate is 0, and at the end it is as high as in the beginning.
    """

    def get_lr(self):
        return [(1 + math.cos(2 * math.pi * self.last_epoch / self.T_max)) / 2 * base for base in self.base_lrs]


@scheduler(lambda epoch: 1 / (1 + epoch), lr_lambda=lambda epoch: 1 / (1 + epoch))
class FactorOfTheRateAsItIs(lr_scheduler.LambdaLR):
    """lr_lambda is a factor of the first learning rate; here it multiplies the current one, as in MultiplicativeLR.

    1 / (1 + epoch) becomes one over a factorial: after a few epochs nothing is learned.
    """

    def get_lr(self):
        return [lr * one(self.last_epoch) for lr, one in zip(self.current_lrs(), self.lr_lambdas, strict=True)]


def up_and_down(epoch: int) -> float:
    """Return a cycle of 25 steps, rising for the first 7.5 - 1 of them, as a share of ``LR``."""
    first, last = (1 / 25, 1.0) if epoch <= 6.5 else (1.0, 1 / 25e4)
    share = epoch / 6.5 if epoch <= 6.5 else (epoch - 6.5) / (24 - 6.5)
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))


@scheduler(up_and_down, momentum=True, max_lr=LR, total_steps=25)
class MomentumRisesAsWell(lr_scheduler.OneCycleLR):
    """The momentum goes down while the learning rate goes up; here both rise and fall together.

    At the peak, long steps meet a long memory: that is where the loss explodes.
    """

    def set_momentum(self, group, value):
        super().set_momentum(group, group["max_momentum"] + group["base_momentum"] - value)


WARM_UP = ("LinearLR", {"start_factor": 0.5, "end_factor": 0.8, "total_iters": 4})
FALL = ("ExponentialLR", {"gamma": 0.9})


@scheduler(
    lambda epoch: 0.5 + 0.3 * epoch / 4 if epoch < 4 else 0.9 ** (epoch - 4),
    schedulers=[WARM_UP, FALL],
    milestones=[4],
)
class GoesOnFromWhereTheLastOneEnded(lr_scheduler.SequentialLR):
    """Each schedule starts from the first learning rate; here it goes on from the one that the last schedule left.

    No effect where a warm-up ends at 1. Where it ends lower, the rest of the training is slower.
    """

    def step(self):
        self.last_epoch += 1
        index = sum(milestone <= self.last_epoch for milestone in self._milestones)
        self._schedulers[index].step()
        self._last_lr = self._schedulers[index].get_last_lr()


@scheduler(
    lambda epoch: (0.5 if epoch < 6 else 1.0) * 0.9**epoch,
    schedulers=[("ConstantLR", {"factor": 0.5, "total_iters": 6}), FALL],
)
class OnlyTheLastOneActs(lr_scheduler.ChainedScheduler):
    """Each scheduler changes what the one before has left; here the last one alone is stepped.

    A warm-up that is chained with a decay never ends: its small factor stays.
    """

    def step(self):
        self._schedulers[-1].step()
        self._last_lr = self.current_lrs()


@scheduler(lambda epoch: 0.25 if epoch < 6 else 1.0, factor=0.25, total_iters=6)
class FactorAppliedAtEachEpoch(lr_scheduler.ConstantLR):
    """The factor is applied once and taken back once; here it is applied at every epoch until it should be taken back.

    After a few epochs the learning rate is 0 for all purposes, and one division does not bring it back.
    """

    def rate(self, lr):
        return lr * self.factor if self.last_epoch < self.total_iters else lr


@scheduler(lambda epoch: (1 - min(epoch, 16) / 16) ** 2, total_iters=16, power=2.0)
class PowerOfTheRateAsItIs(lr_scheduler.PolynomialLR):
    """(1 - epoch / total)^power is a factor of the first learning rate; here it is applied to the current one.

    Half of the training runs at a learning rate of almost 0.
    """

    def rate(self, lr):
        return lr * (1 - min(self.last_epoch, self.total_iters) / self.total_iters) ** self.power


def two_waves(epoch: int) -> float:
    """Return half a cosine of 4 epochs, then one of 8, then one of 16, as shares of ``LR``."""
    start, length = next((start, length) for start, length in ((0, 4), (4, 8), (12, 16)) if epoch < start + length)
    return (1 + math.cos(math.pi * (epoch - start) / length)) / 2


@scheduler(two_waves, T_0=4, T_mult=2)
class RestartsAtARegularInterval(lr_scheduler.CosineAnnealingWarmRestarts):
    """From restart to restart it takes T_mult times as long as before; here it always takes T_0 epochs.

    The learning rate jumps up again just when the longer run would have settled.
    """

    def step(self, epoch=None):
        super().step(epoch)
        self.T_i = self.T_0


@scheduler(
    lambda epoch: 0.1 + 0.9 * min(epoch % 8, 8 - epoch % 8) / 4 / 2 ** (epoch // 8),
    base_lr=0.1 * LR,
    max_lr=LR,
    step_size_up=4,
    mode="triangular2",
    cycle_momentum=False,
)
class CyclesCountedFromZero(lr_scheduler.CyclicLR):
    """The first cycle has number 1 and its full height; here it has number 0, and twice the height.

    The learning rate goes far above max_lr in the first cycle, where the loss explodes.
    """

    def scale_fn(self, x):
        return super().scale_fn(x - 1)


@scheduler(lambda epoch: 0.5 ** max(0, (epoch - 1) // 3), metrics=[1.0] * 24, factor=0.5, patience=2)
class PatienceEndsAnEpochEarly(lr_scheduler.ReduceLROnPlateau):
    """patience is how many bad epochs are tolerated; the next one lowers the learning rate. Here it is one fewer.

    A noisy loss that would have improved in the next epoch costs a factor of the learning rate.
    """

    def __init__(self, optimizer, *, patience, **options):
        super().__init__(optimizer, patience=patience - 1, **options)


@scheduler(lambda epoch: 0.5 ** (epoch // 5), of="LRScheduler StepLR", step_size=5, gamma=0.5)
class FirstEpochSkipped(lr_scheduler.StepLR):
    """The constructor takes the step to epoch 0, and each step() takes one more; here epoch 0 is left out.

    Every change comes an epoch early.
    """

    def take_first_step(self):
        self.last_epoch += 1
        super().take_first_step()
