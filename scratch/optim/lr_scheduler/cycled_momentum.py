"""What CyclicLR and OneCycleLR have in common: the momentum falls while the learning rate rises, and the reverse.

The momentum is the option of that name, or beta1 in an optimizer with betas, such as Adam. Both make the steps longer,
so one makes room for the other.

Source: Smith, "A Disciplined Approach to Neural Network Hyper-Parameters: Part 1", 2018.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from scratch.checks import name_of
from scratch.optim.lr_scheduler.scheduler import LRScheduler
from scratch.optim.optimizer import Optimizer
from scratch.optim.options import check_bool


class CyclesMomentum(LRScheduler):
    """Base of the schedulers that may also set the momentum.

    Attributes
    ----------
    momentum_names : tuple of str
        The entries of a state dict that PyTorch leaves out if the momentum does not change.
    """

    momentum_names: ClassVar[tuple[str, ...]] = ("use_beta1",)

    def choose_momentum(self, optimizer: Optimizer, cycle_momentum: bool) -> None:
        """Note whether the momentum changes, and which option it is, or raise if the optimizer has none."""
        self.cycle_momentum = check_bool(self, "cycle_momentum", cycle_momentum)
        self.use_beta1 = "betas" in optimizer.defaults
        if self.cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise ValueError(
                f"{name_of(self)}: {name_of(optimizer)} has neither momentum nor betas; pass cycle_momentum=False"
            )

    def set_momentum(self, group: dict, momentum: float) -> None:
        """Write the momentum into a group."""
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def check_state(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries to load; those of the momentum may be missing."""
        if isinstance(state_dict, Mapping):
            state_dict = {**{name: getattr(self, name) for name in self.momentum_names}, **state_dict}
        return super().check_state(state_dict)
