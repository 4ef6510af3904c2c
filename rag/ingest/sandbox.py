"""Run `formats/` on a stranger's file in a child process that time, memory and the parent's end put an end to, and that
reaches no files and no network where the system can see to that (`formats/confinement.py`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.ingest.formats.archive import LONGEST_PATH, NAMED
from rag.ingest.formats.cleaning import LONGEST_TITLE
from rag.ingest.formats.confinement import missing
from rag.settings import Settings
from rag.types import Place

PROGRAM = Path(__file__).with_name("formats")
_AT_ONCE = threading.BoundedSemaphore(2)
"""Children at a time: each may take the memory that one is allowed."""
_LARGEST = 10**9
"""Above any offset, page, chapter or second."""
_LARGEST_PICTURE = 40_000_000
"""Above what a page of the most pixels and its marks take, in bytes."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the child read: the title ("" where there is none), the text, and where its pages, chapters or times
    begin.

    Where it could not, `error` is the word that says why and the rest is empty.
    """

    title: str = ""
    text: str = ""
    places: tuple[Place, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page of a PDF file as PNG, and for each range that was asked for the boxes around its words: left, top, width
    and height as parts of the page's, in [0, 1]; none where they were not found on it.

    Where it cannot be drawn, `error` is the word that says why and the rest is empty.
    """

    picture: bytes = b""
    marks: tuple[tuple[tuple[float, ...], ...], ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The paths in a ZIP file of its articles, with their sizes in bytes, and of some of what is none, and how many
    `more` of these there are.

    Where it cannot be read, `error` is the word that says why and the rest is empty.
    """

    files: tuple[tuple[str, int], ...] = ()
    left_out: tuple[str, ...] = ()
    more: int = 0
    error: str | None = None


def parse(data: bytes, kind: str, settings: Settings, *, program: Path = PROGRAM) -> Parsed:
    """The file's text, read by `program` in a child; `kind` is one of `documents.PARSED`.

    Nothing that the child says is believed without a look. Nothing of it is left when this returns.
    """
    most = int(settings.max_document_mb * 1_000_000)
    request = {"format": kind, "max_pages": settings.max_pages}
    # As JSON, a character takes 12 bytes at most.
    output = _answer(data, request, settings, 12 * most + 100_000, program)
    return Parsed(error="time") if output is None else _checked(output, most)


def draw(
    data: bytes,
    number: int,
    text: str,
    ranges: Sequence[tuple[int, int]],
    *,
    width: int,
    settings: Settings,
    program: Path = PROGRAM,
) -> Drawn:
    """The page of a PDF file, from 1, in so many pixels of width; `ranges` are those of `text`, the page's, to find."""
    request = {"format": "page", "number": number, "width": width, "text": text, "ranges": ranges}
    result, picture = _with_bytes(_answer(data, request, settings, _LARGEST_PICTURE, program))
    if error := result.get("error"):
        return Drawn(error=str(error))
    try:
        marks = tuple(tuple(tuple(map(float, box)) for box in boxes) for boxes in result["marks"])
    except (ValueError, KeyError, TypeError):
        return Drawn(error="crashed")
    whole = picture.startswith(_PNG) and len(marks) == len(ranges)
    sane = all(len(box) == 4 and all(0 <= part <= 1 for part in box) for boxes in marks for box in boxes)
    return Drawn(picture, marks) if whole and sane else Drawn(error="crashed")


def list_members(data: bytes, suffixes: Sequence[str], settings: Settings, *, program: Path = PROGRAM) -> Listed:
    """What is in the ZIP file, sorted: paths that end with one of the suffixes are articles'."""
    request = {
        "format": "zip",
        "suffixes": list(suffixes),
        "max_files": settings.max_zip_files,
        "max_bytes": int(settings.max_zip_mb * 1_000_000),
    }
    output = _answer(data, request, settings, 12 * LONGEST_PATH * (settings.max_zip_files + NAMED), program)
    if output is None:
        return Listed(error="time")
    try:
        result = json.loads(output)
        if error := result.get("error"):
            return Listed(error=str(error))
        files = tuple((path, int(size)) for path, size in result["files"])
        left_out, more = tuple(result["left_out"]), int(result["more"])
        "".join((*(path for path, _ in files), *left_out)).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return Listed(error="crashed")
    return Listed(files, left_out, more)


def read_member(data: bytes, path: str, settings: Settings, *, program: Path = PROGRAM) -> bytes | str:
    """The bytes of the file that has the path in the ZIP file; or the word that says why they cannot be had."""
    most = int(max(settings.max_file_mb, settings.max_document_mb) * 1_000_000)
    request = {"format": "zip", "member": path}
    result, member = _with_bytes(_answer(data, request, settings, most + 100_000, program))
    return str(error) if (error := result.get("error")) else member


def reachable() -> tuple[str, ...]:
    """What a file that takes over its reader could reach on this system: nothing, or of "files" and "network"."""
    return missing()


def _answer(data: bytes, request: dict[str, Any], settings: Settings, most: int, program: Path) -> bytes | None:
    """The first `most` bytes that the program answers to the request about the file; None where that took too long."""
    limits = {
        "size": len(data),
        "seconds": settings.parse_seconds,
        "memory_mb": settings.parse_memory_mb,
        "max_characters": int(settings.max_document_mb * 1_000_000),
    }
    with _AT_ONCE:
        return _run(program, json.dumps({**limits, **request}).encode() + b"\n" + data, settings.parse_seconds, most)


def _with_bytes(output: bytes | None) -> tuple[dict[str, Any], bytes]:
    """What the program says of the bytes behind it, and these, as many as it says; or its "error", or our own."""
    if output is None:
        return {"error": "time"}, b""
    said, _, behind = output.partition(b"\n")
    try:
        result = json.loads(said)
        if result.get("error") or result["size"] == len(behind):
            return result, behind
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"error": "crashed"}, b""


