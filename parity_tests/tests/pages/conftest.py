"""The site, built once for all processes of a test run, and a browser to read it with."""

import importlib.util
import json
import os
import time
from pathlib import Path

import pytest

from benchmarks.pages import site as pages
from parity_tests.tests.pages import browser


def missing():
    """Return the packages of the extra that are not installed."""
    return [name for name in pages.PACKAGES if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Return the folder of the whole site."""
    if missing():
        pytest.skip(f"the pages extra is not installed: {', '.join(missing())}")
    shared = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tmp_path_factory.mktemp("s")
    )
    out, turn = shared / "site", shared / "site-is-being-built"
    try:
        turn.mkdir()
    except FileExistsError:
        until = time.monotonic() + 600
        while not (out / pages.MARK).exists():
            assert time.monotonic() < until, "another process builds the site, and does not end"
            assert turn.exists(), "another process could not build the site"
            time.sleep(0.2)
        return out
    try:
        pages.write(out, pages.ASSETS)
    except BaseException:
        turn.rmdir()
        raise
    return out


@pytest.fixture(scope="session")
def paths(site):
    """Return the names of all pages."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


@pytest.fixture(scope="session")
def chromium():
    """Return a headless Chromium under Playwright."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if browser.executable() is None:
        pytest.skip(f"no browser: none of {', '.join(browser.BROWSERS)} is installed")
    with browser.chromium() as started:
        yield started


class Reader:
    """A browser's window on the site, which records what went wrong in it."""

    def __init__(self, chromium, site, **options):
        self.site = site
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        self.context = chromium.new_context(**{**usual, **options})
        self.page = self.context.new_page()
        self.faults, self.requests = [], []
        self.page.on("console", lambda message: self.faults.append(f"{self.page.url}: {message.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.page.url}: {error}"))
        self.page.on("requestfailed", lambda request: self.faults.append(f"{request.url}: {request.failure}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path):
        """Open a page, and return it."""
        self.page.goto(f"{self.site.as_uri()}/{path}")
        return self.page


@pytest.fixture
def reader(chromium, site):
    """Return a window, and assert afterwards that nothing went wrong in it."""
    reader = Reader(chromium, site)
    yield reader
    reader.context.close()
    assert reader.faults == []


@pytest.fixture
def reading(chromium, site):
    """Return a function that opens a window with Playwright's options for a context."""
    opened = []

    def open_window(**options):
        opened.append(Reader(chromium, site, **options))
        return opened[-1]

    yield open_window
    for one in opened:
        one.context.close()
        assert one.faults == []


def entries(site):
    """Return what the index can search for."""
    text = (site / "index.html").read_text()
    _, _, rest = text.partition('id="entries">')
    return json.loads(rest.partition("</script>")[0])


def content(folder: Path):
    """Return the content of every file below a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
