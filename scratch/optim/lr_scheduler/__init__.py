"""Learning-rate schedulers, mirroring ``torch.optim.lr_scheduler``: each a rule for the next learning rate.

A scheduler sets ``group["lr"]`` of each parameter group, in most cases once an epoch:

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30)
    for epoch in range(100):
        ...                 # optimizer.step() for each batch
        scheduler.step()
"""

from scratch.optim.lr_scheduler.annealing import CosineAnnealingLR, OneCycleLR
from scratch.optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, CyclicLR
from scratch.optim.lr_scheduler.decay import ExponentialLR, LambdaLR, LinearLR, MultiStepLR, StepLR
from scratch.optim.lr_scheduler.factors import ConstantLR, PolynomialLR
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
