"""Layers and losses, mirroring ``torch.nn``: one topic a file, each file a derivation and the code that follows it."""

from scratch.nn import init
from scratch.nn.container import Sequential
from scratch.nn.dropout import Dropout
from scratch.nn.flatten import Flatten
from scratch.nn.gelu import GELU
from scratch.nn.linear import Identity, Linear
from scratch.nn.module import Module, Parameter
from scratch.nn.relu import ELU, LeakyReLU, ReLU
from scratch.nn.sigmoid import Sigmoid, SiLU, Softplus, Tanh
from scratch.nn.softmax import LogSoftmax, Softmax

__all__ = [
    "ELU",
    "GELU",
    "Dropout",
    "Flatten",
    "Identity",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "init",
]