def _run(program: Path, request: bytes, seconds: float, most: int) -> bytes | None:
    """The first `most` bytes that the program answers; None where that took too long."""
    # -I: neither the environment nor the folder that we are in decides what it imports.
    child = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-I", "-X", "utf8", str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        cwd=PROGRAM.parent,
        start_new_session=True,
    )
    assert child.stdin is not None  # noqa: S101
    assert child.stdout is not None  # noqa: S101
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(child)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        with suppress(BrokenPipeError):
            child.stdin.write(request)
            child.stdin.flush()
        output = child.stdout.read(most)  # the input stays open meanwhile: its end would end the child
    finally:
        timer.cancel()
        timer.join()  # or it could end whoever gets the child's id next
        _kill(child)
        child.wait()
        child.stdout.close()
        with suppress(BrokenPipeError):
            child.stdin.close()
    return None if late.is_set() else output


def _checked(output: bytes, most: int) -> Parsed:
    try:
        result = json.loads(output)
        if error := result.get("error"):
            return Parsed(error=str(error))
        title, text, places = result["title"], result["text"], tuple(Place(*place) for place in result["places"])
        "".join((title, text, *(place.title for place in places))).encode()  # half of a surrogate pair is no text
    except (ValueError, KeyError, TypeError, AttributeError):
        return Parsed(error="crashed")
    sane = all(map(_is_sane, places))
    return Parsed(title, text, places) if sane and len(text) <= most else Parsed(error="crashed")


def _is_sane(place: Place) -> bool:
    numbers = (place.start, place.number)
    known = place.kind in ("page", "time", "chapter") and all(type(n) is int and 0 <= n < _LARGEST for n in numbers)
    return known and len(place.title) <= (LONGEST_TITLE if place.kind == "chapter" else 0)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started; it has not been waited for, so its id is still its own."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
