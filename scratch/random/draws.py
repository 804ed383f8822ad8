r"""The random draws: PyTorch's CPU generator, number for number, so that one seed gives one run in both engines.

**Words.** Everything is made of random 32-bit words, which `Generator` supplies. A draw is a rule for spending them.

**A word becomes a uniform number in [0, 1).** A float32 has 24 significant bits: every multiple of 2^-24 in [0, 1) is a
float32, so 24 bits of a word, read as an integer k, give k 2^-24 exactly, each as likely as any other. With all 32 bits
the quotient would have to be rounded, and words close to 2^32 would round up to 1.0, which is not in [0, 1). A float64
has 53 significant bits: two words make 64 bits (the first is the high half), of which the low 53 are k: k 2^-53.

**Scaling to [a, b)** is u (b - a) + a, rounded once (``scratch/random/torch_rounding.py``).

**A permutation** is a Fisher-Yates shuffle: at place i, pick one of the n - i items not placed yet (the one at i is
among them) and swap it in. Each of the n! orders comes from exactly one list of picks. A pick is word mod (n - i); the
remainder favours small values, by at most (n - i) 2^-32 of their probability.

**A Bernoulli draw** of probability p is 1 where a float64 uniform is below p.

**A normal number** comes from a point in the plane (Box and Muller, 1958). If its two coordinates are independent and
standard normal, its direction is uniform, and half its squared distance from the origin is exponentially distributed,
which is how -ln(1 - u) of a uniform u is distributed too. The other way round, the angle 2 pi u1 and the distance
sqrt(-2 ln(1 - u2)) make two normal numbers, distance cos(angle) and distance sin(angle), of two uniforms. (1 - u2,
since u2 can be 0, whose logarithm is -inf, but never 1.) PyTorch does so in two ways, and so does this file:

- singly, if there are fewer than 16 elements or the layout is not C order: all in float64, angle from the first
  uniform, distance from the second; the generator keeps the sine for the next single draw;
- in blocks of 16, otherwise: the array is filled with uniforms of its own dtype, and in each block number j gives the
  distance, number j + 8 the angle, and both are replaced by the two normals. If the size is no multiple of 16, the last
  16 places are drawn and transformed afresh.

Numbers go into an array in its memory order: a channels-last image batch gets all channels of its first pixel first.
Everything agrees with PyTorch bit for bit, except that blocks of float32 normals do so only on x86 processors, and
elsewhere within a bound that the test states. This is true of PyTorch 2.15; 2.6 differs in three places, which
`set_conventions` selects.

PyTorch's counterpart: the functions of ``torch`` and in-place methods of ``torch.Tensor`` of these names. Left out:
devices, half precision, a tensor of probabilities.
"""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratch.checks import DType
from scratch.random import mkl_stream as mcg31
from scratch.random.generator import Generator
from scratch.random.torch_rounding import log, multiply_add, sin_cos

CHUNK = 16384  # numbers at a time, so that a chunk's arrays stay in the processor's cache


class Conventions(NamedTuple):
    """Where versions of PyTorch differ: the defaults are 2.15's. ``torch_ref.random.conventions()`` detects them.

    Attributes
    ----------
    bernoulli : str
        Where `bernoulli_` takes its numbers from. "words": a float64 uniform for each; "mcg31": the stream of
        `scratch.random.mkl_stream`, as in builds with Intel's library, such as 2.6.
    two_words_from : int
        How wide a range has to be for `randint` to spend two words on a number; 2.6: 2**32.
    draws_upper_bound : bool
        Whether `uniform_` leaves b if rounding reaches it; 2.6: True. Otherwise that number becomes a: b is excluded.
    """

    bernoulli: str = "words"
    two_words_from: int = 2**28
    draws_upper_bound: bool = False


default_generator = Generator()
_conventions = Conventions()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that draws use when they are given none; return it."""
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    """Return the seed of the default generator."""
    return default_generator.initial_seed()


def get_state() -> dict[str, Any]:
    """Return the default generator's state; see `Generator.get_state`."""
    return default_generator.get_state()


def set_state(state: Mapping[str, Any]) -> None:
    """Restore the default generator's state; see `Generator.set_state`."""
    default_generator.set_state(state)


