"""These tests run in both modes."""

from parity_tests.harness.modes import mode, pytest_runtest_call  # noqa: F401 - pytest finds them here
