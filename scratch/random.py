r"""The random generator: PyTorch's CPU generator, number for number, so that one seed gives one run in both engines.

**The words.** Everything starts from the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998): 624 words of 32 bits
that a fixed rule stirs, handing out one word at a time. The seed fills the first of the 624 (so only its low 32 bits
count), a recurrence fills the rest; then the sequence is decided for ever. NumPy has the same twister, and supplies
the words. All the rest is how a draw spends them.

**A word becomes a uniform number in [0, 1).** A float32 has 24 significant bits: every multiple of 2^-24 in [0, 1) is a
float32, so 24 bits of a word, as an integer k, give k 2^-24 exactly, each value equally likely. With all 32 bits the
result would have to be rounded, and the words next to 2^32 would round up to 1.0, which is not in [0, 1). A float64 has
53 significant bits: two words make 64 bits (the first is the high half), of which the low 53 are kept: k 2^-53.

**Scaling to [a, b)** is u (b - a) + a, rounded once: PyTorch's compiled code multiplies and adds in one instruction (a
fused multiply-add). See `_multiply_add`.

**A permutation** is a Fisher-Yates shuffle: at place i, pick one of the n - i items that are still unplaced, place i
itself included, and swap it in. Each of the n! orders comes from exactly one list of picks. A pick is word mod (n - i);
the remainder favours small values by at most (n - i) 2^-32.

**A Bernoulli draw** of probability p is 1 where a float64 uniform is below p.

**A normal number** comes from Box and Muller (1958): if u1 and u2 are uniform, the point at the angle 2 pi u1 and the
distance sqrt(-2 ln(1 - u2)) from the origin has two independent standard normal coordinates. (The squared distance of a
2-D normal point from the origin is exponentially distributed and says nothing about the angle; 1 - u2 because ln 0 is
-inf and u2 can be 0 but never 1.) Each pair of uniforms makes a pair of normals; PyTorch spends them in two ways:

- singly, with fewer than 16 elements or a layout other than C order: float64 throughout; the sine half of a pair is
  kept in the generator for the next single draw;
- in blocks, with 16 or more: the array is filled with uniforms of its own dtype; in each block of 16, number j gives
  the distance and number j + 8 the angle; they become r cos and r sin in the same two places. If the size is not
  a multiple of 16, the last 16 places are drawn and transformed afresh.

Logarithm, sine and cosine may differ in their last bits between mathematical libraries; PyTorch's float32 blocks use
a fast approximation of them on x86 processors. Blocks of normals therefore agree with PyTorch's within a bound, which
parity_tests/test_random.py states; everything else agrees bit for bit.

Numbers go into an array in the order of its memory, so a channels-last image batch is filled channel after channel.

PyTorch's counterpart: ``torch.Generator`` and the in-place draws of ``torch.Tensor``. Left out: devices, half
precision, tensors of probabilities. Differs from PyTorch: `manual_seed` refuses a float, which PyTorch truncates.
"""

import math
import operator
from collections.abc import Mapping, Sequence

import numpy as np

WORD = 0xFFFFFFFF
STATE_WORDS = 624
DEFAULT_SEED = 67280421310721  # PyTorch's, for a generator that nobody has seeded


class Generator:
    """A source of random words, with its state.

    Parameters
    ----------
    seed : int
        As `manual_seed` takes it.

    Examples
    --------
    >>> generator = Generator(0)
    >>> rand(2, generator=generator)
    array([0.4962566, 0.7682218], dtype=float32)
    >>> randperm(5, generator=generator.manual_seed(0))
    array([4, 1, 2, 0, 3])
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
        self._twister = None  # made at the first draw: importing numpy.random takes longer than the rest of the engine
        self._next_normal: float | None = None
        return self

    def initial_seed(self) -> int:
        """Return the seed that the sequence was started from."""
        return self._seed

    def words(self, count: int) -> np.ndarray:
        """Return the next ``count`` 32-bit words, as uint64."""
        return self._started().random_raw(count)

    def _started(self) -> "np.random.MT19937":
        if self._twister is None:
            words = [self._seed & WORD]
            for i in range(1, STATE_WORDS):
                words.append((1812433253 * (words[-1] ^ (words[-1] >> 30)) + i) & WORD)
            self._twister = _twister(words, STATE_WORDS)
        return self._twister

    def get_state(self) -> dict[str, object]:
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
            "next_normal": self._next_normal,
        }

    def set_state(self, state: Mapping[str, object]) -> None:
        """Go on from where ``state``, a result of `get_state`, was taken.

        Raises
        ------
        TypeError
            If ``state`` is not a mapping.
        RuntimeError
            If it is not a generator's state. The generator is unchanged then.
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
        self._seed, self._twister, self._next_normal = seed, _twister(words, position), next_normal


