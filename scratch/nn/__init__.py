"""Layers and losses, mirroring ``torch.nn``: one topic a file, each file a derivation and the code that follows it."""

from scratch.nn import init
from scratch.nn.container import Sequential
from scratch.nn.flatten import Flatten
from scratch.nn.linear import Identity, Linear
from scratch.nn.module import Module, Parameter

__all__ = ["Flatten", "Identity", "Linear", "Module", "Parameter", "Sequential", "init"]
