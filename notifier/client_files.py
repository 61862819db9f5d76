"""The browser client's files, read at the start and served from memory.

`/client/<file>` is revalidated by its ETag; `/client/<version>/<file>` may be kept for ever, because the version is a
hash of all files together (modules import each other by relative paths, so they stay within one version).
`index.html` refers to files as `client/<file>`; it is served with the version put in. A CRM's page names an entry, such
as `/client/element.js`: it is one line that leads to the version, so a page load asks for one small file again, not for
thirty.
"""

import gzip
import hashlib
import logging
from pathlib import Path
from typing import Final

from aiohttp import web

log = logging.getLogger(__name__)

CLIENT_DIRECTORY: Final = Path(__file__).parent / "client"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
ENTRIES: Final[tuple[str, ...]] = ("element.js", "index.js", "react.js")
_PRIVATE: Final = frozenset({"node_modules", "test", "tests"})
_COMPRESSED: Final = frozenset({".css", ".html", ".js", ".json", ".map", ".mjs", ".svg"})


class File:
    """One file: its bytes, also compressed where that pays, its type and ETag."""

    __slots__ = ("body", "compressed", "etag", "type")

    def __init__(self, body: bytes, suffix: str) -> None:
        self.body = body
        self.type = TYPES[suffix]
        self.etag = '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
        compressed = gzip.compress(body, mtime=0) if suffix in _COMPRESSED and len(body) > 1024 else b""
        self.compressed = compressed if 0 < len(compressed) < len(body) * 0.9 else None


class ClientFiles:
    """All files of the client, and the page."""

    def __init__(self, directory: Path = CLIENT_DIRECTORY) -> None:
        found: dict[str, bytes] = {}
        for path in sorted(directory.rglob("*")) if directory.is_dir() else []:
            parts = path.relative_to(directory).parts
            hidden = any(part.startswith(".") or part in _PRIVATE for part in parts)
            if path.is_file() and not hidden and path.suffix in TYPES:
                found["/".join(parts)] = path.read_bytes()
        digest = hashlib.sha256()
        for name, body in found.items():
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.version = digest.hexdigest()[:12]
        self._files = {name: File(body, Path(name).suffix) for name, body in found.items()}
        self._entries = {
            name: File(f'export * from "./{self.version}/{name}";\n'.encode(), ".js")
            for name in ENTRIES
            if name in found
        }
        page = found.get("index.html")
        self._page = None
        if page is None:
            log.error("there is no index.html in %s: the installation is incomplete", directory)
        else:
            self._page = File(page.replace(b'="client/', f'="client/{self.version}/'.encode()), ".html")

    def __contains__(self, name: str) -> bool:
        return name in self._files

    async def page(self, request: web.Request) -> web.StreamResponse:
        """`GET /`: the stand-alone page."""
        if self._page is None:
            raise web.HTTPNotFound(text="the page is not installed")
        return _answer(request, self._page, "no-cache")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """`GET /client/{name}`."""
        name = request.match_info["name"]
        cache = "no-cache"
        if name.startswith(self.version + "/"):
            cache = "public, max-age=31536000, immutable"
            file = self._files.get(name.removeprefix(self.version + "/"))
        else:
            file = self._entries.get(name) or self._files.get(name)
        if file is None:
            # An older version's page is still open somewhere: give it today's file, but never to keep.
            first, _, rest = name.partition("/")
            if len(first) == len(self.version) and all(char in "0123456789abcdef" for char in first):
                file = self._files.get(rest)
        if file is None:
            raise web.HTTPNotFound(text="no such file")
        response = _answer(request, file, cache)
        # The modules are public and meant to be loaded by the CRM's pages.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response


def _answer(request: web.Request, file: File, cache: str) -> web.Response:
    headers = {"ETag": file.etag, "Cache-Control": cache, "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = file.body
    if file.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    headers["Content-Type"] = file.type
    return web.Response(body=body, headers=headers)
