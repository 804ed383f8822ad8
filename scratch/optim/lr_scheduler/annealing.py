r"""CosineAnnealingLR and OneCycleLR: the learning rate follows half a wave of a cosine.

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

annealed, from first to last while share goes from 0 to 1
    U1  wave = 1 + cos(pi share)                                     from 2 to 0
    U2  value = last + (first - last)/2 wave                         linear: first + (last - first) share

OneCycleLR anneals from max_lr / div_factor up to max_lr, over a share pct_start of all steps, and from there down to
the first rate / final_div_factor. The momentum (beta1 in Adam) goes from max_momentum to base_momentum and back. With
three_phase the rate comes down the way that it went up, and over the remaining steps falls to the lowest rate.

Sources: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5 (without the
restarts); Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
PyTorch's counterparts: ``torch.optim.lr_scheduler.CosineAnnealingLR``, ``OneCycleLR``. Differs from PyTorch: a phase of
OneCycleLR of length 0 is a ValueError that says so, not a division by zero.
"""

import math
from collections.abc import Mapping
from typing import Any

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import LRScheduler, check_count, check_each, check_optimizer
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_bool, check_number


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


def annealed(first: float, last: float, share: float, *, linear: bool) -> float:
    """Return the value after ``share`` of the way from ``first`` to ``last``."""
    wave = math.cos(math.pi * share) + 1  # U1 ()
    value = (last - first) * share + first if linear else last + (first - last) / 2.0 * wave  # U2 ()
    return value


class CosineAnnealingLR(LRScheduler):
    """Lower the learning rates along a cosine.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        How many epochs the rate takes to come down.
    eta_min : float
        The lowest learning rate.
    last_epoch : int
        The last epoch before training is resumed.

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


class OneCycleLR(LRScheduler):
    """Raise the learning rates, then lower them to almost nothing: one cycle for a whole training.

    `step` is called after each batch.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or list of float
        The highest learning rate, one for all groups or one for each.
    total_steps : int, optional
        The number of batches in the training.
    epochs, steps_per_epoch : int, optional
        The two factors of ``total_steps``, if that is not given.
    pct_start : float
        The share of the steps in which the learning rate rises.
    anneal_strategy : str
        "cos" or "linear".
    cycle_momentum : bool
        Whether the momentum, or Adam's beta1, falls while the learning rate rises, and rises while it falls.
    base_momentum, max_momentum : float or list of float
        The lowest and the highest momentum.
    div_factor : float
        The first learning rate is ``max_lr / div_factor``.
    final_div_factor : float
        The last learning rate is the first one divided by this.
    three_phase : bool
        Whether the learning rate comes down the way that it went up, and falls to the last one in a third phase.
    last_epoch : int
        The last step before training is resumed.

    Raises
    ------
    ValueError
        If there is no number of steps, an option is out of its domain, the optimizer has no momentum to cycle, or
        `step` is called more often than ``total_steps``.
    """

    option_names = "total_steps", "_schedule_phases", "_anneal_func_type", "cycle_momentum", "use_beta1"

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        groups = check_optimizer(self, optimizer).param_groups
        self.total_steps = self._count_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: expected pct_start to be a float from 0 to 1, got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: expected anneal_strategy to be 'cos' or 'linear', got {anneal_strategy!r}")
        self._schedule_phases = phases(pct_start, self.total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = check_bool(self, "cycle_momentum", cycle_momentum)
        if last_epoch == -1:
            for group, highest in zip(groups, check_each(self, "max_lr", max_lr, len(groups)), strict=True):
                group["max_lr"] = check_number(self, "max_lr", highest)
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.use_beta1 = "betas" in optimizer.defaults
        if self.cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ValueError(
                f"OneCycleLR: {name_of(optimizer)} has neither momentum nor betas; pass cycle_momentum=False"
            )
        if self.cycle_momentum and last_epoch == -1:
            for name, value in (("max_momentum", max_momentum), ("base_momentum", base_momentum)):
                for group, one in zip(groups, check_each(self, name, value, len(groups)), strict=True):
                    group[name] = check_number(self, name, one)
            for group in groups:
                self._set_momentum(group, group["max_momentum"])
        super().__init__(optimizer, last_epoch)

    def _count_steps(self, total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
        if total_steps is not None:
            return check_count(self, "total_steps", total_steps, at_least=1)
        if epochs is None or steps_per_epoch is None:
            raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
        epochs = check_count(self, "epochs", epochs, at_least=1)
        return epochs * check_count(self, "steps_per_epoch", steps_per_epoch, at_least=1)

    def _set_momentum(self, group: dict, value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value

    def check_state(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries to load; PyTorch leaves ``use_beta1`` out if the momentum does not change."""
        if isinstance(state_dict, Mapping):
            state_dict = {"use_beta1": self.use_beta1, **state_dict}
        return super().check_state(state_dict)

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`, and set the momenta."""
        phase, share = self._where()
        linear, lrs = self._anneal_func_type == "linear", []
        for group in self.optimizer.param_groups:
            lrs.append(annealed(group[phase["start_lr"]], group[phase["end_lr"]], share, linear=linear))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, annealed(*ends, share, linear=linear))
        return lrs

    def _where(self) -> tuple[dict[str, Any], float]:
        """Return the phase that the step is in, and the share of it that is done."""
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: step {step} is past the last one; total_steps is {self.total_steps}")
        *before, last = self._schedule_phases
        for phase in before:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = last
        length = phase["end_step"] - start
        if length == 0:
            raise ValueError(
                f"OneCycleLR: with {self.total_steps} steps in all, one of the phases has no length; choose another "
                "pct_start or total_steps"
            )
        return phase, (step - start) / length


def phases(pct_start: float, total: int, three_phase: bool) -> list[dict[str, Any]]:
    """Return the phases of a cycle: the step at which each ends, and the names of the values it goes from and to."""
    up = float(pct_start * total) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"
    down = total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"
    back = float(2 * pct_start * total) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"
    out = total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"
    names = "end_step", "start_lr", "end_lr", "start_momentum", "end_momentum"
    return [dict(zip(names, one, strict=True)) for one in ((up, back, out) if three_phase else (up, down))]
