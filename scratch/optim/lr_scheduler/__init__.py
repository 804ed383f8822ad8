"""Learning-rate schedulers, mirroring ``torch.optim.lr_scheduler``: each a rule for the next learning rate.

A scheduler sets ``group["lr"]`` of each parameter group, in most cases once an epoch:

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(100):
        ...                 # optimizer.step() for each batch
        scheduler.step()
"""

from scratch.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from scratch.optim.lr_scheduler.cyclic import CyclicLR
from scratch.optim.lr_scheduler.decay import ExponentialLR, MultiStepLR, StepLR
from scratch.optim.lr_scheduler.factors import ConstantLR, LambdaLR, LinearLR, PolynomialLR
from scratch.optim.lr_scheduler.one_cycle import OneCycleLR
from scratch.optim.lr_scheduler.plateau import ReduceLROnPlateau
from scratch.optim.lr_scheduler.scheduler import LRScheduler
from scratch.optim.lr_scheduler.sequential import ChainedScheduler, SequentialLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
