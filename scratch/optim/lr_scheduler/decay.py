r"""StepLR, MultiStepLR, ExponentialLR, LinearLR, LambdaLR: the learning rate falls, or rises, epoch by epoch.

    lr     the current rate            epoch  the epoch that lr_next is for, from 0
    base   the initial rate            gamma  the factor by which it falls

step_lr
    U1  falls = epoch > 0, and a multiple of step_size          whether gamma is due
    U2  lr_next = gamma lr if it falls, else lr                 closed: base gamma^floor(epoch / step_size)

multi_step_lr
    U1  count = how often epoch is among the milestones
    U2  lr_next = lr gamma^count                                closed: base gamma^n, for n milestones up to epoch

exponential_lr
    U1  lr_next = gamma lr if epoch > 0, else lr                closed: base gamma^epoch

linear_lr, from start base to end base in total epochs
    U1  slope = end - start
    U2  factor = start at epoch 0; 1 after total; else
                 1 + slope / (total start + (epoch - 1) slope)
    U3  lr_next = lr factor, and never below 0                  closed: base (start + slope min(epoch, total) / total)

lambda_lr, of any function of the epoch
    U1  lr_next = base lr_lambda(epoch)                         no recursion: lr is not read

The factor in linear_lr is the quotient of two closed forms: total (start + slope epoch / total), divided by the same
for epoch - 1. The numerator is larger by slope.

PyTorch's counterparts: ``torch.optim.lr_scheduler.StepLR``, ``MultiStepLR``, ``ExponentialLR``, ``LinearLR``,
``LambdaLR``. As there, when training is resumed (``last_epoch``), LinearLR and ExponentialLR leave the rates as they
are until the first step, and the others apply what is due at once. Differ from PyTorch: on its way down to 0 PyTorch's
LinearLR may end at -1e-19 because of rounding, and this one ends at 0. Two options are refused: a negative milestone,
which the recursion never reaches but the closed form counts, and a ``total_iters`` of 0, with which LinearLR stays at
its start for good.
"""

