"""Times the browser app beside native ONNX Runtime: `python docs/figures/browser_speed.py`, after the app was built.

The same tile through the same files of the shipped bundle, in headless Chromium (the app's own page bench.html) and in
Python, in turns; writes browser_speed.json beside this file, which `render.py` makes a table of. Needs Chromium.
"""

import importlib.metadata
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from keeping import keep
from playwright.sync_api import Browser, sync_playwright

import runtime
from apps.web_server import BUILT, serving
from runtime.bundle import read_bundle
from tadsr.commands import say
from tadsr.measuring import describe_machine

JSON = Path(__file__).with_name("browser_speed.json")
LOCK = BUILT.parent / "package-lock.json"
SIDES = (128, 256)
THREADS = (1, 2)
ROUNDS = 3
RUNS = 3
"""Of which the fastest counts, after one that does not: as bench.html has it."""
PATIENCE = 600_000

Key = tuple[str, str, int, int]
"""(where, precision, threads, side)"""


def in_browser(browser: Browser, url: str, side: int) -> Iterator[tuple[Key, float]]:
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
    """The same by ONNX Runtime in this process."""
    bundle = read_bundle(runtime.DEFAULT_BUNDLE)
    tile = np.full((1, 3, side, side), 0.5, np.float32)
    for artifact in bundle.manifest.artifacts:
        if artifact.backend != "onnx" or artifact.tile is not None:
            continue
        for threads in THREADS:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(bundle.open(artifact), options, providers=["CPUExecutionProvider"])
            times = []
            for _ in range(1 + RUNS):
                begin = time.perf_counter()
                session.run(None, {"lr": tile})
                times.append(1000 * (time.perf_counter() - begin))
            yield ("native", artifact.precision, threads, side), min(times[1:])


@contextmanager
def served() -> Iterator[str]:
    with serving(BUILT) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("needs Chromium: apt-get install chromium")
    machine = describe_machine()
    best: dict[Key, float] = {}
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for turn in range(ROUNDS):
            for side in SIDES:
                for key, milliseconds in [*in_browser(browser, url, side), *natively(side)]:
                    best[key] = min(milliseconds, best.get(key, milliseconds))
            say(f"round {turn + 1} of {ROUNDS}")
        version = browser.version
        browser.close()
    fields = ("where", "precision", "threads", "side")
    packages: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    report = {
        "machine": machine,
        "versions": {
            "onnxruntime": importlib.metadata.version("onnxruntime"),
            "onnxruntime-web": packages["node_modules/onnxruntime-web"]["version"],
            "chromium": version,
        },
        "rounds": ROUNDS,
        "runs": RUNS,
        "rows": [{**dict(zip(fields, key, strict=True)), "ms": round(best[key], 2)} for key in sorted(best)],
    }
    keep(report, JSON)


if __name__ == "__main__":
    main()
