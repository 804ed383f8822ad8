"""What every scheduler has in common: the epochs, the learning rates of the groups, and a state that can be saved.

A scheduler is a rule, which is a pure function of the current learning rate and of the epoch, and a class around it.
Most rules are recursions, as in PyTorch: they start from the group's current rate, so other code may change it in
between, and two schedulers may act on one optimizer. The closed form is given next to each recursion. The two agree up
to rounding, and the recursion rounds like PyTorch's, bit for bit.

An epoch here is one call of `LRScheduler.step`. Most schedulers are stepped after all batches of an epoch of training,
and `OneCycleLR` after each batch. The constructor takes the step to epoch 0: it sets the first learning rates.

A scheduler that is stepped before its optimizer skips the first learning rate. As in PyTorch that is only a warning,
since a program may intend it: to go ahead to the epoch at which it was interrupted, or to plot the curve.

PyTorch's counterpart: ``torch.optim.lr_scheduler.LRScheduler``. Left out: ``step``'s deprecated ``epoch``. Deliberate
differences: options and state dicts are checked at once, where PyTorch accepts them until they do harm; the warning
depends on whether the optimizer has stepped since this scheduler was made, not since the first one was.
"""

import numbers
import warnings
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, ClassVar

from scratch.checks import name_of
from scratch.optim.optimizer import Optimizer

# PyTorch's state dicts also have these flags, which are True only while a step is running.
FLAGS_OF_TORCH = ("_is_initial", "_get_lr_called_within_step")


class LRScheduler:
    """Base class of the schedulers; a subclass defines `rate`, or `get_lr`.

    Parameters
    ----------
    optimizer : Optimizer
        The learning rates of its groups are set. Each group keeps its first one as ``group["initial_lr"]``.
    last_epoch : int
        The last epoch before training is resumed; -1 for a new training. To resume, the groups need an "initial_lr",
        which the optimizer's state dict has.

    Attributes
    ----------
    option_names : tuple of str
        The attributes in a state dict, apart from those that all schedulers have.
    base_lrs : list of float
        The groups' initial learning rates.
    last_epoch : int
        The epoch that the current learning rates belong to.

    Raises
    ------
    TypeError
        If ``optimizer`` is not an Optimizer.
    KeyError
        If ``last_epoch`` is not -1 and a group has no "initial_lr".
    """

    option_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]] = ("base_lrs", "last_epoch", "_step_count", "_last_lr")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(self, optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{name_of(self)}: expected initial_lr in param_groups[{number}] where last_epoch is {last_epoch}; "
                    "load the optimizer's state dict first, or leave last_epoch at -1 for a new training"
                )
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._steps_before = optimizer.steps_taken
        self.take_first_step()

    # What a subclass defines.

    def rate(self, lr: float) -> float:
        """Return the learning rate of a group at `last_epoch`, given its current one."""
        raise NotImplementedError(f"{name_of(self)}: neither rate nor get_lr is defined")

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`; to read the current ones, use `get_last_lr`."""
        return [self.rate(lr) for lr in self.current_lrs()]

    def get_first_lr(self) -> list[float]:
        """Return the learning rates that the constructor sets."""
        return self.get_lr()

    # What all schedulers do.

    def current_lrs(self) -> list[float]:
        """Return the learning rates that the groups have."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def take_first_step(self) -> None:
        """Go to the epoch after ``last_epoch``, as the constructor does."""
        self._step_count = 1
        self.last_epoch += 1
        self.set_lrs(self.get_first_lr())

    def step(self) -> None:
        """Go to the next epoch: set the learning rate of each group. Called after the optimizer's ``step``."""
        if self._step_count == 1 and self.optimizer.steps_taken == self._steps_before:
            warnings.warn(
                f"{name_of(self)}: step() was called before the optimizer's step(), which skips the first learning "
                "rate; call optimizer.step() first",
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        self.set_lrs(self.get_lr())

    def restart(self) -> None:
        """Go back to epoch 0, starting from the initial learning rates."""
        self.last_epoch = 0
        self.set_lrs(self.base_lrs)
        self.set_lrs(self.get_lr())

    def set_lrs(self, lrs: list[float]) -> None:
        """Write the learning rates into the groups."""
        groups = self.optimizer.param_groups
        if len(lrs) != len(groups):
            raise ValueError(
                f"{name_of(self)}: the optimizer has {len(groups)} groups, and had {len(lrs)} when this scheduler was "
                "made; make a new one after add_param_group"
            )
        for group, lr in zip(groups, lrs, strict=True):
            group["lr"] = lr
        self._last_lr = self.current_lrs()

    def get_last_lr(self) -> list[float]:
        """Return the learning rates that were set last, one for each group."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Return the state under PyTorch's names: the options, the epoch, and the initial learning rates.

        The current learning rates belong to the optimizer's state dict; save both.
        """
        return {name: copied(getattr(self, name)) for name in (*self.option_names, *self.state_names)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state that `state_dict` returned, here or in PyTorch. Everything is checked before it is used.

        Raises
        ------
        TypeError
            If it is not a mapping.
        ValueError
            If something is missing or unknown, or the number of groups differs.
        """
        state = self.check_state(state_dict)
        for name, value in state.items():
            setattr(self, name, copied(value))

    def check_state(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of a state dict to load, or raise if it does not fit this scheduler."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{name_of(self)}: expected a state dict, got {state_dict!r:.80}")
        names = (*self.option_names, *self.state_names)
        state = {name: value for name, value in state_dict.items() if name not in FLAGS_OF_TORCH}
        for name in (*state, *names):
            if name not in names:
                raise ValueError(f"{name_of(self)}: the state has an unknown {name!r}; known are {', '.join(names)}")
            if name not in state:
                raise ValueError(f"{name_of(self)}: the state has no {name!r}")
        groups = len(state["_last_lr"])
        if groups != len(self._last_lr):
            raise ValueError(f"{name_of(self)}: expected the state of {len(self._last_lr)} groups, got {groups}")
        return state


def copied(value: Any) -> Any:
    """Return a copy of a list, and anything else as it is."""
    return list(value) if isinstance(value, list) else value


def attributes_of(function: Callable | None) -> dict[str, Any] | None:
    """Return the attributes of an object with ``__call__``, for a state dict; None for a function, as in PyTorch."""
    return None if function is None or isinstance(function, FunctionType) else dict(vars(function))


def set_attributes(function: Callable | None, attributes: Mapping[str, Any] | None) -> None:
    """Put back what `attributes_of` returned."""
    if attributes is not None:
        vars(function).update(attributes)


def check_optimizer(owner: object, optimizer: Any) -> Optimizer:
    """Return ``optimizer``, or raise if it is not an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name_of(owner)}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


def check_count(owner: object, name: str, value: Any, at_least: int) -> int:
    """Return an option as an int, or raise unless it is a whole number of ``at_least`` or more."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name_of(owner)}: expected {name} to be an integer, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name_of(owner)}: expected {name} of {at_least} or more, got {value}")
    return int(value)


def check_each(owner: object, name: str, value: Any, count: int) -> list[Any]:
    """Return an option as a list with an entry for each of ``count`` groups: a list as it is, a value repeated."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name_of(owner)}: expected {name} for {count} groups, got {len(value)}")
    return list(value)
