"""SequentialLR and ChainedScheduler: schedules one after another, such as a warm-up before the rest, or all at once.

PyTorch's counterparts: ``torch.optim.lr_scheduler.SequentialLR``, ``ChainedScheduler``. Left out: either of them in a
SequentialLR, which is refused.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from scratch.checks import name_of
from scratch.optim.lr_scheduler.plateau import ReduceLROnPlateau
from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count, check_optimizer
from scratch.optim.optimizer import Optimizer


class OfSchedulers(LRScheduler):
    """Base of schedulers that step others: the checks of these, and the state."""

    _schedulers: list[LRScheduler]

    def check_schedulers(self, optimizer: Any, schedulers: Sequence[LRScheduler], *refused: type) -> None:
        """Raise unless there are schedulers, all of this optimizer, and none of a class that cannot be used here."""
        name = name_of(self)
        for one in schedulers:
            if not isinstance(one, LRScheduler):
                raise TypeError(f"{name}: expected schedulers to be LRSchedulers, got {type(one).__name__}")
            if isinstance(one, (ReduceLROnPlateau, *refused)):
                raise ValueError(f"{name}: a {name_of(one)} cannot be one of the schedulers")
            if one.optimizer is not optimizer:
                raise ValueError(f"{name}: expected schedulers of one optimizer, got a {name_of(one)} of another")

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the states of the schedulers."""
        return super().state_dict() | {"_schedulers": [one.state_dict() for one in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state, and the states of the schedulers."""
        schedulers, states = self._schedulers, self.check_state(state_dict)["_schedulers"]
        if len(states) != len(schedulers):
            raise ValueError(f"{name_of(self)}: expected the state of {len(schedulers)} schedulers, got {len(states)}")
        for one, state in zip(schedulers, states, strict=True):
            one.check_state(state)
        super().load_state_dict({**state_dict, "_schedulers": schedulers})
        for one, state in zip(schedulers, states, strict=True):
            one.load_state_dict(state)


class SequentialLR(OfSchedulers):
    """Apply schedulers one after another, each from its own epoch 0.

    At a milestone the next scheduler begins with the initial learning rates of the optimizer, not with those that the
    previous scheduler reached.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    schedulers : list of LRScheduler
        The schedulers, all of this optimizer.
    milestones : list of int
        The epochs at which the second and all following schedulers begin.

    Raises
    ------
    TypeError
        If one is not a scheduler.
    ValueError
        If there are no schedulers, one belongs to another optimizer or cannot be used here, or the number of milestones
        is not one less than that of the schedulers.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> warm_up = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rest = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> scheduler = SequentialLR(optimizer, [warm_up, rest], milestones=[2])
    >>> for epoch in range(6):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    0.5
    0.75
    1.0
    1.0
    0.5
    0.5
    """

    state_names = "_milestones", "last_epoch", "_last_lr", "_schedulers"

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        if not schedulers:
            raise ValueError("SequentialLR: expected at least one scheduler, got none")
        self.check_schedulers(optimizer, schedulers, OfSchedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: expected {len(schedulers) - 1} milestones for {len(schedulers)} schedulers, "
                f"got {len(milestones)}"
            )
        self._schedulers = list(schedulers)
        self._milestones = [check_count(self, "each of milestones", one, at_least=0) for one in milestones]
        self.last_epoch = last_epoch + 1
        # Each scheduler took its first step when it was made: undo that, and take the one that is due.
        self.set_lrs([float(group["initial_lr"]) for group in optimizer.param_groups])
        for one in self._schedulers:
            one.last_epoch -= 1
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first.take_first_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:
        """Go to the next epoch: step the scheduler whose turn it is, or start it."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            scheduler.restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(OfSchedulers):
    """Step several schedulers at once: each changes the learning rates that the one before has left.

    Parameters
    ----------
    schedulers : list of LRScheduler
        The schedulers, all of one optimizer.
    optimizer : Optimizer, optional
        That optimizer; the first scheduler's if it is left out.

    Raises
    ------
    TypeError
        If one is not a scheduler.
    ValueError
        If there are no schedulers, or one belongs to another optimizer or cannot be used here.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0)
    >>> constant = optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> scheduler = ChainedScheduler([constant, optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)])
    >>> for epoch in range(4):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    0.5
    0.25
    0.25
    0.125
    """

    state_names = "_last_lr", "_schedulers"

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: expected at least one scheduler, got none")
        self.optimizer = optimizer or getattr(schedulers[0], "optimizer", optimizer)  # type: ignore[assignment]
        self.check_schedulers(self.optimizer, schedulers)
        self._schedulers = list(schedulers)
        self._last_lr = self.current_lrs()

    def step(self) -> None:
        """Go to the next epoch: step all schedulers, in order."""
        for one in self._schedulers:
            one.step()
        self._last_lr = self.current_lrs()
