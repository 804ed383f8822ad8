"""These tests run in both modes."""

from parity_tests.harness.modes import fast_or_plain, pytest_runtest_call  # noqa: F401 - pytest finds them here
