r"""ConstantLR, PolynomialLR: the learning rate is a factor of the first one, for a given number of epochs.

    lr     the current rate      epoch  the epoch that lr_next is for, from 0
    base   the initial rate      total  total_iters, how many epochs it takes

constant_lr
    U1  change = factor at epoch 0, 1 / factor at total, else 1
    U2  lr_next = lr change                                      closed: base factor before total, base from then on

polynomial_lr
    U1  left = 1 - epoch / total                                 the share of the epochs that is left
    U2  before = 1 - (epoch - 1) / total                         likewise, an epoch before
    U3  lr_next = lr (left / before)^power, and lr at epoch 0
                  and after total                                closed: base (1 - min(epoch, total) / total)^power

PyTorch's counterparts: ``torch.optim.lr_scheduler.ConstantLR``, ``PolynomialLR``. As there, PolynomialLR leaves the
rates as they are until the first step when training is resumed (``last_epoch``). Differ from PyTorch: a ``factor`` of
0, from which no rate comes back, a ``total_iters`` of 0 and a negative ``power`` are refused.
"""

from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def constant_lr(lr: float, epoch: int, *, factor: float, total: int) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    change = factor if epoch == 0 else 1.0 / factor if epoch == total else 1.0  # U1 ()
    lr_next = lr * change  # U2 ()
    return lr_next


def polynomial_lr(lr: float, epoch: int, *, total: int, power: float) -> float:
    """Return the rate of an epoch, given that of the epoch before."""
    left = 1.0 - epoch / total  # U1 ()
    before = 1.0 - (epoch - 1) / total  # U2 ()
    lr_next = lr * (left / before) ** power if 0 < epoch <= total else lr  # U3 ()
    return lr_next


class ConstantLR(LRScheduler):
    """Multiply the learning rates by a factor for the first epochs, and take that back afterwards.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float
        The factor, over 0 and up to 1.
    total_iters : int
        How many epochs it lasts.
    last_epoch : int
        The last epoch before training is resumed.

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


class PolynomialLR(LRScheduler):
    """Lower the learning rates to 0, as a power of the share of the epochs that is left.

    Parameters
    ----------
    optimizer : Optimizer
    total_iters : int
        How many epochs it takes.
    power : float
        The power; 1 is a straight line.
    last_epoch : int
        The last epoch before training is resumed.

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
