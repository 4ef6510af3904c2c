"""The files of an electronic book (EPUB), which is a ZIP file: what is read of them, and as what."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from .archive import UNFIT
from .cleaning import Refused

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PACKAGE, _XHTML, _NCX = "application/oebps-package+xml", "application/xhtml+xml", "application/x-dtbncx+xml"
_NAV = "nav"
_TITLE = "{*}metadata/{http://purl.org/dc/elements/1.1/}title"
_MARKS = {
    BOM_UTF8: "utf-8",
    BOM_UTF16_LE: "utf-16-le",
    b"<\0": "utf-16-le",
    BOM_UTF16_BE: "utf-16-be",
    b"\0<": "utf-16-be",
}
"""The encodings of files that begin so."""
_DECLARED = re.compile(
    rb"""<(?:\?xml\s[^>]*?\bencoding|meta\s[^>]*?\bcharset)\s*=\s*["']?(?!utf-?(?:16|32))([\w.:-]+)""", re.IGNORECASE
)
"""The encoding that an XML declaration or the head of a page names, unless nobody could read there that it is that."""
_HEAD = 2000
"""So many bytes are looked through for it."""


@dataclass(frozen=True, slots=True)
class Book:
    """The title, and by their paths in the ZIP file the files of the text, in the order in which they are read, and
    those of the table of contents, the newer form first.
    """

    title: str
    chapters: dict[str, bytes]
    tables: dict[str, bytes]


def opened(data: bytes) -> Book:
    """What the package file of the book names (EPUB 3.3, https://www.w3.org/TR/epub-33/); raises Refused."""
    from lxml import etree

    try:
        with ZipFile(BytesIO(data)) as files:
            return _unpacked(files)
    except (*UNFIT, etree.LxmlError) as error:
        raise Refused("broken") from error


def _unpacked(files: ZipFile) -> Book:
    rootfile = _xml(files.read(_CONTAINER)).findall(f".//{{*}}rootfile[@media-type='{_PACKAGE}']")[0]
    place = path_of(rootfile.get("full-path", ""))
    package = _xml(files.read(place))
    items = package.findall("{*}manifest/{*}item")
    by_id = {item.get("id"): item for item in reversed(items)}
    spine = package.findall("{*}spine")[0].findall("{*}itemref")
    order = [by_id[ref.get("idref")] for ref in spine if ref.get("linear") != "no" and ref.get("idref") in by_id]

    def paths(items: Iterable[Any], kind: str) -> dict[str, None]:
        """Those of the items of the kind, each once, however often it is named."""
        return dict.fromkeys(path_of(item.get("href", ""), place) for item in items if _kind(item) == kind)

    chapters, tables = paths(order, _XHTML), paths(items, _NAV) | paths(items, _NCX)
    there = set(files.namelist())
    if _ENCRYPTION in there:  # often of fonts alone
        hidden = _xml(files.read(_ENCRYPTION)).findall(".//{*}CipherReference")
        if any(path_of(one.get("URI", "")) in chapters for one in hidden):
            raise Refused("protected")
    return Book(
        title=package.findtext(_TITLE) or "",
        chapters={path: content for path in chapters if (content := files.read(path)).strip()},
        tables={path: files.read(path) for path in tables if path in there},
    )


def _kind(item: Any) -> str | None:
    """The media type of the item, of which that of the newer table of contents says too little."""
    kind: str | None = item.get("media-type")
    return _NAV if kind == _XHTML and _NAV in item.get("properties", "").split() else kind


def path_of(href: str, base: str = "") -> str:
    """The path to which a link in the file `base` leads; no file has one that leads out of the ZIP file."""
    return normpath(join(dirname(base), unquote(href.partition("#")[0])))


def _xml(content: bytes) -> Any:
    """The root of a file of XML, of which no entity is resolved and nothing else is read; raises Refused."""
    from lxml import etree

    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(content, parser)
    if root is None:
        raise Refused("broken")
    return root


def html_tree(content: bytes) -> Any:
    """The root of a file of HTML or of XML whose names are read as those of HTML are; raises Refused."""
    from lxml import etree, html

    # The parser would end a text without a word where a byte is none of its encoding.
    parser = html.HTMLParser(encoding="utf-8")
    try:
        return html.document_fromstring(_decoded(content).encode("utf-8", "replace"), parser)
    except etree.LxmlError as error:
        raise Refused("broken") from error


def _decoded(content: bytes) -> str:
    """The text, read as what its mark says, else as UTF-8 where it can be that, whatever it says of itself, and else as
    what it declares; what is no character then is replaced.
    """
    if mark := next(filter(content.startswith, _MARKS), None):
        return content.decode(_MARKS[mark], "replace")
    with suppress(UnicodeDecodeError):
        return content.decode()
    if declared := _DECLARED.search(content[:_HEAD]):
        with suppress(LookupError, UnicodeError):  # nobody knows it, or it is none of texts
            return content.decode(declared[1].decode(), "replace")
    return content.decode("utf-8" if content.startswith(b"<?xml") else "cp1252", "replace")