def _twister(words: Sequence[int], position: int) -> "np.random.MT19937":
    twister = np.random.MT19937(0)
    inner = {"key": np.array(words, np.uint32), "pos": position}
    twister.state = {"bit_generator": "MT19937", "state": inner}
    return twister


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that draws use when they are given none; return it."""
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    """Return the seed of the default generator."""
    return default_generator.initial_seed()


def get_state() -> dict[str, object]:
    """Return the default generator's state; see `Generator.get_state`."""
    return default_generator.get_state()


def set_state(state: Mapping[str, object]) -> None:
    """Restore the default generator's state; see `Generator.set_state`."""
    default_generator.set_state(state)


# The draws. Everything is checked before the first word is taken.


def uniform_(array: np.ndarray, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> np.ndarray:
    """Fill ``array`` with numbers from [a, b), in place, and return it.

    Raises
    ------
    NotImplementedError
        If the array is not of float32 or float64.
    RuntimeError
        If not a <= b, or if a bound or b - a is not finite in the array's dtype.
    """
    _check_target("uniform_", array, floating=True)
    with np.errstate(over="ignore"):
        low, high = array.dtype.type(a), array.dtype.type(b)
        span = high - low
    if not low <= high or not np.isfinite(span):
        raise RuntimeError(f"uniform_: expected finite bounds with a <= b and a finite b - a, got a={a}, b={b}")
    numbers = _multiply_add(_uniform(array.size, array.dtype, generator), span, low)
    # Rounding can reach b, which the interval excludes.
    numbers[numbers == high] = low
    return _fill(array, numbers)


def bernoulli_(array: np.ndarray, p: float = 0.5, generator: Generator | None = None) -> np.ndarray:
    """Fill ``array`` with 1 (with probability ``p``) and 0, in place, and return it.

    Raises
    ------
    RuntimeError
        If ``p`` is outside [0, 1].
    """
    _check_target("bernoulli_", array, floating=False)
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_: expected p within [0, 1], got {p}")
    return _fill(array, _uniform(array.size, np.float64, generator) < p)


def normal_(array: np.ndarray, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> np.ndarray:
    """Fill ``array`` with normally distributed numbers, in place, and return it.

    Raises
    ------
    NotImplementedError
        If the array is not of float32 or float64.
    RuntimeError
        If ``std`` is negative or NaN.
    """
    _check_target("normal_", array, floating=True)
    if not std >= 0:
        raise RuntimeError(f"normal_: expected std of 0 or more, got {std}")
    in_blocks = array.size >= 16 and array.flags.c_contiguous
    numbers = (_normal_blocks if in_blocks else _normal_singly)(array.size, array.dtype, generator)
    return _fill(array, _multiply_add(numbers, numbers.dtype.type(std), numbers.dtype.type(mean)))


def rand(*size: int, dtype: type = np.float32, generator: Generator | None = None) -> np.ndarray:
    """Return an array of the shape ``size`` with numbers from [0, 1)."""
    return uniform_(_empty("rand", size, dtype), generator=generator)


def randn(*size: int, dtype: type = np.float32, generator: Generator | None = None) -> np.ndarray:
    """Return an array of the shape ``size`` with standard normal numbers."""
    return normal_(_empty("randn", size, dtype), generator=generator)


def randint(low: int, high: int, size: Sequence[int], generator: Generator | None = None) -> np.ndarray:
    """Return an int64 array of the shape ``size`` with integers from [low, high).

    Raises
    ------
    RuntimeError
        If not low < high, or if a size is negative.
    """
    low, high = operator.index(low), operator.index(high)
    if not -(2**63) <= low < high < 2**63:
        raise RuntimeError(f"randint: expected 64-bit integers with low < high, got low={low}, high={high}")
    array = _empty("randint", size, np.int64)
    # The remainder of one word would favour small values visibly in a wide range; two words keep the bias below 2^-36.
    wide = high - low >= 2**28
    words = (_double_words if wide else Generator.words)(generator or default_generator, array.size)
    return _fill(array, (words % np.uint64(high - low)).astype(np.int64) + low)


def randperm(n: int, generator: Generator | None = None) -> np.ndarray:
    """Return the integers 0..n-1 in random order, as int64.

    Raises
    ------
    RuntimeError
        If ``n`` is negative.
    """
    order = _empty("randperm", (n,), np.int64)
    places = np.arange(max(n - 1, 0))  # the last item has no choice left
    words = (generator or default_generator).words(places.size)
    picks = places + (words % (n - places).astype(np.uint64)).astype(np.int64)
    items = list(range(n))  # a list: swapping single items of an array is ten times slower
    for place, pick in enumerate(picks.tolist()):
        items[place], items[pick] = items[pick], items[place]
    order[...] = items
    return order


# From words to numbers.


def _double_words(generator: Generator, count: int) -> np.ndarray:
    pairs = generator.words(2 * count).reshape(count, 2)
    return pairs[:, 0] << np.uint64(32) | pairs[:, 1]


def _uniform(count: int, dtype: type, generator: Generator | None) -> np.ndarray:
    generator = generator or default_generator
    if dtype == np.float32:
        return ((generator.words(count) & np.uint64(2**24 - 1)) * 2.0**-24).astype(np.float32)
    return (_double_words(generator, count) & np.uint64(2**53 - 1)) * 2.0**-53


def _multiply_add(x: np.ndarray, scale: np.floating, shift: np.floating) -> np.ndarray:
    """Return x * scale + shift, rounded once to x's dtype."""
    if x.dtype == np.float32:
        # The product of two 24-bit numbers fits in the 53 bits of a float64, and so, but for extreme bounds, the sum.
        return (x.astype(np.float64) * np.float64(scale) + np.float64(shift)).astype(np.float32)
    # There is no wider type to compute in, but the rounding error of a product and that of a sum are float64 numbers
    # themselves, and can be computed exactly (Dekker, 1971; Knuth, The Art of Computer Programming 2, 4.2.2).
    unit = np.ldexp(1.0, max(np.frexp(scale)[1], np.frexp(shift)[1]))  # keeps _halves from overflowing
    scale, shift = scale / unit, shift / unit
    product = x * scale
    (x_high, x_low), (scale_high, scale_low) = _halves(x), _halves(scale)
    product_error = (x_high * scale_high - product + x_high * scale_low + x_low * scale_high) + x_low * scale_low
    total = product + shift
    shift_used = total - product
    total_error = (product - (total - shift_used)) + (shift - shift_used)
    return (total + (total_error + product_error)) * unit


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split float64 numbers into two of at most 26 significant bits, whose products are exact."""
    spread = x * (2.0**27 + 1)
    high = spread - (spread - x)
    return high, x - high


def _normal_singly(count: int, dtype: type, generator: Generator | None) -> np.ndarray:
    generator = generator or default_generator
    numbers = []
    if count and generator._next_normal is not None:
        numbers, generator._next_normal = [generator._next_normal], None
    pairs = (count - len(numbers) + 1) // 2
    for u1, u2 in _uniform(2 * pairs, np.float64, generator).reshape(pairs, 2).tolist():
        radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    if len(numbers) > count:
        generator._next_normal = numbers.pop()
    return np.array(numbers)


def _normal_blocks(count: int, dtype: type, generator: Generator | None) -> np.ndarray:
    numbers = _box_muller(_uniform(count, dtype, generator))
    if count % 16:
        numbers[-16:] = _box_muller(_uniform(16, dtype, generator))
    return numbers


def _box_muller(uniforms: np.ndarray) -> np.ndarray:
    numbers = uniforms.copy()
    blocks = numbers[: numbers.size // 16 * 16].reshape(-1, 2, 8)
    u1, u2 = 1 - blocks[:, 0], blocks[:, 1]
    radius = np.sqrt(-2 * np.log(u1))
    angle = u1.dtype.type(2 * math.pi) * u2
    blocks[:, 0], blocks[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
    return numbers


# Arrays.


def _check_target(draw: str, array: np.ndarray, floating: bool) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{draw}: expected a numpy.ndarray, got {type(array).__name__}")
    if array.dtype not in (np.float32, np.float64) and (floating or array.dtype.kind not in "biuf"):
        raise NotImplementedError(f"{draw}: not defined for dtype {array.dtype}")
    if not array.flags.writeable:
        raise ValueError(f"{draw}: expected an array that can be written to, got a read-only one")


def _empty(draw: str, size: Sequence[int], dtype: type) -> np.ndarray:
    size = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
    sides = [operator.index(side) for side in size]
    if any(side < 0 for side in sides):
        raise RuntimeError(f"{draw}: expected sizes of 0 or more, got {tuple(sides)}")
    return np.empty(sides, dtype)


def _fill(array: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Write ``numbers`` into ``array`` in the order of its memory."""
    in_memory_order = array.transpose(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))
    in_memory_order[...] = numbers.reshape(in_memory_order.shape)
    return array
