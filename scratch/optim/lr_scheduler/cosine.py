r"""CosineAnnealingLR and CosineAnnealingWarmRestarts: the learning rate follows half a wave of a cosine.

    lr     the current rate              epoch    the epoch that lr_next is for, from 0
    base   the initial rate              T_max    epochs from the highest rate to the lowest, eta_min

cosine_annealing_lr
    U1  lowest = whether epoch - 1 is T_max, 3 T_max, 5 T_max...     the rate is at its lowest, where U2 would be 0/0
    U2  ratio = (1 + cos(pi epoch / T_max))
                / (1 + cos(pi (epoch - 1) / T_max))                  1 at epoch 0, which has none before
    U3  rise = (base - eta_min) (1 - cos(pi / T_max)) / 2            the closed form's first step up
    U4  lr_next = lr + rise if lowest,
                  else eta_min + ratio (lr - eta_min)

    closed: eta_min + (base - eta_min) (1 + cos(pi epoch / T_max)) / 2

U2 is the quotient of two closed forms, each less eta_min. After T_max the rate rises again.

warm_restarts, T_cur epochs after a restart, when it is T_i epochs from one to the next
    U1  wave = 1 + cos(pi T_cur / T_i)                               from 2 to 0
    U2  lr_next = eta_min + (base - eta_min) wave / 2

At a restart T_cur becomes 0, and T_i, which is T_0 at first, T_mult times as long.

Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5; without the
restarts in CosineAnnealingLR. PyTorch's counterparts: ``torch.optim.lr_scheduler.CosineAnnealingLR``,
``CosineAnnealingWarmRestarts``. As there, CosineAnnealingWarmRestarts does not warn if it is stepped before its
optimizer.
"""

import math

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import LRScheduler
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def cosine_annealing_lr(lr: float, base: float, epoch: int, *, T_max: float, eta_min: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    lowest = epoch > 0 and (epoch - 1 - T_max) % (2 * T_max) == 0  # U1 ()
    ratio = (
        1.0
        if lowest or epoch == 0
        else (1 + math.cos(math.pi * epoch / T_max)) / (1 + math.cos(math.pi * (epoch - 1) / T_max))
    )  # U2 ()
    rise = (base - eta_min) * (1 - math.cos(math.pi / T_max)) / 2  # U3 ()
    lr_next = lr + rise if lowest else ratio * (lr - eta_min) + eta_min  # U4 ()
    return lr_next


def warm_restarts(base: float, *, T_cur: float, T_i: float, eta_min: float) -> float:
    """Return the rate ``T_cur`` epochs after a restart."""
    wave = 1 + math.cos(math.pi * T_cur / T_i)  # U1 ()
    lr_next = eta_min + (base - eta_min) * wave / 2  # U2 ()
    return lr_next


class CosineAnnealingLR(LRScheduler):
    """Lower the learning rates along a cosine.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    T_max : int
        How many epochs the rate takes to come down.
    eta_min : float
        The lowest learning rate.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=4)
    >>> for epoch in range(5):
    ...     print(*(round(lr, 4) for lr in scheduler.get_last_lr()))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.8536
    0.5
    0.1464
    0.0
    """

    option_names = "T_max", "eta_min"

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        check_number(self, "T_max", T_max, at_least=None)
        if not T_max > 0:
            raise ValueError(f"CosineAnnealingLR: expected T_max over 0, got {T_max}")
        self.T_max, self.eta_min = T_max, check_number(self, "eta_min", eta_min, at_least=None)
        super().__init__(optimizer, last_epoch)

    def get_first_lr(self) -> list[float]:
        """Return the learning rates as they are."""
        return self.current_lrs()

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`."""
        options = {"T_max": self.T_max, "eta_min": self.eta_min}
        # A group that was added later has no base rate: `set_lrs` refuses the shorter list.
        both = zip(self.current_lrs(), self.base_lrs, strict=False)
        return [cosine_annealing_lr(lr, base, self.last_epoch, **options) for lr, base in both]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lower the learning rates along a cosine, start again at the top, and so on.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    T_0 : int
        How many epochs it is to the first restart.
    T_mult : int
        How many times as long it is from each restart to the next.
    eta_min : float
        The lowest learning rate.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> for epoch in range(4):
    ...     print(*(round(lr, 4) for lr in scheduler.get_last_lr()))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0
    0.5
    1.0
    0.5
    """

    option_names = "T_0", "T_i", "T_mult", "eta_min", "T_cur"

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name_of(self)}: expected {name} to be an integer of 1 or more, got {value!r}")
        if not isinstance(eta_min, (int, float)):
            raise ValueError(f"{name_of(self)}: expected eta_min to be a number, got {eta_min!r}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def take_first_step(self) -> None:
        """Go to the epoch after ``last_epoch``, as the constructor does."""
        self._step_count = 0
        self.step()

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch, or to ``epoch``, which may be a fraction: 2.5 is in the middle of the third.

        Raises
        ------
        ValueError
            If ``epoch`` is negative.
        """
        if epoch is None and self.last_epoch >= 0:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(0 if epoch is None else epoch)
        self.set_lrs(self.get_lr())

    def _go_to(self, epoch: float) -> None:
        if epoch < 0:
            raise ValueError(f"{name_of(self)}: expected an epoch of 0 or more, got {epoch}")
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            # How many restarts there were: the sum of a geometric series, solved for the number of its terms.
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**restarts
        self.last_epoch = math.floor(epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`."""
        options = {"T_cur": self.T_cur, "T_i": self.T_i, "eta_min": self.eta_min}
        return [warm_restarts(base, **options) for base in self.base_lrs]
