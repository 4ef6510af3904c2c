import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import rag.models.download
from rag.errors import ModelError
from rag.models.download import download

MODEL = b"GGUF" + bytes(range(256)) * 800
ADDRESS = "hf://owner/repo/small.Q4_1.gguf"


class FakeHub(ThreadingHTTPServer):
    """Answers as the hub does: a redirect that carries the checksum, then the file, whole or from where it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {"/owner/repo/resolve/main/small.Q4_1.gguf": MODEL}
        self.sha256: str | None = hashlib.sha256(MODEL).hexdigest()
        self.ranges = True
        self.stop_after: int | None = None  # bytes of the body after which the connection is cut, once
        self.status: int | None = None
        self.requests: list[tuple[str, str | None]] = []  # path and Range

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        if self.path.startswith("/cdn"):
            self._send(self.server.files[self.path.removeprefix("/cdn")])
        else:
            self._redirect()

    def _redirect(self) -> None:
        hub = self.server
        hub.requests.append((self.path, self.headers.get("Range")))
        if hub.status or self.path not in hub.files:
            self._head(hub.status or 404, {"Content-Length": "0"})
        else:
            checksum = {"X-Linked-Etag": f'"{hub.sha256}"'} if hub.sha256 else {}
            self._head(302, {"Location": f"/cdn{self.path}", "Content-Length": "0", **checksum})

    def _send(self, body: bytes) -> None:
        hub = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and hub.ranges else 0
        if start >= len(body):
            self._head(416, {"Content-Length": "0"})
            return
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self._head(206 if start else 200, {"Content-Length": str(len(body) - start), **place})
        end, hub.stop_after = hub.stop_after, None
        self.wfile.write(body[start : None if end is None else start + end])

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_arrives_whole_and_is_verified(hub: FakeHub, tmp_path: Path) -> None:
    path = download(ADDRESS, tmp_path / "models", hub=hub.url)
    assert path == tmp_path / "models" / "small.Q4_1.gguf"
    assert path.read_bytes() == MODEL
    assert visible(path.parent) == ["small.Q4_1.gguf"]


def test_the_hub_is_the_one_of_the_environment(hub: FakeHub, tmp_path: Path) -> None:
    os.environ["HF_ENDPOINT"] = hub.url + "/"
    hub.files = {"/owner/repo/resolve/v2/in/a%20folder.gguf": MODEL}
    assert download("hf://owner/repo@v2/in/a folder.gguf", tmp_path).read_bytes() == MODEL


def test_a_file_that_is_there_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    download(ADDRESS, tmp_path, hub=hub.url)
    download(ADDRESS, tmp_path, hub=hub.url)
    assert len(hub.requests) == 1


def test_an_interrupted_download_goes_on_where_it_stopped(hub: FakeHub, tmp_path: Path) -> None:
    hub.stop_after = 100_000
    with pytest.raises(ModelError, match="run this again to go on"):
        download(ADDRESS, tmp_path, hub=hub.url)
    assert "small.Q4_1.gguf" not in visible(tmp_path)
    assert download(ADDRESS, tmp_path, hub=hub.url).read_bytes() == MODEL
    assert [wanted for _, wanted in hub.requests] == [None, "bytes=65536-"]


@pytest.mark.parametrize(("ranges", "checksum"), [(False, True), (True, False)])
def test_a_download_that_cannot_go_on_begins_anew(hub: FakeHub, tmp_path: Path, ranges: bool, checksum: bool) -> None:
    hub.stop_after, hub.ranges = 100_000, ranges
    hub.sha256 = hub.sha256 if checksum else None
    with pytest.raises(ModelError):
        download(ADDRESS, tmp_path, hub=hub.url)
    assert download(ADDRESS, tmp_path, hub=hub.url).read_bytes() == MODEL


def test_a_file_that_changed_meanwhile_begins_anew(hub: FakeHub, tmp_path: Path) -> None:
    hub.stop_after = 100_000
    with pytest.raises(ModelError):
        download(ADDRESS, tmp_path, hub=hub.url)
    newer = b"GGUF" + b"newer" * 30_000
    hub.files = dict.fromkeys(hub.files, newer)
    hub.sha256 = hashlib.sha256(newer).hexdigest()
    assert download(ADDRESS, tmp_path, hub=hub.url).read_bytes() == newer
    assert [wanted for _, wanted in hub.requests] == [None, "bytes=65536-", None]


def test_a_complete_partial_file_is_only_verified(hub: FakeHub, tmp_path: Path) -> None:
    hub.stop_after = 100_000
    with pytest.raises(ModelError):
        download(ADDRESS, tmp_path, hub=hub.url)
    (part,) = tmp_path.glob(".*.part")
    part.write_bytes(MODEL)
    assert download(ADDRESS, tmp_path, hub=hub.url).read_bytes() == MODEL
    assert len(hub.requests) == 2


def test_a_wrong_checksum_leaves_nothing_behind(hub: FakeHub, tmp_path: Path) -> None:
    hub.sha256 = "0" * 64
    with pytest.raises(ModelError, match="not what its checksum says"):
        download(ADDRESS, tmp_path, hub=hub.url)
    assert visible(tmp_path) == []


def test_what_is_no_gguf_file_is_refused_at_its_first_bytes(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = dict.fromkeys(hub.files, b"<html>a login page</html>")
    hub.sha256 = None
    with pytest.raises(ModelError, match="is not a GGUF file"):
        download(ADDRESS, tmp_path, hub=hub.url)
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "says"), [(404, "does not exist"), (401, "needs a login"), (403, "needs a login"), (503, "status 503")]
)
def test_the_hubs_refusals_are_explained_in_one_line(hub: FakeHub, tmp_path: Path, status: int, says: str) -> None:
    hub.status = status
    with pytest.raises(ModelError, match=says) as caught:
        download(ADDRESS, tmp_path, hub=hub.url)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_line(tmp_path: Path) -> None:
    with FakeHub() as closed:
        url = closed.url
    with pytest.raises(ModelError, match="check the network"):
        download(ADDRESS, tmp_path, hub=url)


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/owner/repo/file.gguf",
        "hf://owner/file.gguf",
        "hf://owner/repo/file.safetensors",
        "hf://owner/repo/../../file.gguf",
        "hf://owner/repo/file.gguf?download=true",
    ],
)
def test_other_addresses_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ModelError, match="give one like hf://"):
        download(address, tmp_path, hub="http://127.0.0.1:9")


def test_too_little_space_is_told_before_anything_is_written(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 100, 100))
    with pytest.raises(ModelError, match="are needed"):
        download(ADDRESS, tmp_path, hub=hub.url)
    assert visible(tmp_path) == []


def test_a_disk_that_fills_up_is_one_line(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(rag.models.download.os, "fsync", full)
    with pytest.raises(ModelError, match="the disk is full"):
        download(ADDRESS, tmp_path, hub=hub.url)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(ModelError, match="cannot write to"):
        download(ADDRESS, tmp_path / "models", hub="http://127.0.0.1:9")
