"""The browser app in a headless Chromium, as a visitor meets it."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

TWO_MINUTES = 120_000


class App:
    """One page of the app. Its methods wait until what they ask for is there."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.requests: list[str] = []
        page.context.on("request", lambda request: self.requests.append(request.url))
        page.set_default_timeout(TWO_MINUTES)

    def open(self) -> "App":
        """Load it and wait for an engine."""
        self.page.goto(self.url)
        return self.ready()

    def ready(self) -> "App":
        expect(self.page.locator("#engine")).to_have_attribute("data-state", "ready", timeout=TWO_MINUTES)
        return self

    @property
    def engine(self) -> str:
        return self.page.inner_text("#engine")

    @property
    def verdicts(self) -> list[list[str]]:
        """The table of engines: label, time, difference, what came of it."""
        rows = self.page.locator("#verdicts tr").all()
        return [[cell.text_content() or "" for cell in row.locator("th, td").all()] for row in rows]

    def choose(self, *, engine: str | None = None, tile: int | None = None, download: str | None = None) -> "App":
        """Set what is under "Settings"."""
        self.page.locator("details").evaluate("details => { details.open = true }")
        if engine is not None:
            self.page.select_option("#engine-choice", engine)
            expect(self.page.locator("#verdicts tr")).to_have_count(1, timeout=TWO_MINUTES)
            self.ready()
        if tile is not None:
            self.page.select_option("#tile-choice", str(tile))
        if download is not None:
            self.page.select_option("#format-choice", download)
        return self

    def give(self, *files: Path) -> None:
        """Choose files in the picker."""
        self.page.set_input_files("#picker", [*files])

    def job(self, name: str) -> Locator:
        """The latest card of a file."""
        return self.page.locator(".job").filter(has=self.page.get_by_role("heading", name=name, exact=True)).first

    def wait(self, name: str, state: str = "done", timeout: float = TWO_MINUTES) -> Locator:
        expect(self.job(name)).to_have_attribute("data-state", re.compile(f"{state}|failed"), timeout=timeout)
        expect(self.job(name)).to_have_attribute("data-state", state)
        return self.job(name)

    def download(self, name: str, folder: Path) -> Path:
        """Press "Download" on a card; the file, under the name that it was given."""
        with self.page.expect_download() as waiting:
            self.job(name).get_by_role("button", name="Download").click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def enlarge(self, photo: Path, folder: Path) -> Path:
        """Give one file, wait, and download the result."""
        self.give(photo)
        self.wait(photo.name)
        return self.download(photo.name, folder)
