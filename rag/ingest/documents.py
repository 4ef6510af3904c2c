"""A file's bytes -> Document: decoded strictly, normalised once, refused in one clear line if it is no article."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
import unicodedata
from pathlib import Path
from textwrap import shorten

from rag.errors import DocumentError
from rag.ingest.formats.cleaning import LONGEST_TITLE
from rag.ingest.sandbox import parse
from rag.settings import Settings
from rag.types import Document, Original

SPOKEN = {".srt": "srt", ".vtt": "vtt"}
PARSED = {".docx": "docx", ".epub": "epub", ".html": "html", ".htm": "html", ".pdf": "pdf", **SPOKEN}
"""Formats that `formats/` reads, in a process of its own."""
DOCUMENTS = (".txt", ".md", ".markdown", *PARSED)
ARCHIVE = ".zip"
SUFFIXES = (*DOCUMENTS, ARCHIVE)
_REFUSALS = {
    "broken": "the file is damaged, or not what its name says; open it in a viewer and save it anew",
    "characters": "it is longer than the {0.max_document_mb:g} MB of text allowed; split it, or raise the setting "
    "max_document_mb",
    "crashed": "it cannot be read, perhaps because it is damaged; copy its text into a .txt file",
    "encrypted": "the PDF is locked with a password; save a copy without one",
    "memory": "reading it takes more than {0.parse_memory_mb} MB of memory; copy its text into a .txt file, or raise "
    "the setting parse_memory_mb",
    "no_article": "there is no article in this web page; copy the text that you want to ask into a .txt file",
    "no_cues": "there are no spoken words with their times in it; save the subtitles anew, as SubRip (.srt) or WebVTT "
    "(.vtt)",
    "no_text": "it holds no text, perhaps pictures of pages only; run text recognition (OCR) over it, for example "
    "ocrmypdf",
    "pages": "it has more than the {0.max_pages} pages allowed; split it, or raise the setting max_pages",
    "protected": "the book is locked (DRM), so that only its seller's programs can open it; take a copy that is not",
    "zip_bomb": "a file in it unpacks to hundreds of times its size, as articles never do; make a ZIP file of the "
    "articles alone",
    "zip_document": "it is a Word document or a book, not a ZIP file of articles; let its name end in .docx or .epub",
    "zip_encrypted": "the ZIP file is locked with a password; make one without",
    "zip_files": "it has more than the {0.max_zip_files} articles allowed; split it, or raise the setting "
    "max_zip_files",
    "zip_nothing": f"there is no article in the ZIP file, which would be a {', '.join(DOCUMENTS)} file",
    "zip_path": "a path in it leads out of it (../, or a place on the disk); make the ZIP file anew",
    "zip_size": "its articles unpack to more than the {0.max_zip_mb:g} MB allowed; split it, or raise the setting "
    "max_zip_mb",
    "time": "reading it takes more than {0.parse_seconds:g} s; copy its text into a .txt file, or raise the setting "
    "parse_seconds",
}
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters and those that turn the direction of writing; joiners within words and emoji are none."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def load_document(path: Path, settings: Settings) -> Document:
    """The article in the file, as `read_document` reads it; its source is the path as given.

    Raises DocumentError, which names the file.
    """
    return read_document(file_bytes(path, settings), str(path), settings)


def file_bytes(path: Path, settings: Settings) -> bytes:
    """What is in the file, which is none larger or of another kind than can be read; raises DocumentError, which names
    the file.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = os.fsencode(path).decode("utf-8", "replace")
        raise DocumentError(f"{name}: the file's name is not valid UTF-8; rename the file") from None
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe that nobody writes to, or a device, would be read for ever
            raise DocumentError(f"{path}: cannot be read: it is no regular file; give a file that holds the article")
        check_file(str(path), status.st_size, settings)
        return path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_document(data: bytes, name: str, settings: Settings) -> Document:
    """The article in a file's bytes; `name`, the file's path or name, tells its format, and its id is made from it.

    Text (`.txt`) and Markdown (`.md`), UTF-8 with or without byte-order mark, UTF-16 with one; web pages (`.html`), of
    which the article is taken; PDF (`.pdf`) that has text; Word documents (`.docx`) and books (`.epub`), of which the
    titles of chapters count as text; subtitles (`.srt`, `.vtt`), in the encodings of text. Raises DocumentError, which
    begins with the name and, for a wrong encoding, tells the byte.
    """
    check_file(name, len(data), settings)
    path = Path(name)
    if path.suffix.lower() == ARCHIVE:
        raise DocumentError(f"{name}: it is a ZIP file, in which there may be several articles; unpack it")
    kind = PARSED.get(path.suffix.lower())
    if kind is None:
        text = normalize(decode(data, name=name))
        return Document(document_id(path.stem), title_of(text, path), text, name)
    if kind in SPOKEN.values():
        data = decode(data, name=name).encode()
    parsed = parse(data, kind, settings)
    if parsed.error is not None:
        raise refused(name, parsed.error, settings)
    places = [place._replace(title=_one_line(place.title)) for place in parsed.places]
    if len("".join((parsed.text, *(place.title for place in places))).encode()) > settings.max_document_mb * 1_000_000:
        raise refused(name, "characters", settings)
    try:
        text = normalize(decode(parsed.text.encode(), name=name))  # what we ask of text, whoever made it
        title = _one_line(parsed.title) or title_of("", path)
        original = Original(hashlib.sha256(data).hexdigest(), data) if kind == "pdf" else None
        return Document(document_id(path.stem), title, text, name, tuple(places), original)
    except ValueError as error:
        raise refused(name, "crashed", settings) from error


