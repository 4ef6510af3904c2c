"""Fetch a GGUF file from a model hub: the program's one use of the network, and only on request."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from filelock import FileLock, Timeout
from tqdm import tqdm

from rag.errors import ModelError

if TYPE_CHECKING:
    import httpx

HUB = "https://huggingface.co"
_ADDRESS = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w.-]+))?/(?P<path>[^?#]+\.gguf)", re.IGNORECASE)
_FORM = "hf://owner/repo/file.gguf"
_MAGIC = b"GGUF"
_CHUNK = 1 << 16
"""Bytes that are written at once; an interruption loses fewer."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a response says of the file: its size in bytes and its SHA-256, where it gives them, and the byte at which
    the response starts, -1 where there are none after those that were asked for.
    """

    size: int | None
    sha256: str | None
    start: int


def download(address: str, folder: Path, *, hub: str | None = None) -> Path:
    """The file of `hf://owner/repo/file.gguf`, fetched into the folder, complete and, where the hub gives one, with its
    checksum verified; a file of that name which is there already is returned as it is.

    An interrupted download goes on where it stopped. `hub` is the base URL, else that of the environment's HF_ENDPOINT,
    else Hugging Face. Raises ModelError where the address, the network, the hub or the disk is in the way.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or ".." in match["path"].split("/"):
        raise ModelError(f"{address!r} is no address of a model file; give one like {_FORM}")
    hub = (hub or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    url = f"{hub}/{match['repo']}/resolve/{match['revision'] or 'main'}/{quote(match['path'])}"
    target = folder / match["path"].rsplit("/", 1)[-1]
    part = folder / f".{target.name}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{target.name}.lock", blocking=False):
            if not target.exists():
                _fetch(url, part)
                part.replace(target)
    except Timeout as error:
        raise ModelError(f"{target.name} is being downloaded already; wait for that to end") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelError(f"the disk is full; free some space for {part} and run this again to go on") from error
        raise ModelError(f"cannot write to {folder}: {error.strerror or error}") from error
    return target


def _fetch(url: str, part: Path) -> None:
    """Bring the partial file to its end, from where it is or, if that does not fit the hub's file, anew."""
    have = part.stat().st_size if part.exists() else 0
    if have:
        with _get(url, have) as response:
            offer = _offer(response)
            # Only a checksum can tell, in the end, that the two halves belong together.
            if offer.sha256 is not None and offer.start != 0:
                if offer.start == have:
                    _write(response, offer, part)
                if _matches(part, offer):
                    return
        part.unlink()
    with _get(url, 0) as response:
        offer = _offer(response)
        _write(response, offer, part)
    if not _matches(part, offer):
        part.unlink()
        raise ModelError(f"what came from {url} is not what its checksum says; run this again to fetch it anew")


@contextmanager
def _get(url: str, start: int) -> Iterator[httpx.Response]:
    import httpx

    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    host = url.split("/")[2] if url.count("/") > 2 else url
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
            if response.status_code in {401, 403}:
                raise ModelError(f"{url} is private, needs a login or does not exist (status {response.status_code})")
            if response.status_code == 404:
                raise ModelError(f"{url} does not exist (status 404); compare the address with the hub's page")
            if response.is_error and response.status_code != 416:
                raise ModelError(f"{host} answered with status {response.status_code}; try again later")
            yield response
    except (httpx.TransportError, httpx.TooManyRedirects, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ModelError(
            f"the connection to {host} failed ({str(error) or type(error).__name__}); check the network and run "
            "this again to go on"
        ) from error


def _offer(response: httpx.Response) -> _Offer:
    """Read size and checksum from the response or, as the hub puts them there, from the redirects that led to it."""
    hops = [*response.history, response]
    tags = [hop.headers.get(name, "") for hop in hops for name in ("x-linked-etag", "etag")]
    checksums = [found[1].lower() for tag in tags if (found := re.fullmatch(r'(?:W/)?"?([0-9a-fA-F]{64})"?', tag))]
    checksum = checksums[0] if checksums else None
    if response.status_code == 416:
        return _Offer(None, checksum, -1)
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("content-range", ""))
    if response.status_code == 206 and span is not None:
        return _Offer(int(span[2]), checksum, int(span[1]))
    length = response.headers.get("content-length", "")
    return _Offer(int(length) if length.isdigit() else None, checksum, 0)


def _write(response: httpx.Response, offer: _Offer, part: Path) -> None:
    """Append the response to the partial file, or begin it; raises ModelError where it ends early or is no GGUF."""
    free = shutil.disk_usage(part.parent).free
    if offer.size is not None and offer.size - offer.start > free:
        raise ModelError(
            f"{part.parent} has {free / 1e9:.1f} GB left, but {(offer.size - offer.start) / 1e9:.1f} GB are needed; "
            "free some space, or choose another folder with --home"
        )
    done = offer.start
    with (
        part.open("ab" if offer.start else "wb") as file,
        tqdm(total=offer.size, initial=done, unit="B", unit_scale=True, disable=None, desc="Downloading") as bar,
    ):
        for chunk in response.iter_bytes(_CHUNK):
            if done == 0 and not chunk.startswith(_MAGIC):
                part.unlink()
                raise ModelError(f"{response.history[0].url if response.history else response.url} is not a GGUF file")
            file.write(chunk)
            done += len(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if done == 0 or (offer.size is not None and done != offer.size):
        raise ModelError(f"the download ended after {done} of {offer.size} bytes; run this again to go on")


def _matches(part: Path, offer: _Offer) -> bool:
    if offer.sha256 is None:
        return True
    with part.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == offer.sha256
