"""The random generator: PyTorch's own, under the names of ``scratch.random``.

A state is read as the same plain values that ``scratch`` gives, so that a run saved by one engine can go on in the
other.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, initial_seed, manual_seed, randperm

__all__ = [
    "Generator",
    "conventions",
    "get_device_state",
    "get_state",
    "initial_seed",
    "manual_seed",
    "randperm",
    "set_device_state",
    "set_state",
]

# The bytes of torch.get_rng_state(): seed, words left before the next stirring, whether seeded, place of the next word,
# the 624 words, three floats of which the second is a normal number left over, whether it is, and the same in float32.
LAYOUT = struct.Struct("<QiiQ624Q3di4xf4x")
STATE_WORDS = 624


def conventions() -> dict[str, object]:
    """Return what this build of PyTorch does where versions differ: the fields of ``scratch.random.Conventions``."""
    return {
        "bernoulli": "words" if _words_spent(torch.empty(8).bernoulli_) == 16 else "mcg31",
        "two_words_from": 2**28 if _words_spent(torch.empty(1, dtype=torch.int64).random_, 0, 2**28) == 2 else 2**32,
        # float32 has no number between these bounds: what is drawn above the middle rounds to the upper one.
        "draws_upper_bound": bool((torch.empty(64).uniform_(1, 1 + 2**-23, generator=_seeded()) > 1).any()),
    }


def _seeded() -> Generator:
    return Generator().manual_seed(0)


def _words_spent(draw: Callable, *arguments: object) -> int:
    generator = _seeded()
    draw(*arguments, generator=generator)
    _, left, *_ = LAYOUT.unpack(bytes(generator.get_state().tolist()))
    return STATE_WORDS + 1 - left


def get_state() -> dict[str, object]:
    """Return the state of the CPU generator as plain values: seed, words, position, next_normal."""
    seed, left, _, _, *rest = LAYOUT.unpack(bytes(torch.get_rng_state().tolist()))
    words, (_, normal, _, has_normal, _) = rest[:STATE_WORDS], rest[STATE_WORDS:]
    return {
        "seed": seed,
        "words": words,
        "position": STATE_WORDS + 1 - left,
        "next_normal": normal if has_normal else None,
    }


def set_state(state: Mapping[str, Any]) -> None:
    """Restore the state of the CPU generator.

    Raises
    ------
    TypeError
        If ``state`` is not a mapping.
    RuntimeError
        If it is not a generator's state. Then the generator is unchanged.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"set_state: expected what get_state returns, got {type(state).__name__}")
    try:
        words, position, normal = list(state["words"]), state["position"], state["next_normal"]
        if len(words) != STATE_WORDS or not all(0 <= word < 2**32 for word in words):
            raise ValueError(f"expected {STATE_WORDS} words of 32 bits")
        if not 0 <= position <= STATE_WORDS:
            raise ValueError(f"position {position} is out of range")
        has_normal = normal is not None
        numbers = (0.0, normal if has_normal else 0.0, 0.0, has_normal, 0.0)
        packed = LAYOUT.pack(state["seed"], STATE_WORDS + 1 - position, 1, position, *words, *numbers)
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise RuntimeError(f"set_state: this is not a generator's state: {error!r}") from None
    torch.set_rng_state(torch.frombuffer(bytearray(packed), dtype=torch.uint8))


def get_device_state(device: str | torch.device) -> torch.Tensor | None:
    """Return the bytes of the state of an accelerator's own generator; None for the CPU, whose state is `get_state`'s.

    On an accelerator the CPU generator draws the orders and the initial weights, and this one the dropout masks.
    """
    kind = torch.device(device).type
    if kind == "cpu":
        return None
    return torch.mps.get_rng_state() if kind == "mps" else torch.get_device_module(device).get_rng_state(device)


def set_device_state(device: str | torch.device, state: torch.Tensor) -> None:
    """Restore what `get_device_state` returned.

    Raises
    ------
    RuntimeError
        If it is not a state of this kind of generator.
    """
    if torch.device(device).type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)
