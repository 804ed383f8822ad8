r"""OneCycleLR: the learning rate rises, and then falls to almost nothing, once in a whole training.

annealed, from first to last while share goes from 0 to 1
    U1  wave = 1 + cos(pi share)                                     from 2 to 0
    U2  value = last + (first - last)/2 wave                         linear: first + (last - first) share

OneCycleLR anneals from max_lr / div_factor up to max_lr, over a share pct_start of all steps, and from there down to
the first rate / final_div_factor. The momentum goes from max_momentum to base_momentum and back. With three_phase the
rate comes down the way that it went up, and over the remaining steps falls to the lowest rate.

Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
PyTorch's counterpart: ``torch.optim.lr_scheduler.OneCycleLR``. Differs from PyTorch: a phase of length 0 is a
ValueError that says so, not a division by zero.
"""

import math
from typing import Any

from scratch.optim.lr_scheduler.cycled_momentum import CyclesMomentum
from scratch.optim.lr_scheduler.scheduler import check_count, check_each, check_optimizer
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def annealed(first: float, last: float, share: float, *, linear: bool) -> float:
    """Return the value after ``share`` of the way from ``first`` to ``last``."""
    wave = math.cos(math.pi * share) + 1  # U1 ()
    value = (last - first) * share + first if linear else last + (first - last) / 2.0 * wave  # U2 ()
    return value


class OneCycleLR(CyclesMomentum):
    """Raise the learning rates, then lower them to almost nothing: one cycle for a whole training.

    `step` is called after each batch.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
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
        self.choose_momentum(optimizer, cycle_momentum)
        if last_epoch == -1:
            for group, highest in zip(groups, check_each(self, "max_lr", max_lr, len(groups)), strict=True):
                group["max_lr"] = check_number(self, "max_lr", highest)
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if self.cycle_momentum and last_epoch == -1:
            for name, value in (("max_momentum", max_momentum), ("base_momentum", base_momentum)):
                for group, one in zip(groups, check_each(self, name, value, len(groups)), strict=True):
                    group[name] = check_number(self, name, one)
            for group in groups:
                self.set_momentum(group, group["max_momentum"])
        super().__init__(optimizer, last_epoch)

    def _count_steps(self, total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
        if total_steps is not None:
            return check_count(self, "total_steps", total_steps, at_least=1)
        if epochs is None or steps_per_epoch is None:
            raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
        epochs = check_count(self, "epochs", epochs, at_least=1)
        return epochs * check_count(self, "steps_per_epoch", steps_per_epoch, at_least=1)

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`, and set the momenta."""
        phase, share = self._where()
        linear, lrs = self._anneal_func_type == "linear", []
        for group in self.optimizer.param_groups:
            lrs.append(annealed(group[phase["start_lr"]], group[phase["end_lr"]], share, linear=linear))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self.set_momentum(group, annealed(*ends, share, linear=linear))
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
