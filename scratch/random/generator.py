"""The words that every random number is made of: the Mersenne Twister, and its state.

MT19937 (Matsumoto and Nishimura, "Mersenne Twister", 1998) keeps 624 words of 32 bits. A fixed rule stirs them, and
hands out one word at a time. The seed is the first of the 624, so that only its low 32 bits count; a recurrence fills
the rest,

    w_0 = seed,   w_i = 1812433253 (w_(i-1) xor (w_(i-1) >> 30)) + i   mod 2^32

and that determines the whole sequence. NumPy has the same twister, and does the stirring.

PyTorch's counterpart: ``torch.Generator``. Left out: devices, ``seed()``. Differs from PyTorch: `Generator` takes the
seed, ``manual_seed`` refuses a float (PyTorch truncates it), and the state is made of plain values.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WORD = 0xFFFFFFFF
STATE_WORDS = 624
DEFAULT_SEED = 67280421310721  # PyTorch's, for a generator that was never seeded


class Generator:
    """A source of random words, with its state.

    Parameters
    ----------
    seed : int
        As `manual_seed` takes it.

    Examples
    --------
    >>> generator = Generator(0)
    >>> generator.words(3)
    array([2357136044, 2546248239, 3071714933], dtype=uint64)
    >>> state = generator.get_state()
    >>> first = generator.words(2)
    >>> generator.set_state(state)
    >>> bool((generator.words(2) == first).all())
    True
    """

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> "Generator":
        """Start the sequence that belongs to ``seed``; return the generator.

        Raises
        ------
        TypeError
            If ``seed`` is not an integer.
        ValueError
            If it is outside [-2**63, 2**64 - 1]; a negative one counts as ``seed + 2**64``, as in PyTorch.
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed: expected an integer, got {seed!r}") from None
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed: expected a seed within [-2**63, 2**64 - 1], got {seed}")
        self._seed = seed % 2**64
        self._twister: np.random.MT19937 | None = (
            None  # made at the first draw: importing numpy.random takes longer than the rest of the engine
        )
        self.next_normal: float | None = None
        return self

    def initial_seed(self) -> int:
        """Return the seed that the sequence was started from."""
        return self._seed

    def words(self, count: int) -> np.ndarray:
        """Return the next ``count`` 32-bit words, as uint64."""
        return self._started().random_raw(count)

    def double_words(self, count: int) -> np.ndarray:
        """Return the next ``count`` pairs of words as uint64, the first of each pair in the upper half."""
        # RandomState, which NumPy has promised never to change, reads exactly this for the full range of 64 bits.
        return np.random.RandomState(self._started()).randint(0, 1 << 64, count, dtype=np.uint64)

    def _started(self) -> "np.random.MT19937":
        if self._twister is None:
            self._twister = _twister(_first_words(self._seed & WORD), STATE_WORDS)
        return self._twister

    def get_state(self) -> dict[str, Any]:
        """Return the state as plain values, fit for JSON.

        Returns
        -------
        dict
            ``seed``: what `initial_seed` returns; ``words``: the 624 words; ``position``: how many of them have been
            handed out; ``next_normal``: the normal number that a single draw left over, or None.
        """
        inner = self._started().state["state"]
        return {
            "seed": self._seed,
            "words": inner["key"].tolist(),
            "position": int(inner["pos"]),
            "next_normal": self.next_normal,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from where ``state``, a result of `get_state`, was taken.

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
            seed, position = operator.index(state["seed"]), operator.index(state["position"])
            words = [operator.index(word) for word in state["words"]]
            next_normal = None if state["next_normal"] is None else float(state["next_normal"])
        except (KeyError, TypeError, ValueError) as error:
            raise RuntimeError(f"set_state: this is not a generator's state: {error!r}") from None
        if len(words) != STATE_WORDS or not all(0 <= word <= WORD for word in words):
            raise RuntimeError(f"set_state: expected {STATE_WORDS} words of 32 bits, got {len(words)} numbers")
        if not 0 <= position <= STATE_WORDS or not 0 <= seed < 2**64:
            raise RuntimeError(f"set_state: position {position} or seed {seed} is out of range")
        self._seed, self._twister, self.next_normal = seed, _twister(words, position), next_normal


@functools.lru_cache(maxsize=8)  # checks start from the same seed over and over
def _first_words(seed: int) -> tuple[int, ...]:
    words = [seed]
    for i in range(1, STATE_WORDS):
        words.append((1812433253 * (words[-1] ^ (words[-1] >> 30)) + i) & WORD)
    return tuple(words)


def _twister(words: Sequence[int], position: int) -> "np.random.MT19937":
    twister = np.random.MT19937(0)
    inner: Any = {"key": np.array(words, np.uint32), "pos": position}
    twister.state = {"bit_generator": "MT19937", "state": inner}
    return twister
