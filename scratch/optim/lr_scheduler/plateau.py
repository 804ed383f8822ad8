r"""ReduceLROnPlateau: the learning rate is lowered once a metric has stopped improving.

    metric   what is watched, such as the validation loss         patience  how many bad epochs are tolerated
    best     the best so far                                      cooldown  epochs after a fall that are not counted
    bad      epochs in a row that were not better                 cooling   how many of those are left

plateau, in mode "min" and threshold_mode "rel"
    U1  margin = -threshold                           max: +threshold
    U2  bound = best (1 + margin)                     abs: best + margin
    U3  better = metric < bound                       max: metric > bound
    U4  best_next = metric if better, else best
    U5  waited = 0 if better or cooling, else bad + 1
    U6  falls = waited > patience
    U7  bad_next = 0 if it falls, else waited
    U8  cooling_next = cooldown if it falls, else
                       cooling - 1, and never below 0

When it falls, each group's rate becomes max(factor lr, min_lr), unless that changes it by eps or less. A metric of NaN
is never better.

PyTorch's counterpart: ``torch.optim.lr_scheduler.ReduceLROnPlateau``. Left out: ``step``'s deprecated ``epoch``.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, SupportsFloat

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count, check_each, check_optimizer
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


class Plateau(NamedTuple):
    """What `plateau` returns."""

    falls: bool
    best: float
    bad: int
    cooling: int


def plateau(
    metric: float,
    best: float,
    bad: int,
    cooling: int,
    *,
    mode: str,
    threshold: float,
    threshold_mode: str,
    patience: int,
    cooldown: int,
) -> Plateau:
    """Return whether the learning rates fall, and what to remember."""
    margin = -threshold if mode == "min" else threshold  # U1 ()
    bound = best * (1.0 + margin) if threshold_mode == "rel" else best + margin  # U2 ()
    better = metric < bound if mode == "min" else metric > bound  # U3 ()
    best_next = metric if better else best  # U4 ()
    waited = 0 if better or cooling > 0 else bad + 1  # U5 ()
    falls = waited > patience  # U6 ()
    bad_next = 0 if falls else waited  # U7 ()
    cooling_next = cooldown if falls else max(cooling - 1, 0)  # U8 ()
    return Plateau(falls, best_next, bad_next, cooling_next)


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rates by ``factor`` once a metric has not improved for more than ``patience`` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    mode : str
        "min" for a metric that should become small, "max" for one that should become large.
    factor : float
        Below 1.
    patience : int
        How many epochs without improvement are tolerated.
    threshold : float
        How much better than the best one a metric has to be to count as better.
    threshold_mode : str
        "rel": by this share of the best one; "abs": by this difference.
    cooldown : int
        How many epochs after a fall are not counted.
    min_lr : float or list of float
        The lowest learning rate, one for all groups or one for each.
    eps : float
        A fall of this size or less is skipped.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.5, 1.0):
    ...     scheduler.step(loss)
    ...     print(*scheduler.get_last_lr())
    1.0
    1.0
    1.0
    0.5
    0.5
    """

    option_names = "factor", "default_min_lr", "min_lrs", "patience", "cooldown", "eps"
    state_names = (
        *("last_epoch", "_last_lr", "mode_worse", "mode", "threshold", "threshold_mode"),
        *("best", "cooldown_counter", "num_bad_epochs"),
    )

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        self.factor = check_number(self, "factor", factor, at_least=None)
        if self.factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: expected factor below 1, got {factor}")
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else check_number(self, "min_lr", min_lr, None)
        self.min_lrs = check_each(self, "min_lr", min_lr, len(optimizer.param_groups))
        self.patience = check_count(self, "patience", patience, at_least=0)
        self.cooldown = check_count(self, "cooldown", cooldown, at_least=0)
        self.eps = check_number(self, "eps", eps, at_least=None)
        self.threshold = check_number(self, "threshold", threshold, at_least=None)
        for name, value, known in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in known:
                raise ValueError(f"ReduceLROnPlateau: expected {name} to be {' or '.join(known)}, got {value!r}")
        self.mode, self.threshold_mode = mode, threshold_mode
        self.best = self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = 0
        self._last_lr = self.current_lrs()

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are currently not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]
        """Take the metric of an epoch, and lower the learning rates if that is due.

        Raises
        ------
        TypeError
            If it is not a number.
        """
        try:
            metric = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(f"ReduceLROnPlateau: expected metrics to be a number, got {metrics!r:.80}") from None
        self.last_epoch += 1
        falls, self.best, self.num_bad_epochs, self.cooldown_counter = plateau(
            metric,
            self.best,
            self.num_bad_epochs,
            self.cooldown_counter,
            mode=self.mode,
            threshold=self.threshold,
            threshold_mode=self.threshold_mode,
            patience=self.patience,
            cooldown=self.cooldown,
        )
        self.set_lrs(self._lowered() if falls else self.current_lrs())

    def _lowered(self) -> list[float]:
        lrs = self.current_lrs()
        if len(lrs) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"{name_of(self)}: the optimizer has {len(lrs)} groups, and min_lr was given for "
                    f"{len(self.min_lrs)}; set .min_lrs after add_param_group"
                )
            self.min_lrs = [self.default_min_lr] * len(lrs)
        lowered = [max(lr * self.factor, lowest) for lr, lowest in zip(lrs, self.min_lrs, strict=True)]
        return [low if lr - low > self.eps else lr for lr, low in zip(lrs, lowered, strict=True)]

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state that `state_dict` returned, here or in PyTorch."""
        super().load_state_dict(state_dict)
        self.mode_worse = math.inf if self.mode == "min" else -math.inf
