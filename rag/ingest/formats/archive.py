"""What is in a ZIP file of articles; nothing of it is ever written to the disk."""

from __future__ import annotations

import re
import stat
import zlib
from io import BytesIO
from lzma import LZMAError
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from .cleaning import Refused

MOST_TIMES = 200
"""No honest text of more than BOMB_BYTES is packed to so small a part of itself."""
BOMB_BYTES = 1_000_000
LONGEST_PATH = 300
NAMED = 3
"""Of what is left out, so many are named."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_OF_DOCUMENTS = frozenset({"[Content_Types].xml", "META-INF/container.xml"})
"""What Word documents and books have in them, which are ZIP files, too."""
UNFIT = (BadZipFile, EOFError, LookupError, LZMAError, OSError, RuntimeError, ValueError, zlib.error)
"""What `zipfile` raises of a ZIP file that is damaged or locked, or has no file of the name."""


def list_zip(data: bytes, *, suffixes: list[str], max_files: int, max_bytes: int) -> dict[str, Any]:
    """The `files` that end as articles do, sorted, as (path, bytes); the paths of the first of those `left_out` that do
    not, and how many `more` there are of these. Folders, and what systems put beside files, are neither.
    """
    entries = _entries(data)
    if any(info.filename in _OF_DOCUMENTS for info in entries):
        raise Refused("zip_document")
    if any(_leads_out(info.filename) for info in entries):
        raise Refused("zip_path")
    if any(info.flag_bits & 1 for info in entries):
        raise Refused("zip_encrypted")
    seen = {info.filename: info for info in entries if not info.is_dir() and not _is_hidden(info.filename)}
    files = sorted(path for path, info in seen.items() if _is_article(info, suffixes))
    if len(files) > max_files:
        raise Refused("zip_files")
    if any(seen[path].file_size > max(BOMB_BYTES, MOST_TIMES * seen[path].compress_size) for path in files):
        raise Refused("zip_bomb")
    if sum(seen[path].file_size for path in files) > max_bytes:
        raise Refused("zip_size")
    if not files:
        raise Refused("zip_nothing")
    left_out = sorted(seen.keys() - set(files))
    named = ["".join(c if c.isprintable() else " " for c in path)[:LONGEST_PATH] for path in left_out[:NAMED]]
    return {
        "files": [(path, seen[path].file_size) for path in files],
        "left_out": named,
        "more": len(left_out) - len(named),
    }


def read_member(data: bytes, path: str) -> bytes:
    """The file of the ZIP file that has the path; never more of it than it says of itself."""
    try:
        with ZipFile(BytesIO(data)) as whole:
            return whole.read(path)
    except UNFIT as error:
        raise Refused("broken") from error


def _entries(data: bytes) -> list[ZipInfo]:
    try:
        with ZipFile(BytesIO(data)) as whole:
            return whole.infolist()
    except UNFIT as error:
        raise Refused("broken") from error


def _leads_out(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or _DRIVE.match(path) is not None


def _is_hidden(path: str) -> bool:
    parts = path.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts)


def _is_article(info: ZipInfo, suffixes: list[str]) -> bool:
    if stat.S_ISLNK(info.external_attr >> 16) or len(info.filename) > LONGEST_PATH:
        return False
    return info.filename.isprintable() and info.filename.lower().endswith(tuple(suffixes))
