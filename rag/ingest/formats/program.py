"""The program: answers one request, within limits that it sets itself.

Standard input brings one line of JSON (`format`, `size` of the file, limits), then the file, and stays open: when it
ends, so does this program. Standard output gets one line of JSON: {"title", "text", "places"}, or {"error"} with one of
the words in `documents.py`. Of a ZIP file it says {"files", "left_out"}, and, asked for a `member`, {"size"}, behind
which that file follows. Asked for a page of a PDF file (`format` is "page"), it says {"marks", "size"}, and the picture
follows.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from .archive import list_zip, read_member
from .book import read_epub
from .cleaning import Refused
from .confinement import confine
from .page import draw_page
from .pdf import read_pdf
from .subtitles import read_subtitles
from .web import read_html
from .word import read_docx

_LIBRARIES = {
    "docx": "docx",
    "epub": "lxml.html",
    "html": "trafilatura",
    "page": "pypdfium2",
    "pdf": "pypdfium2",
    "srt": "webvtt",
    "vtt": "webvtt",
    "zip": "zipfile",
}
_READERS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "docx": read_docx,
    "epub": read_epub,
    "html": read_html,
    "srt": partial(read_subtitles, kind="srt"),
    "vtt": partial(read_subtitles, kind="vtt"),
}


def main() -> None:
    """Answer the one request on standard input."""
    request = json.loads(sys.stdin.buffer.readline())
    import_module(_LIBRARIES[request["format"]])  # before the limits: what it compiles is kept for the next time
    _limit(seconds=request["seconds"], memory_mb=request["memory_mb"])
    confine()
    data = sys.stdin.buffer.read(request["size"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    behind = b""
    try:
        if request["format"] == "pdf":
            result = read_pdf(data, max_pages=request["max_pages"], max_characters=request["max_characters"])
        elif request["format"] == "page":
            result, behind = draw_page(data, **{name: request[name] for name in ("number", "width", "text", "ranges")})
            result["size"] = len(behind)
        elif request["format"] != "zip":
            result = _READERS[request["format"]](data)
        elif "member" in request:
            behind = read_member(data, request["member"])
            result = {"size": len(behind)}
        else:
            limits = {name: request[name] for name in ("suffixes", "max_files", "max_bytes")}
            result = list_zip(data, **limits)
    except Refused as refused:
        result = {"error": str(refused)}
    except MemoryError:
        result, behind = {"error": "memory"}, b""
    if len(result.get("text", "")) > request["max_characters"]:
        result = {"error": "characters"}
    sys.stdout.buffer.write(json.dumps(result).encode() + b"\n" + behind)
    sys.stdout.buffer.flush()
    os._exit(0)


def _limit(*, seconds: float, memory_mb: int) -> None:
    """Let the system end this program at its limits, also where it would not listen; macOS keeps not all of them."""
    import signal

    with suppress(ImportError):
        import resource

        cpu = int(seconds) + 1
        for kind, value in (
            (resource.RLIMIT_AS, memory_mb * 1_000_000),
            (resource.RLIMIT_CPU, cpu),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, 64),
            (resource.RLIMIT_CORE, 0),
        ):
            with suppress(ValueError, OSError):
                resource.setrlimit(kind, (value, value))
        signal.alarm(cpu)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
