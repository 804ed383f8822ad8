"""Run each test twice: once with the kernels, and once with the plain functions, on fewer examples.

A folder of tests asks for it in its ``conftest.py``:

    from parity_tests.harness.modes import fast_or_plain, pytest_runtest_call
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

import scratch

FEWER = 5  # plain mode draws one example where the kernels' draws this many
SETTINGS = "_hypothesis_internal_use_settings"  # where Hypothesis keeps those of a test; it has no public name for it


@pytest.fixture(autouse=True, scope="module", params=["fast", "plain"])
def fast_or_plain(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the tests of a module in either mode.

    A test's own argument of this name would replace the fixture, and the test would run in one mode only. So the name
    is one that no layer has as an option.
    """
    with scratch.plain(request.param == "plain"):
        yield request.param


# For tests of what only kernels do: threads, the memory order of results, reused memory.
kernels_only = pytest.mark.parametrize("fast_or_plain", ["fast"], indirect=True, scope="module")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let a test draw fewer examples in plain mode."""
    function = getattr(item, "obj", None)
    drawn = getattr(function, SETTINGS, None)
    if drawn is None or getattr(item, "callspec", None) is None or item.callspec.params.get("fast_or_plain") != "plain":
        yield
        return
    own = function.__func__ if hasattr(function, "__func__") else function
    setattr(own, SETTINGS, settings(drawn, max_examples=max(drawn.max_examples // FEWER, 1)))
    try:
        yield
    finally:
        setattr(own, SETTINGS, drawn)
