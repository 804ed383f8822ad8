"""Placeholder: written by the author of the generator."""

import math

from scratch import random
from scratch.nn.module import Parameter


def uniform_(parameter: Parameter, a: float = 0.0, b: float = 1.0) -> Parameter:
    random.uniform_(parameter.data, a, b)
    return parameter


def kaiming_uniform_(parameter: Parameter, a: float = 0.0) -> Parameter:
    shape = parameter.shape
    fan_in = math.prod(shape[1:])
    bound = math.sqrt(3.0) * math.sqrt(2.0 / (1 + a * a)) / math.sqrt(fan_in) if fan_in else 0.0
    return uniform_(parameter, -bound, bound)


def ones_(parameter: Parameter) -> Parameter:
    parameter.data[...] = 1
    return parameter


def zeros_(parameter: Parameter) -> Parameter:
    parameter.data[...] = 0
    return parameter
