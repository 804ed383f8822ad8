"""The proof that the two engines agree: the harness that compares them, and the tests that use it."""

from parity_tests.harness.compare import Report, check

__all__ = ["Report", "check"]
