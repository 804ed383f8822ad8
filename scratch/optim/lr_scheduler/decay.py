r"""StepLR, MultiStepLR, ExponentialLR: the learning rate is multiplied by gamma now and then, or at each epoch.

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

PyTorch's counterparts: ``torch.optim.lr_scheduler.StepLR``, ``MultiStepLR``, ``ExponentialLR``. As there, when training
is resumed (``last_epoch``), ExponentialLR leaves the rates as they are until the first step, and the others apply what
is due at once. Differs from PyTorch: a negative milestone is refused, which the recursion never reaches but the closed
form counts.
"""

from collections import Counter
from collections.abc import Iterable

from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count
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


class StepLR(LRScheduler):
    """Multiply the learning rates by gamma every ``step_size`` epochs.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    step_size : int
        How many epochs a learning rate lasts.
    gamma : float
        The factor.

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
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    milestones : iterable of int
        The epochs; one that is listed twice counts twice.
    gamma : float
        The factor.
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
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    gamma : float
        The factor.
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
