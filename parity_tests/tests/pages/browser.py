"""The installed Chromium or Chrome, headless, under Playwright; and screenshots of a page.

    python -m parity_tests.tests.pages.browser site/scratch/nn/batchnorm.html@B5 picture.png

After the ``@`` comes a step of the page's first derivation.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Otherwise a browser asks the network for updates and lists.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1400, "height": 1000}


def executable() -> str | None:
    """Return the browser that is installed; None if there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser, and close it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        yield browser
        browser.close()


def picture(browser: Any, page: str, out: Path, **options: Any) -> None:
    """Write a screenshot of a page; ``options`` are Playwright's for a context."""
    file, _, label = page.partition("@")
    context = browser.new_context(**{"viewport": SIZE, "reduced_motion": "reduce", **options})
    window = context.new_page()
    window.goto(Path(file).absolute().as_uri())
    if label:
        name = window.locator(".stepper").first.get_attribute("data-name")
        window.goto(f"{window.url}#{name}@{label}")
    window.screenshot(path=out)
    context.close()


if __name__ == "__main__":
    with chromium() as started:
        picture(started, sys.argv[1], Path(sys.argv[2]))
