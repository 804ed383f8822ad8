"""Layers and losses, mirroring ``torch.nn``: one topic a file, each file a derivation and the code that follows it."""

from scratch.nn import init, utils
from scratch.nn.avg_pooling import AdaptiveAvgPool2d, AvgPool2d
from scratch.nn.batchnorm import BatchNorm1d, BatchNorm2d
from scratch.nn.binary_cross_entropy import BCELoss, BCEWithLogitsLoss
from scratch.nn.container import Sequential
from scratch.nn.conv import Conv2d
from scratch.nn.cross_entropy import CrossEntropyLoss
from scratch.nn.dropout import Dropout, Dropout2d
from scratch.nn.embedding import Embedding
from scratch.nn.flatten import Flatten, Unflatten
from scratch.nn.gelu import GELU
from scratch.nn.glu import GLU
from scratch.nn.instancenorm import InstanceNorm2d
from scratch.nn.linear import Identity, Linear
from scratch.nn.loss import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from scratch.nn.max_pooling import MaxPool2d
from scratch.nn.module import Module
from scratch.nn.module_dict import ModuleDict
from scratch.nn.module_list import ModuleList, ParameterList
from scratch.nn.nll import NLLLoss
from scratch.nn.normalization import GroupNorm, LayerNorm
from scratch.nn.parameter import Parameter
from scratch.nn.relu import ELU, LeakyReLU, ReLU
from scratch.nn.reused import Reused
from scratch.nn.rmsnorm import RMSNorm
from scratch.nn.sigmoid import Sigmoid, SiLU, Softplus, Tanh
from scratch.nn.softmax import LogSoftmax, Softmax

__all__ = [
    "ELU",
    "GELU",
    "GLU",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HuberLoss",
    "Identity",
    "InstanceNorm2d",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ParameterList",
    "RMSNorm",
    "ReLU",
    "Reused",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "Unflatten",
    "init",
    "utils",
]
