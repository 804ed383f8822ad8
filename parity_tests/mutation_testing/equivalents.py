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
    (
        "scratch/nn/utils.py",
        "norms = np.stack([np.linalg.norm(grad.reshape(-1), norm_type) for grad in grads])",
        "norms = np.stack([np.linalg.norm(grad.reshape(-2), norm_type) for grad in grads])",
    ): "NumPy takes any negative number for the size to be found",
    (
        "scratch/policy_gradient.py",
        "grad_entropies = np.full_like(p[:, :1], grad_output / len(p))  # B1 (N, 1)",
        "grad_entropies = np.full_like(None, grad_output / len(p))  # B1 (N, 1)",
    ): "a number broadcasts as the column of equal numbers does",
    (
        "scratch/policy_gradient.py",
        "grad_logp = -grad_entropies * p + grad_p * p  # B3 (N, A)",
        "grad_logp = +grad_entropies * p + grad_p * p  # B3 (N, A)",
    ): "a multiple of p in grad_logp is what B4 takes out again, as the p of a row sum to 1",
    (
        "scratch/nn/special.py",
        'cdf = np.array(x, order="K")',
        "cdf = np.array(x, order=None)",
    ): "K is NumPy's default here, and small letters will do",
    (
        "scratch/nn/special.py",
        'cdf = np.array(x, order="K")',
        "cdf = np.array(x, )",
    ): "K is NumPy's default here, and small letters will do",
    (
        "scratch/nn/special.py",
        'cdf = np.array(x, order="K")',
        'cdf = np.array(x, order="k")',
    ): "K is NumPy's default here, and small letters will do",
    (
        "scratch/nn/special.py",
        'line = cdf.ravel(order="K")',
        'line = cdf.ravel(order="k")',
    ): "small letters will do",
    (
        "scratch/nn/special.py",
        "np.abs(np.subtract(x > 0, tail), out=x)  # 1 - tail on the right; on the left |0 - tail|",
        "np.abs(np.subtract(x >= 0, tail), out=x)  # 1 - tail on the right; on the left |0 - tail|",
    ): "at 0 the tail is a half, and 1 - 1/2 is 1/2",
    (
        "scratch/nn/module.py",
        'for prefix, module in self._walk(""):',
        "for prefix, module in self._walk(None):",
    ): "None is as false as an empty prefix",
    (
        "scratch/nn/module.py",
        'faults += [f"missing key {key!r}" for key in missing]',
        'faults = [f"missing key {key!r}" for key in missing]',
    ): "the list is empty before",
}
