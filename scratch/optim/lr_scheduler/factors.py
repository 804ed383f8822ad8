r"""ConstantLR, LinearLR, PolynomialLR, LambdaLR: the learning rate is the initial one times a factor of the epoch.

    lr     the current rate      epoch  the epoch that lr_next is for, from 0
    base   the initial rate      total  total_iters, how many epochs it takes

constant_lr
    U1  change = factor at epoch 0, 1 / factor at total, else 1
    U2  lr_next = lr change                                      closed: base factor before total, base from then on

linear_lr, from start base to end base in total epochs
    U1  slope = end - start
    U2  factor = start at epoch 0; 1 after total; else
                 1 + slope / (total start + (epoch - 1) slope)
    U3  lr_next = lr factor, and never below 0                   closed: base (start + slope min(epoch, total) / total)

The factor in linear_lr is the quotient of two closed forms: total (start + slope epoch / total), divided by the same
for epoch - 1. The numerator is larger by slope.

polynomial_lr
    U1  left = 1 - epoch / total                                 the share of the epochs that is left
    U2  before = 1 - (epoch - 1) / total                         likewise, an epoch before
    U3  lr_next = lr (left / before)^power, and lr at epoch 0
                  and after total                                closed: base (1 - min(epoch, total) / total)^power

lambda_lr, of any function of the epoch
    U1  lr_next = base lr_lambda(epoch)                          no recursion: lr is not read

PyTorch's counterparts: ``torch.optim.lr_scheduler.ConstantLR``, ``LinearLR``, ``PolynomialLR``, ``LambdaLR``. As there,
when training is resumed (``last_epoch``), LinearLR and PolynomialLR leave the rates as they are until the first step,
and the others apply what is due at once. Differ from PyTorch: on its way down to 0 PyTorch's LinearLR may end at -1e-19
because of rounding, and this one ends at 0. Refused are a ``factor`` of 0, from which no rate comes back, a negative
``power``, and a ``total_iters`` of 0, with which LinearLR stays at its start for good.
"""

from collections.abc import Callable, Mapping
from typing import Any

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import (
    LRScheduler,
    attributes_of,
    check_count,
    check_each,
    check_optimizer,
    set_attributes,
)
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def constant_lr(lr: float, epoch: int, *, factor: float, total: int) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    change = factor if epoch == 0 else 1.0 / factor if epoch == total else 1.0  # U1 ()
    lr_next = lr * change  # U2 ()
    return lr_next


def linear_lr(lr: float, epoch: int, *, start: float, end: float, total: int) -> float:
    """Return the rate of an epoch, given that of the epoch before; at epoch 0, given the initial rate."""
    slope = end - start  # U1 ()
    factor = (
        start if epoch == 0 else 1.0 if epoch > total else 1.0 + slope / (total * start + (epoch - 1) * slope)
    )  # U2 ()
    lr_next = max(lr * factor, 0.0)  # U3 ()
    return lr_next


def polynomial_lr(lr: float, epoch: int, *, total: int, power: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    left = 1.0 - epoch / total  # U1 ()
    before = 1.0 - (epoch - 1) / total  # U2 ()
    lr_next = lr * (left / before) ** power if 0 < epoch <= total else lr  # U3 ()
    return lr_next


def lambda_lr(base: float, epoch: int, *, lr_lambda: Callable[[int], float]) -> float:
    """Return the rate of an epoch."""
    lr_next = base * lr_lambda(epoch)  # U1 ()
    return lr_next


class ConstantLR(LRScheduler):
    """Multiply the learning rates by a factor for the first epochs, and take that back afterwards.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    factor : float
        The factor, over 0 and up to 1.
    total_iters : int
        How many epochs it lasts.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> scheduler = ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> for epoch in range(3):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    0.25
    0.25
    1.0
    """

    option_names = "factor", "total_iters"

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = check_number(self, "factor", factor, at_least=None)
        if not 0 < self.factor <= 1:
            raise ValueError(f"ConstantLR: expected factor over 0 and up to 1, got {factor}")
        self.total_iters = check_count(self, "total_iters", total_iters, at_least=1)
        super().__init__(optimizer, last_epoch)

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        return constant_lr(lr, self.last_epoch, factor=self.factor, total=self.total_iters)


class LinearLR(LRScheduler):
    """Warm-up: move the learning rates along a line, from ``start_factor`` to ``end_factor`` times the initial ones.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    start_factor : float
        What the learning rates are multiplied by at first, over 0 and up to 1.
    end_factor : float
        What they are multiplied by in the end, from 0 to 1.
    total_iters : int
        How many epochs it takes.
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


class PolynomialLR(LRScheduler):
    """Lower the learning rates to 0, as a power of the share of the epochs that is left.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    total_iters : int
        How many epochs it takes.
    power : float
        The power; 1 is a straight line.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> for epoch in range(3):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.25
    0.0
    """

    option_names = "total_iters", "power"

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = check_count(self, "total_iters", total_iters, at_least=1)
        self.power = check_number(self, "power", power)
        super().__init__(optimizer, last_epoch)

    def get_first_lr(self) -> list[float]:
        """Return the learning rates as they are."""
        return self.current_lrs()

    def rate(self, lr: float) -> float:
        """Return the learning rate at `last_epoch`."""
        return polynomial_lr(lr, self.last_epoch, total=self.total_iters, power=self.power)


class LambdaLR(LRScheduler):
    """Multiply the initial learning rates by a function of the epoch.

    A state dict has the attributes of an object with ``__call__``, and None for a function.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    lr_lambda : callable or list of callable
        Maps the epoch to a factor; a list has one for each group.

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
        return super().state_dict() | {"lr_lambdas": [attributes_of(one) for one in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state, and set the attributes of the callables that are not functions."""
        lambdas, held = self.lr_lambdas, self.check_state(state_dict)["lr_lambdas"]
        if len(held) != len(lambdas):
            raise ValueError(f"{name_of(self)}: expected the state of {len(lambdas)} lr_lambdas, got {len(held)}")
        super().load_state_dict({**state_dict, "lr_lambdas": lambdas})
        for one, attributes in zip(lambdas, held, strict=True):
            set_attributes(one, attributes)
