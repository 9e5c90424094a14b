"""Chromium, and a server of the built app; without them the tests of the browser skip and say what they need."""

import importlib.util
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from apps.web_app.server import BUILD_COMMANDS, BUILT, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .app import App

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SANDBOX = ["--no-sandbox"]  # a container has no user namespaces; the pages are our own
DESKTOP = {"width": 1440, "height": 900}

OpenApp = Callable[..., "App"]


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built app, or a skip."""
    if not (BUILT / "index.html").is_file():
        pytest.skip(f"needs the built browser app: {BUILD_COMMANDS}")
    return BUILT


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A headless Chromium, or a skip."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs playwright: pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SANDBOX)
        yield browser
        browser.close()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of a server, as `tadsr web` runs it."""
    with serving(folder) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    with running(built) as url:
        yield url


@pytest.fixture
def open_app(browser: "Browser", address: str) -> Iterator[OpenApp]:
    """Opens the app in a browser profile of its own: `open_app()`, `open_app(viewport=...)`, `open_app(url=...)`."""
    from .app import App

    contexts = []

    def open_it(url: str = address, **settings: Any) -> App:
        context = browser.new_context(**{"viewport": DESKTOP, **settings})
        contexts.append(context)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        app = App(page, url).open()
        assert errors == []
        return app

    yield open_it
    for context in contexts:
        context.close()
