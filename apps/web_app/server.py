"""Serve the built browser app on this computer, with the headers that let it use threads and no other host."""

import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from apps.errors import CommandError

HOST = "127.0.0.1"
BUILT = Path(__file__).parents[1] / "web" / "dist"
BUILD_COMMANDS = "npm ci --prefix apps/web && npm run build --prefix apps/web"

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Isolation from other sites is what browsers ask for before threads may share memory."""


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder. What each must be for a browser does not depend on the computer's own table of types."""

    extensions_map = {  # noqa: RUF012 - the base class declares it so
        "": "application/octet-stream",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".css": "text/css",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".jpg": "image/jpeg",
        ".webp": "image/webp",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """A server of ``folder`` for this computer only; port 0 takes a free one. It answers in `serve_forever`.

    Raises `CommandError` where the app is not built or the port is taken.
    """
    if not (folder / "index.html").is_file():
        raise CommandError(
            f"{folder}: the browser app is not built; in a clone of tadsr run: {BUILD_COMMANDS} (needs Node.js), "
            "then install tadsr from there again, or use pip install -e ."
        )
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise CommandError(f"port {port}: cannot be used ({error.strerror}); choose another --port") from error
    with server:
        yield server


def serve(port: int, *, open_browser: bool, echo: Callable[[str], None]) -> None:
    """Serve the app until Ctrl-C; its address goes to `echo`.

    Raises `CommandError` where the app is not built or the port is taken.
    """
    with serving(BUILT, port) as server:
        url = f"http://{HOST}:{server.server_port}/"
        echo(f"{url} (Ctrl-C ends it)")
        if open_browser:
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            echo("")
