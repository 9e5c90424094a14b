"""``python -m apps.benchmarks.browser_speed`` times the browser app, after it was built, beside native ONNX Runtime.

One tile through the same files of the shipped bundle, in headless Chromium (the app's own page bench.html) and in
Python, in turns; prints JSON. Needs Chromium.
"""

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

import runtime
from apps.errors import CommandError
from apps.web_app.server import BUILT, serving
from runtime.backends import BACKENDS
from tadsr.commands import run, say
from tadsr.measuring import describe_machine, describe_versions, time_in_rounds

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIDES = (128, 256)
THREADS = (1, 2)
ROUNDS = 3
RUNS = 3
"""Of which the fastest counts, as bench.html has it."""
PATIENCE = 600_000
"""Milliseconds that the page may take."""

Key = tuple[str, str, int, int]
"""(where, precision, threads, side)"""


@contextmanager
def opened_app() -> Iterator[tuple["Browser", str]]:
    """Headless Chromium, and the address where this process serves the built app.

    Raises `CommandError` where Chromium is missing.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise CommandError("chromium: is not installed; get it with: apt-get install chromium")
    with serving(BUILT) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser, f"http://127.0.0.1:{server.server_port}/"
        browser.close()
        server.shutdown()


def in_browser(browser: "Browser", url: str, side: int) -> Iterator[tuple[Key, float]]:
    """Milliseconds per tile on the CPU, for each precision and number of threads."""
    page = browser.new_page()
    page.goto(f"{url}bench.html")
    page.select_option("#side", str(side))
    page.click("#measure")
    page.locator("#state", has_text="Done").wait_for(timeout=PATIENCE)
    for row in json.loads(page.text_content("#json") or "[]"):
        if row["candidate"]["device"] == "wasm" and row["threads"] in THREADS:
            yield ("browser", row["candidate"]["precision"], row["threads"], side), row["tile"]
    page.close()


def natively(side: int) -> Iterator[tuple[Key, float]]:
    """Milliseconds per tile by ONNX Runtime in this process, for each precision and number of threads."""
    bundle = runtime.read_bundle(runtime.DEFAULT_BUNDLE)
    tile = np.full((1, 3, side, side), 0.5, np.float32)
    for artifact in bundle.manifest.artifacts:
        if artifact.backend != "onnx" or artifact.tile is not None:
            continue
        for threads in THREADS:
            session = BACKENDS["onnx"].load(bundle, artifact, threads)
            timing = time_in_rounds({"tile": lambda session=session: session.run(tile)}, RUNS)["tile"]  # type: ignore[misc]
            yield ("native", artifact.precision, threads, side), 1e3 * timing.least


def measure() -> dict[str, Any]:
    """The content of docs/figures/browser_speed.json. Raises `CommandError` where Chromium is missing."""
    machine = describe_machine()
    best: dict[Key, float] = {}
    with opened_app() as (browser, url):
        for turn in range(ROUNDS):
            for side in SIDES:
                for key, milliseconds in [*in_browser(browser, url, side), *natively(side)]:
                    best[key] = min(milliseconds, best.get(key, milliseconds))
            sys.stderr.write(f"round {turn + 1} of {ROUNDS}\n")
        chromium = browser.version
    packages = json.loads((BUILT.parent / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    web = packages["node_modules/onnxruntime-web"]["version"]
    fields = ("where", "precision", "threads", "side")
    return {
        "machine": machine,
        "versions": describe_versions("onnxruntime") | {"onnxruntime-web": web, "chromium": chromium},
        "rounds": ROUNDS,
        "runs": RUNS,
        "rows": [{**dict(zip(fields, key, strict=True)), "ms": round(best[key], 2)} for key in sorted(best)],
    }


if __name__ == "__main__":
    run(lambda: say(json.dumps(measure(), indent=1)))
