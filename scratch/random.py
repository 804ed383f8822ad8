"""Placeholder docstring: written by the author of the generator."""

import numpy as np

_rng = np.random.default_rng(0)


def manual_seed(seed: int) -> None:
    global _rng
    _rng = np.random.default_rng(seed)


def uniform_(array, a=0.0, b=1.0, generator=None):
    array[...] = _rng.uniform(a, b, array.shape)
    return array


def bernoulli_(array, p=0.5, generator=None):
    array[...] = _rng.random(array.shape) < p
    return array


def randperm(n, generator=None):
    return _rng.permutation(n)
