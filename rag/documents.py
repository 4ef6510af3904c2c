"""Load a file into a Document: decoded strictly, normalised once, refused in one clear line if it is no article."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from pathlib import Path

from rag.errors import DocumentError
from rag.types import Document

SUFFIXES = (".txt", ".md", ".markdown")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def load_document(path: Path, *, max_mb: float) -> Document:
    """The article in the file; its id is made from the file's name (`document_id`), its source is the path as given.

    Text (`.txt`) and Markdown (`.md`), UTF-8 with or without byte-order mark, UTF-16 with one. Raises DocumentError,
    which names the file and, for a wrong encoding, the byte.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = os.fsencode(path).decode("utf-8", "replace")
        raise DocumentError(f"{name}: the file's name is not valid UTF-8; rename the file") from None
    if path.suffix.lower() not in SUFFIXES and path.exists():
        raise DocumentError(f"{path}: only {', '.join(SUFFIXES)} files can be read; save the article as one of these")
    try:
        size = path.stat().st_size
        if size > max_mb * 1_000_000:
            raise DocumentError(
                f"{path}: {size / 1e6:.1f} MB is more than the {max_mb:g} MB allowed; raise the setting max_document_mb"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    text = normalize(decode(data, name=str(path)))
    return Document(id=document_id(path.stem), title=title_of(text, path), text=text, source=str(path))


def decode(data: bytes, *, name: str) -> str:
    """The text of a file's bytes, without byte-order mark; `name` stands in the messages.

    Raises DocumentError for an empty or binary file and for bytes that are not the text they claim to be.
    """
    encoding, body = "utf-8", data
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            encoding, body = marked, data[len(mark) :]
            break
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        at = len(data) - len(body) + error.start
        byte = data[at] if at < len(data) else 0
        raise DocumentError(
            f"{name}: byte {at} (0x{byte:02x}) is not valid {encoding.upper()}; save the file as UTF-8"
        ) from error
    if not text.strip():
        raise DocumentError(f"{name}: the file is empty; there is nothing to ask about")
    if (control := _CONTROL.search(text)) is not None:
        raise DocumentError(
            f"{name}: character {control.start()} is the control character 0x{ord(control[0]):02x}: this looks like a "
            "binary file, not text"
        )
    return text


def normalize(text: str) -> str:
    """The stored form of a text: no byte-order mark, LF line ends, NFC; nothing else is changed, so that offsets into
    an already clean file are offsets into that file.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text)


def title_of(text: str, path: Path) -> str:
    """The first Markdown heading of a Markdown file, else the file's name made readable ("hanoi-summit" -> "Hanoi
    summit").
    """
    if path.suffix.lower() in {".md", ".markdown"}:
        heading = _HEADING.search(_FENCE.sub(lambda fence: " " * len(fence[0]), text))
        if heading is not None and (title := re.sub(r"(?:^|[ \t])#+$", "", heading[1].rstrip()).rstrip()):
            return title
    words = re.sub(r"[\s_-]+", " ", path.stem).strip() or path.stem
    return words[:1].upper() + words[1:]


def document_id(name: str) -> str:
    """A short id from a file's or a document's name: letters, digits and hyphens, never empty, safe as a file name."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:60] or "article"
