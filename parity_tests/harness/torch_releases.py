"""Where PyTorch's releases since 2.11 differ in what the tests compare, found by trying the one that is installed.

The layers follow the newest release. Under an older one a test skips what that release does differently or cannot do,
and compares the rest.
"""

import inspect

import torch


def _slope_at_the_bound() -> float:
    x = torch.zeros((), requires_grad=True)
    torch.clamp_min(x, 0).backward()
    return x.grad.item()


# Hinge, ranking, triplet and cosine losses clamp the shortfall from the margin at 0. Before 2.14 the slope at the kink
# is 1.
NO_SLOPE_AT_THE_MARGIN = _slope_at_the_bound() == 0

# Batch, group and instance normalization got the option in the same release; LayerNorm has had it for longer.
NORMALIZATION_HAS_BIAS = "bias" in inspect.signature(torch.nn.BatchNorm1d).parameters


def a_first_schedule_may_be_empty() -> bool:
    """Return whether SequentialLR with a milestone at 0 leaves out its first schedule; older releases start with it.

    It is a function, since the first optimizer of a process makes PyTorch import its compiler, which takes seconds.
    """
    optimizer, schedules = torch.optim.SGD([torch.zeros(1)], lr=1.0), torch.optim.lr_scheduler
    parts = [schedules.ConstantLR(optimizer, factor=0.5), schedules.ConstantLR(optimizer, factor=1.0)]
    return schedules.SequentialLR(optimizer, parts, milestones=[0]).get_last_lr()[0] == 1


def _truncated(of: str) -> list[float]:
    torch.manual_seed(0)
    if of == "normal":
        return torch.randn(20).tolist()
    return torch.nn.init.trunc_normal_(torch.empty(20), a=-9, b=9).tolist()


# trunc_normal_ draws normal numbers until all are within the bounds. Before 2.14 it maps uniform ones.
TRUNCATES_BY_REJECTION = _truncated("normal") == _truncated("trunc_normal_")
