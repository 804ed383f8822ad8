"""The random generator: PyTorch's own, under the names of ``scratch.random``."""

import torch
from torch import Generator, initial_seed, manual_seed, randperm

__all__ = ["Generator", "get_state", "initial_seed", "manual_seed", "randperm", "set_state"]


def get_state() -> torch.Tensor:
    """Return the state of the CPU generator."""
    return torch.get_rng_state()


def set_state(state: torch.Tensor) -> None:
    """Restore the state of the CPU generator."""
    torch.set_rng_state(state)