import types
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count, check_each, check_optimizer
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def step_lr(lr: float, epoch: int, *, step_size: int, gamma: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    falls = epoch > 0 and epoch % step_size == 0  # U1 ()
    lr_next = lr * gamma if falls else lr  # U2 ()
    return lr_next


def multi_step_lr(lr: float, epoch: int, *, milestones: Counter, gamma: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    count = milestones[epoch]  # U1 ()
    lr_next = lr * gamma**count  # U2 ()
    return lr_next


def exponential_lr(lr: float, epoch: int, *, gamma: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    lr_next = lr * gamma if epoch > 0 else lr  # U1 ()
    return lr_next


def linear_lr(lr: float, epoch: int, *, start: float, end: float, total: int) -> float:
    """Return the rate of an epoch, given that of the epoch before; at epoch 0, given the initial rate."""
    slope = end - start  # U1 ()
    factor = (
        start if epoch == 0 else 1.0 if epoch > total else 1.0 + slope / (total * start + (epoch - 1) * slope)
    )  # U2 ()
    lr_next = max(lr * factor, 0.0)  # U3 ()
    return lr_next


def lambda_lr(base: float, epoch: int, *, lr_lambda: Callable[[int], float]) -> float:
    """Return the rate of an epoch."""
    lr_next = base * lr_lambda(epoch)  # U1 ()
    return lr_next


class StepLR(LRScheduler):
    """Multiply the learning rates by gamma every ``step_size`` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        How many epochs a learning rate lasts.
    gamma : float
        The factor.
    last_epoch : int
        The last epoch before training is resumed.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=8.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(5):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    8.0
    8.0
    4.0
    4.0
    2.0
    """

    option_names = "step_size", "gamma"

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = check_count(self, "step_size", step_size, at_least=1)
        self.gamma = check_number(self, "gamma", gamma, at_least=None)
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        return step_lr(lr, self.last_epoch, step_size=self.step_size, gamma=self.gamma)


class MultiStepLR(LRScheduler):
    """Multiply the learning rates by gamma at each of the milestones.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : iterable of int
        The epochs; one that is listed twice counts twice.
    gamma : float
        The factor.
    last_epoch : int
        The last epoch before training is resumed.
    """

    option_names = "milestones", "gamma"

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter([check_count(self, "each of milestones", one, at_least=0) for one in milestones])
        self.gamma = check_number(self, "gamma", gamma, at_least=None)
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        return multi_step_lr(lr, self.last_epoch, milestones=self.milestones, gamma=self.gamma)


class ExponentialLR(LRScheduler):
    """Multiply the learning rates by gamma at each epoch.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor.
    last_epoch : int
        The last epoch before training is resumed.
    """

    option_names = ("gamma",)

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = check_number(self, "gamma", gamma, at_least=None)
        super().__init__(optimizer, last_epoch)

    def get_first_lr(self) -> list[float]:
        """Return the learning rates as they are."""
        return self.current_lrs()

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        return exponential_lr(lr, self.last_epoch, gamma=self.gamma)


class LinearLR(LRScheduler):
    """Warm-up: move the learning rates along a line, from ``start_factor`` to ``end_factor`` times the initial ones.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float
        What the learning rates are multiplied by at first, over 0 and up to 1.
    end_factor : float
        What they are multiplied by in the end, from 0 to 1.
    total_iters : int
        How many epochs it takes.
    last_epoch : int
        The last epoch before training is resumed.
    """

    option_names = "start_factor", "end_factor", "total_iters"

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = check_number(self, "start_factor", start_factor, at_least=None)
        self.end_factor = check_number(self, "end_factor", end_factor, at_least=None)
        self.total_iters = check_count(self, "total_iters", total_iters, at_least=1)
        if not 0 < self.start_factor <= 1:
            raise ValueError(f"LinearLR: expected start_factor over 0 and up to 1, got {start_factor}")
        if not 0 <= self.end_factor <= 1:
            raise ValueError(f"LinearLR: expected end_factor from 0 to 1, got {end_factor}")
        super().__init__(optimizer, last_epoch)

    def get_first_lr(self) -> list[float]:
        """Return the first learning rates; when training is resumed, those that the groups have."""
        return self.get_lr() if self.last_epoch == 0 else self.current_lrs()

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        start, end, total = self.start_factor, self.end_factor, self.total_iters
        return linear_lr(lr, self.last_epoch, start=start, end=end, total=total)


class LambdaLR(LRScheduler):
    """Multiply the initial learning rates by a function of the epoch.

    A state dict has the attributes of an object with ``__call__``, and None for a function.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable or list of callable
        Maps the epoch to a factor; a list has one for each group.
    last_epoch : int
        The last epoch before training is resumed.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    option_names = ("lr_lambdas",)

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(check_optimizer(self, optimizer).param_groups)
        self.lr_lambdas = check_each(self, "lr_lambda", lr_lambda, count)
        for one in self.lr_lambdas:
            if not callable(one):
                raise TypeError(f"LambdaLR: expected lr_lambda to be a function of the epoch, got {one!r}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`."""
        both = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [lambda_lr(base, self.last_epoch, lr_lambda=one) for base, one in both]

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the attributes of the callables that are not functions."""
        functions = types.FunctionType
        held = [None if isinstance(one, functions) else dict(vars(one)) for one in self.lr_lambdas]
        return super().state_dict() | {"lr_lambdas": held}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state, and set the attributes of the callables that are not functions."""
        lambdas, held = self.lr_lambdas, self.check_state(state_dict)["lr_lambdas"]
        if len(held) != len(lambdas):
            raise ValueError(f"{name_of(self)}: expected the state of {len(lambdas)} lr_lambdas, got {len(held)}")
        super().load_state_dict({**state_dict, "lr_lambdas": lambdas})
        for one, attributes in zip(lambdas, held, strict=True):
            if attributes is not None:
                vars(one).update(attributes)