def set_conventions(conventions: Mapping[str, Any]) -> None:
    """Draw as another version of PyTorch does.

    Parameters
    ----------
    conventions : mapping
        The fields of `Conventions` that differ from the default.

    Raises
    ------
    ValueError
        If no version of PyTorch has such a value.
    """
    global _conventions
    chosen = Conventions(**conventions)
    known = (("words", "mcg31"), (2**28, 2**32), (False, True))
    for name, value, values in zip(chosen._fields, chosen, known, strict=True):
        if value not in values:
            raise ValueError(f"set_conventions: expected {name} {values[0]!r} or {values[1]!r}, got {value!r}")
    _conventions = chosen


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
    numbers = np.empty(array.size, array.dtype)
    for start in range(0, array.size, CHUNK):
        chunk = numbers[start : start + CHUNK]
        chunk[...] = multiply_add(_uniform(chunk.size, array.dtype, generator), span, low)
    if not _conventions.draws_upper_bound:
        numbers[numbers == high] = low  # rounding can reach b, which the interval excludes
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
    if _conventions.bernoulli == "mcg31" and array.size:
        (seed,) = (generator or default_generator).words(1).tolist()
        array[...] = (mcg31.uniform(seed, array.size) < p).reshape(array.shape)  # in C order, whatever the memory's
        return array
    # The u of `_uniform` is less than p where its bits, u 2^53, are less than p 2^53: there is no need to make floats
    # of them.
    bits = _bits_of_uniform(array.size, generator)
    return _fill(array, bits < np.uint64(math.ceil(p * 2.0**53)))


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
    with np.errstate(over="ignore", invalid="ignore"):
        std, mean = numbers.dtype.type(std), numbers.dtype.type(mean)
        return _fill(array, multiply_add(numbers, std, mean))


def rand(*size: int, dtype: DType = np.float32, generator: Generator | None = None) -> np.ndarray:
    """Return an array of the shape ``size`` with numbers from [0, 1)."""
    return uniform_(_empty("rand", size, dtype), generator=generator)


def randn(*size: int, dtype: DType = np.float32, generator: Generator | None = None) -> np.ndarray:
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
    # The remainder of one word favours small values by up to (high - low) 2^-32 of their probability, of two by 2^-64.
    wide = high - low >= _conventions.two_words_from
    words = (Generator.double_words if wide else Generator.words)(generator or default_generator, array.size)
    return _fill(array, (words % np.uint64(high - low)).astype(np.int64) + low)


def randperm(n: int, generator: Generator | None = None) -> np.ndarray:
    """Return the integers 0..n-1 in random order, as int64.

    Raises
    ------
    TypeError
        If ``n`` is not an integer.
    RuntimeError
        If ``n`` is negative.
    """
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"randperm: expected n to be an integer, got {n!r}")
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


def _bits_of_uniform(count: int, generator: Generator | None) -> np.ndarray:
    bits = (generator or default_generator).double_words(count)
    bits &= np.uint64(2**53 - 1)
    return bits


def _uniform(count: int, dtype: DType, generator: Generator | None) -> np.ndarray:
    if dtype == np.float32:
        words = (generator or default_generator).words(count)
        return ((words & np.uint64(2**24 - 1)) * 2.0**-24).astype(np.float32)
    return _bits_of_uniform(count, generator) * 2.0**-53


def _normal_singly(count: int, dtype: DType, generator: Generator | None) -> np.ndarray:
    generator = generator or default_generator
    numbers = []
    if count and generator.next_normal is not None:
        numbers, generator.next_normal = [generator.next_normal], None
    pairs = (count - len(numbers) + 1) // 2
    for u1, u2 in _uniform(2 * pairs, np.float64, generator).reshape(pairs, 2).tolist():
        radius, angle = math.sqrt(-2 * math.log1p(-u2)), 2 * math.pi * u1
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    if len(numbers) > count:
        generator.next_normal = numbers.pop()
    return np.array(numbers)


def _normal_blocks(count: int, dtype: DType, generator: Generator | None) -> np.ndarray:
    numbers = _box_muller(_uniform(count, dtype, generator))
    if count % 16:
        numbers[-16:] = _box_muller(_uniform(16, dtype, generator))
    return numbers


def _box_muller(uniforms: np.ndarray) -> np.ndarray:
    numbers = uniforms.copy()
    blocks = numbers[: numbers.size // 16 * 16].reshape(-1, 2, 8)
    u1, u2 = 1 - blocks[:, 0], blocks[:, 1]
    radius = np.sqrt(-2 * log(u1))
    sine, cosine = sin_cos(u2 * u2.dtype.type(2 * math.pi))
    blocks[:, 0], blocks[:, 1] = radius * cosine, radius * sine
    return numbers


# Arrays.


def _check_target(draw: str, array: np.ndarray, floating: bool) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{draw}: expected a numpy.ndarray, got {type(array).__name__}")
    if array.dtype not in (np.float32, np.float64) and (floating or array.dtype.kind not in "biuf"):
        raise NotImplementedError(f"{draw}: not defined for dtype {array.dtype}")
    if not array.flags.writeable:
        raise ValueError(f"{draw}: expected an array that can be written to, got a read-only one")


def _empty(draw: str, size: Sequence[int], dtype: DType) -> np.ndarray:
    size = size[0] if len(size) == 1 and isinstance(size[0], Sequence) else size
    sides = [operator.index(side) for side in size]
    if any(side < 0 for side in sides):
        raise RuntimeError(f"{draw}: expected sizes of 0 or more, got {tuple(sides)}")
    return np.empty(sides, dtype)


def _fill(array: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Write ``numbers`` into ``array`` in the order of its memory."""
    if array.flags.c_contiguous:
        array[...] = numbers.reshape(array.shape)
        return array
    in_memory_order = array.transpose(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))
    in_memory_order[...] = numbers.reshape(in_memory_order.shape)
    return array
