"""A real browser for the pages."""

import os
import shutil

import pytest

CHROMIUM = os.environ.get("EMOREALM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium here (Debian: apt-get install chromium); EMOREALM_CHROMIUM may name one")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright drives the browser: pip install playwright"
    )
    with playwright.sync_playwright() as driver:
        # its sandbox needs kernel features that containers rarely grant; the pages are our own
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Open a file in a page of its own; afterwards there must have been no error and no request beyond the file."""
    troubles, contexts = [], []

    def opened(path, **more):
        context = browser.new_context(viewport={"width": 1300, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda asked: troubles.append(asked.url) if asked.url.startswith(("http", "ws")) else None)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
