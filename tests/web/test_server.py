"""`tadsr web`, without a browser."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from apps.web_app import server
from apps.web_app.server import HEADERS
from tests.apps.commands import Tadsr

from .conftest import running


@pytest.fixture
def tadsr(capsys: pytest.CaptureFixture[str]) -> Tadsr:
    return Tadsr(capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a built app is to the server."""
    for name in ("index.html", "engine.wasm", "engine.mjs", "model.onnx"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_headers_and_types(folder: Path) -> None:
    types = {
        "": "text/html; charset=utf-8",
        "engine.wasm": "application/wasm",
        "engine.mjs": "text/javascript",
        "model.onnx": "application/octet-stream",
    }
    with running(folder) as url:
        for name, kind in types.items():
            with urllib.request.urlopen(url + name) as answer:
                assert answer.headers["Content-Type"] == kind
                assert {key: answer.headers[key] for key in HEADERS} == HEADERS


def test_not_built(tadsr: Tadsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BUILT", tmp_path)
    done = tadsr("web")
    assert (done.code, done.out) == (2, "")
    assert "npm ci --prefix apps/web && npm run build --prefix apps/web" in done.err


def test_the_port_is_taken(tadsr: Tadsr, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BUILT", folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = tadsr("web", "--port", port)
    assert (done.code, done.out) == (2, "")
    assert f"port {port}: cannot be used" in done.err


def test_ctrl_c_ends_it_quietly(folder: Path) -> None:
    code = (
        "import pathlib, signal, _thread, threading; from apps.cli import main; from apps.web_app import server;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"server.BUILT = pathlib.Path({str(folder)!r}); threading.Timer(1, _thread.interrupt_main).start();"
        "main(['web', '--port', '0'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("http://127.0.0.1:")
