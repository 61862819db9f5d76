"""A CRM's web server for the tests: serves the integration examples and answers who is logged in.

The examples are served as they are in docs/, with only the notifier's address put in.
"""

import contextlib
import mimetypes
import threading
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.notifiers import ROOT, token

EXAMPLES = ROOT / "docs" / "examples"
PLACEHOLDER = "https://calls.example.ru"


class Crm:
    """The server. `folders` maps the first part of a path to a folder; `policies` to a Content-Security-Policy."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {"plain": EXAMPLES / "plain"}
        self.pages: dict[str, str] = {}
        self.policies: dict[str, str] = {}
        self.notifier_url = ""
        self.make_token: Callable[[int], str] = token
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = crm._answer(self.path, self.headers.get("Cookie", ""))
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                if policy := crm.policies.get(self.path.split("/")[1]):
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def strict_policy(self) -> str:
        """What a careful CRM sends: nothing inline, no HTML from strings, and only the notifier beside itself."""
        socket = self.notifier_url.replace("http", "ws")
        return (
            f"default-src 'none'; script-src 'self' {self.notifier_url}; style-src 'self'; "
            f"img-src 'self' {self.notifier_url}; connect-src 'self' {self.notifier_url} {socket}; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )

    def _answer(self, path: str, cookies: str) -> tuple[int, str, bytes]:
        path = path.split("?")[0]
        user = SimpleCookie(cookies).get("user")
        if path in ("/call-token", "/local/ajax/call-token.php"):
            if user is None:
                return 401, "text/plain", b""
            return 200, "text/plain", self.make_token(int(user.value)).encode()
        first, _, rest = path.lstrip("/").partition("/")
        if first in self.pages and not rest:
            return 200, "text/html; charset=utf-8", self._placed(self.pages[first].encode())
        file = self.folders.get(first, ROOT / "no-such-folder") / (rest or "index.html")
        if ".." in rest or not file.is_file():
            return 404, "text/plain", b"no such page"
        return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", self._placed(file.read_bytes())

    def _placed(self, body: bytes) -> bytes:
        return body.replace(PLACEHOLDER.encode(), self.notifier_url.encode())


@contextlib.contextmanager
def running_crm() -> Iterator[Crm]:
    """A CRM for as long as the block runs."""
    crm = Crm()
    thread = threading.Thread(target=crm._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield crm
    finally:
        crm._server.shutdown()
        crm._server.server_close()
        thread.join(5)
