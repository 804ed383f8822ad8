"""Optimizers and learning-rate schedulers, mirroring ``torch.optim``: each the algorithm of its paper."""

from scratch.optim import lr_scheduler
from scratch.optim.adadelta import Adadelta
from scratch.optim.adagrad import Adagrad
from scratch.optim.adam import Adam
from scratch.optim.adamw import AdamW
from scratch.optim.nadam import NAdam
from scratch.optim.optimizer import Optimizer
from scratch.optim.radam import RAdam
from scratch.optim.rmsprop import RMSprop
from scratch.optim.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "NAdam", "Optimizer", "RAdam", "RMSprop", "lr_scheduler"]
