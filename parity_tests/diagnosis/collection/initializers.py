"""Initializers."""

import numpy as np


def xavier_normal(fan_in, fan_out, seed=0):
    std = np.sqrt(2.0 / (fan_in + fan_out))
    return np.random.default_rng(seed).normal(0, std, size=(fan_in, fan_out))


def kaiming_uniform(fan_in, fan_out, seed=0):
    bound = np.sqrt(6.0 / fan_in)
    return np.random.default_rng(seed).uniform(-bound, bound, size=(fan_in, fan_out))
