"""Mutants (`parity_tests.mutation_testing`) that no test could tell from the original, each with the reason.

The key is (file, the line before, the line after); a changed line therefore has to be looked at again.
"""

EQUIVALENT: dict[tuple[str, str, str], str] = {}