def document_from_text(text: str, title: str, settings: Settings) -> Document:
    """The article that somebody pasted, normalised as a file is; without a title, its first words are its title.

    Raises DocumentError where there is nothing to ask about, or too much.
    """
    title = _one_line(title) or shorten(_one_line(text), 60, placeholder=" …") or "Pasted text"
    try:
        data = text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
        raise DocumentError("The text has characters that are none; paste it again") from error
    if len(data) > settings.max_document_mb * 1_000_000:
        raise refused("The text", "characters", settings)
    text = normalize(decode(data, name="The text"))
    return Document(document_id(title), title, text, "pasted")


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
        raise DocumentError(f"{name}: it is empty; there is nothing to ask about")
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
    summit"); one line of at most 200 characters, none of which steers what shows it.
    """
    if path.suffix.lower() in {".md", ".markdown"}:
        heading = _HEADING.search(_FENCE.sub(lambda fence: " " * len(fence[0]), text))
        # Marks that close a heading beyond what is kept of it close nothing here.
        if heading is not None and (title := _one_line(re.sub(r"(?:^|[ \t])#+$", "", heading[1][:1000].rstrip()))):
            return title
    stem = _one_line(path.stem)
    words = re.sub(r"[\s_-]+", " ", stem).strip() or stem or "Article"
    return words[:1].upper() + words[1:]


def document_id(name: str) -> str:
    """A short id from a file's or a document's name: letters, digits and hyphens, never empty, safe as a file name."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:60] or "article"


def _one_line(text: str) -> str:
    """The first words of the text as a title, "" where there is nothing to be seen."""
    return " ".join(_UNSEEN.sub(" ", text.strip()[:10_000]).split())[:LONGEST_TITLE].rstrip()


def check_file(name: str, size: int, settings: Settings) -> None:
    """Raises DocumentError where a file of this name and size, in bytes, is not read."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise DocumentError(f"{name}: only {', '.join(SUFFIXES)} files can be read; save the article as one of these")
    setting = "max_file_mb" if suffix in {*PARSED, ARCHIVE} else "max_document_mb"
    most: float = getattr(settings, setting)
    if size > most * 1_000_000:
        raise DocumentError(
            f"{name}: {size / 1e6:.1f} MB is more than the {most:g} MB allowed; raise the setting {setting}"
        )


def refused(name: str, why: str, settings: Settings) -> DocumentError:
    """The error that says of the file, in a line, what the word of the child process stands for."""
    return DocumentError(f"{name}: {_REFUSALS.get(why, _REFUSALS['crashed']).format(settings)}")
