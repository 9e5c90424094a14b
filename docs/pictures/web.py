"""Makes web.jpg and web_phone.jpg, the browser app at work: `python docs/pictures/web.py`, after it was built.

Needs Chromium.
"""

import io
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from apps.web_server import BUILT, serving

HERE = Path(__file__).parent
PICTURES: dict[str, dict[str, Any]] = {
    "web.jpg": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "web_phone.jpg": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}
PATIENCE = 120_000


def screenshot(browser: Browser, url: str, **settings: Any) -> Image.Image:
    """The app after it has enlarged the sample."""
    page = browser.new_page(**settings)
    page.goto(url)
    page.click("#try-sample")
    page.wait_for_selector('.job[data-state="done"]', timeout=PATIENCE)
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return picture.convert("RGB")


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("needs Chromium: apt-get install chromium")
    with serving(BUILT) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, settings in PICTURES.items():
            url = f"http://127.0.0.1:{server.server_port}/"
            screenshot(browser, url, **settings).save(HERE / name, quality=88, optimize=True)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
