"""Mutants (`parity_tests.mutation_testing`) that no test could tell from the original, each with the reason.

The key is (file, the line before, the line after); a changed line therefore has to be looked at again.
"""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "scratch/nn/relu.py",
        "slope = np.minimum(0.0, x, out=memory.empty_like(x))",
        "slope = np.minimum(1.0, x, out=memory.empty_like(x))",
    ): "the slope of ELU's left half is thrown away where x is positive",
    (
        "scratch/nn/loss.py",
        "return np.where(size <= self.delta, 0.5 * d * d, self.delta * (size - 0.5 * self.delta))",
        "return np.where(size < self.delta, 0.5 * d * d, self.delta * (size - 0.5 * self.delta))",
    ): "where they meet, at abs(d) = delta, both halves of Huber's loss are delta^2 / 2",
}
