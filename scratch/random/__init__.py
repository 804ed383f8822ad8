"""PyTorch's CPU generator, bit for bit, so that one seed gives one run in both engines.

The rules are in `scratch.random.draws`, the words that they spend in `scratch.random.generator`.
"""

from scratch.random.draws import (
    Conventions,
    bernoulli_,
    default_generator,
    get_state,
    initial_seed,
    manual_seed,
    normal_,
    rand,
    randint,
    randn,
    randperm,
    set_conventions,
    set_state,
    uniform_,
)
from scratch.random.generator import Generator

__all__ = [
    "Conventions",
    "Generator",
    "bernoulli_",
    "default_generator",
    "get_state",
    "initial_seed",
    "manual_seed",
    "normal_",
    "rand",
    "randint",
    "randn",
    "randperm",
    "set_conventions",
    "set_state",
    "uniform_",
]
