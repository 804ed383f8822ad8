"""MCG31: where older builds of PyTorch take Bernoulli numbers from, so that masks can be shared with them too.

Builds of PyTorch that carry Intel's mathematical library (2.6 is one, on an AMD processor too) do not compare
words of the Mersenne Twister with p. They take one word as the seed of a multiplicative congruential generator,

    x_0 = seed mod m,   x_(k+1) = a x_k mod m,   u_k = x_k / m,   m = 2^31 - 1,  a = 1132489760

(L'Ecuyer, "Tables of linear congruential generators of different sizes and good lattice structure", 1999), and the k-th
number is 1 where u_k < p. Since x_k = a^k x_0 mod m, all of them can be computed at once.
"""

import numpy as np

MODULUS = 2**31 - 1
MULTIPLIER = 1132489760


def uniform(seed: int, count: int) -> np.ndarray:
    """Return the first ``count`` numbers u_k of the stream with this seed, as float64."""
    powers = np.ones(1, np.uint64)
    while len(powers) < count:
        # Both factors are below 2^31, so their product fits in 64 bits.
        further = powers * np.uint64(pow(MULTIPLIER, len(powers), MODULUS)) % np.uint64(MODULUS)
        powers = np.concatenate([powers, further])
    first = seed % MODULUS or 1
    return powers[:count] * np.uint64(first) % np.uint64(MODULUS) / MODULUS
