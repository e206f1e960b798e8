"""A real browser for the pages, and a small real language model on a real server."""

import os
import shutil
import subprocess

import judge_server
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("EMOREALM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


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


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """The base URL of a server with SmolLM2-135M; it fits every model's name."""
    pytest.importorskip("xllamacpp")
    try:
        judge_server.model()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"no small model to ask: {error}")
    process, url = judge_server.start(tmp_path_factory.mktemp("server") / "log.txt")
    yield url
    judge_server.stop(process)
