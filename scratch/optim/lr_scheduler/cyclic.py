r"""CyclicLR: the learning rate goes up and down, again and again.

    base     base_lr, the lowest rate    epoch    number of the step, from 0
    highest  max_lr

triangle, of cycles of up + down steps each, where share up / (up + down) of one goes upwards
    U1  cycle = floor(1 + epoch / (up + down))                       its number, from 1
    U2  done = 1 + epoch / (up + down) - cycle                       the share of it that is done
    U3  height = done / share up to share, else
                 (done - 1) / (share - 1)                            from 0 to 1, and back to 0

cyclic_lr
    U1  rise = (highest - base) height
    U2  lr_next = base + rise scale                                  scale is a function of the cycle, or of the epoch

CyclicLR's scale is 1 ("triangular"), 1 / 2^(cycle - 1) ("triangular2"), gamma^epoch ("exp_range"), or a function of the
user's. The momentum falls while the rate rises: the same, from max_momentum to base_momentum.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017. PyTorch's counterpart:
``torch.optim.lr_scheduler.CyclicLR``. Differs from PyTorch: a ``scale_mode`` that is unknown is refused.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from scratch.optim.lr_scheduler.cycled_momentum import CyclesMomentum
from scratch.optim.lr_scheduler.scheduler import attributes_of, check_each, check_optimizer, set_attributes
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_number


def triangle(epoch: int, *, total: float, share: float) -> tuple[float, int]:
    """Return the height within a cycle, and the cycle's number."""
    cycle = math.floor(1 + epoch / total)  # U1 ()
    done = 1.0 + epoch / total - cycle  # U2 ()
    height = done / share if done <= share else (done - 1) / (share - 1)  # U3 ()
    return height, cycle


def cyclic_lr(base: float, *, highest: float, height: float, scale: float) -> float:
    """Return the rate at a height."""
    rise = (highest - base) * height  # U1 ()
    lr_next = base + rise * scale  # U2 ()
    return lr_next


class CyclicLR(CyclesMomentum):
    """Raise the learning rates and lower them again, in cycles.

    `step` is called after each batch. A state dict has the attributes of a ``scale_fn`` that is an object with
    ``__call__``, and None for a function.

    Parameters
    ----------
    optimizer, last_epoch
        Those of every scheduler: see `LRScheduler`.
    base_lr, max_lr : float or list of float
        The lowest and the highest learning rates, one for all groups or one for each.
    step_size_up, step_size_down : int
        How many steps of a cycle go upwards, and downwards; as many if ``step_size_down`` is None.
    mode : {"triangular", "triangular2", "exp_range"}
        Whether the cycles are all as high; or each half as high as the one before; or scaled by gamma^epoch.
    gamma : float
        The base of "exp_range".
    scale_fn : callable, optional
        A scale of the user's, in place of ``mode``.
    scale_mode : {"cycle", "iterations"}
        What ``scale_fn`` is a function of: the number of the cycle, from 1, or that of the step, from 0.
    cycle_momentum : bool
        Whether the momentum falls where the learning rate rises.
    base_momentum, max_momentum : float or list of float
        Its lowest and its highest value.

    Raises
    ------
    ValueError
        If a mode is unknown, a size is not above 0, or the optimizer has no momentum to cycle.

    Examples
    --------
    >>> import numpy as np, scratch.nn as nn, scratch.optim as optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=1.0, momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=1.0, max_lr=3.0, step_size_up=2, mode="triangular2")
    >>> for step in range(8):
    ...     print(*scheduler.get_last_lr(), round(optimizer.param_groups[0]["momentum"], 3))
    ...     optimizer.step()
    ...     scheduler.step()
    1.0 0.9
    2.0 0.85
    3.0 0.8
    2.0 0.85
    1.0 0.9
    1.5 0.875
    2.0 0.85
    1.5 0.875
    """

    option_names = (
        *("max_lrs", "total_size", "step_ratio", "mode", "gamma", "_scale_fn_custom", "scale_mode"),
        *("cycle_momentum", "use_beta1", "base_momentums", "max_momentums"),
    )
    momentum_names = "use_beta1", "base_momentums", "max_momentums"

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        groups = check_optimizer(self, optimizer).param_groups
        base_lrs = self._numbers("base_lr", base_lr, len(groups))
        self.max_lrs = self._numbers("max_lr", max_lr, len(groups))
        up = self._size("step_size_up", step_size_up)
        down = up if step_size_down is None else self._size("step_size_down", step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        self.mode, self.gamma = mode, check_number(self, "gamma", gamma, at_least=None)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(f"CyclicLR: expected mode to be triangular, triangular2 or exp_range, got {mode!r}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR: expected scale_mode to be cycle or iterations, got {scale_mode!r}")
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.choose_momentum(optimizer, cycle_momentum)
        self.base_momentums = self._numbers("base_momentum", base_momentum, len(groups))
        self.max_momentums = self._numbers("max_momentum", max_momentum, len(groups))
        if last_epoch == -1:
            for place, group in enumerate(groups):
                group["lr"] = base_lrs[place]
                if self.cycle_momentum:
                    group["max_momentum"], group["base_momentum"] = (
                        self.max_momentums[place],
                        self.base_momentums[place],
                    )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _numbers(self, name: str, value: Any, count: int) -> list[float]:
        return [check_number(self, name, one, at_least=None) for one in check_each(self, name, value, count)]

    def _size(self, name: str, value: Any) -> float:
        if not check_number(self, name, value) > 0:
            raise ValueError(f"CyclicLR: expected {name} of more than 0, got {value}")
        return float(value)

    def scale_fn(self, x: int) -> float:
        """Return the scale of a cycle, or of a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return self.gamma**x
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1)

    def get_lr(self) -> list[float]:
        """Return the learning rates of all groups at `last_epoch`, and set the momenta."""
        height, cycle = triangle(self.last_epoch, total=self.total_size, share=self.step_ratio)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self.set_momentum(group, cyclic_lr(high, highest=low, height=height, scale=scale))
        both = zip(self.base_lrs, self.max_lrs, strict=True)
        return [cyclic_lr(base, highest=highest, height=height, scale=scale) for base, highest in both]

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the attributes of a ``scale_fn`` that is not a function."""
        return super().state_dict() | {"_scale_fn_custom": attributes_of(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state, and set the attributes of a ``scale_fn`` that is not a function."""
        scale, held = self._scale_fn_custom, self.check_state(state_dict)["_scale_fn_custom"]
        super().load_state_dict({**state_dict, "_scale_fn_custom": scale})
        set_attributes(scale, held)
