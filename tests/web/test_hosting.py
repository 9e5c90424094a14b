"""The app on hosts of many kinds: without a network, without headers, without a service worker, with damaged files."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .conftest import OpenApp, running
from .test_results import SAMPLE


class PlainHandler(SimpleHTTPRequestHandler):
    """A static host that sends no headers of ours."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_it_works_with_the_network_cut(open_app: OpenApp, built: Path, tmp_path: Path) -> None:
    with running(built) as url:
        app = open_app(url)
    app.page.context.set_offline(True)  # and the server is gone
    app.page.reload()
    app.ready().give(SAMPLE)
    app.wait("sample.jpg")


def test_a_host_without_headers_gets_threads_by_the_service_worker(open_app: OpenApp, built: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(PlainHandler, directory=str(built))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        app = open_app(url)
        assert app.page.evaluate("crossOriginIsolated")
        alone = open_app(url, service_workers="block")
        assert not alone.page.evaluate("crossOriginIsolated")
        assert "1 thread" in alone.engine
        alone.give(SAMPLE)
        alone.wait("sample.jpg")
        server.shutdown()


def test_a_damaged_model_is_not_used(open_app: OpenApp, built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built, tmp_path / "dist"))
    (model,) = folder.glob("assets/mobile-int8-*.onnx")
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    with running(folder) as url:
        app = open_app(url)
        results = {label: outcome for label, _, _, outcome in app.verdicts}
        assert results["CPU, INT8"] == "mobile-int8.onnx was damaged on its way here; reload the page"
        assert "fp32" in app.engine


def test_a_tile_that_is_not_reproduced_disqualifies(open_app: OpenApp, built: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built, tmp_path / "dist"))
    (expected,) = folder.glob("assets/mobile-fp32.onnx-*.bin")
    expected.write_bytes(bytes(byte ^ 64 for byte in expected.read_bytes()))
    with running(folder) as url:
        app = open_app(url)
        results = {label: outcome for label, _, _, outcome in app.verdicts}
        assert results["CPU, fp32"] == "does not reproduce the stored tile"
        assert "INT8" in app.engine
