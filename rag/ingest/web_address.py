"""A web address -> the article there, fetched only when somebody asks for it, and from public servers alone.

The address is often a stranger's, and this computer can reach what strangers cannot. So a host's name is looked up once
for each request, all that it stands for must be public, and the connection goes to what was looked at: the name is not
looked up again, and no proxy of the environment, which would look it up itself, stands between.
"""

from __future__ import annotations

import codecs
import re
import socket
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from rag.errors import DocumentError
from rag.ingest.documents import DOCUMENTS, SPOKEN, document_id, read_document
from rag.ingest.public_hosts import Permit, Resolve, is_public, look_up
from rag.settings import Settings
from rag.types import Document

if TYPE_CHECKING:
    import httpx

LoadPage: TypeAlias = Callable[[str, Settings], Document]
"""As `load_page` does."""
SECONDS = 30.0
"""Of all that is done for an address, redirects and all; a server that dribbles is held to it, too."""
MOST_REDIRECTS = 5
_SILENCE_SECONDS = 10.0
_LONGEST = 2000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNTOLD = "application/octet-stream"
_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/epub+zip": ".epub",
    "application/x-subrip": ".srt",
    "text/vtt": ".vtt",
}
_CHARSETS = re.compile(
    r"utf-16(-[bl]e)?|iso8859-\d+|cp(125\d|866|874|932|949|950)|koi8-[ru]|tis-620|euc_jp|iso2022_jp|gbk|gb18030|big5"
)
"""What texts are written in, as Python names it; it knows other encodings, too, some of them slow to read."""
_ON_THE_WEB = {"ascii": "cp1252", "euc_kr": "cp949", "gb2312": "gbk", "iso8859-1": "cp1252", "shift_jis": "cp932"}
"""What these names mean on the web (https://encoding.spec.whatwg.org/#names-and-labels)."""
_SAVE = "save the page in a browser, and add the file"


class _RefusedError(Exception):
    """Why the page is not read, and what to do; the address comes before it."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What a server sent, from the address that it was at last found at, with its type and charset, "" for none."""

    url: httpx.URL
    kind: str
    charset: str
    data: bytes


def is_address(text: str) -> bool:
    """Whether the text begins as the address of a web page does, and so is no path."""
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def load_page(
    address: str,
    settings: Settings,
    *,
    resolve: Resolve = look_up,
    permit: Permit = is_public,
    seconds: float = SECONDS,
) -> Document:
    """The article at the address, read as a file of its type is; its source is the address, without fragment, that
    redirects led to, and its id is made from its title.

    Only servers all of whose IP addresses `permit` lets pass are asked. Raises DocumentError, in a line that begins
    with the address.
    """
    from anyio.from_thread import start_blocking_portal

    shown = re.sub(r"(?<=//)[^/?#]*@", "", " ".join(address.split()))[:_LONGEST]  # without a password
    try:
        with start_blocking_portal() as portal:  # where the caller has a loop of its own, too
            page = portal.call(_within, seconds, address, int(settings.max_file_mb * 1_000_000), resolve, permit)
        return _article(page, settings)
    except _RefusedError as error:
        raise DocumentError(f"{shown}: {error}") from error


async def _within(seconds: float, address: str, most: int, resolve: Resolve, permit: Permit) -> _Page:
    import anyio
    import httpx

    try:
        with anyio.fail_after(seconds):
            return await _followed(httpx.URL(address.strip()), most, resolve, permit)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise _RefusedError(f"its server took too long; try again later, or {_SAVE}") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _RefusedError("it is not the address of a web page; copy it from a browser") from error
    except httpx.HTTPError as error:
        bad = "CERTIFICATE_VERIFY_FAILED" in str(error)
        why = "its certificate is not valid" if bad else "its server is not reached, or breaks off"
        raise _RefusedError(f"{why}; check the address and the network, or {_SAVE}") from error


async def _followed(url: httpx.URL, most: int, resolve: Resolve, permit: Permit) -> _Page:
    """The page that the address leads to; each step is looked at as the first was."""
    for _ in range(MOST_REDIRECTS + 1):
        _check(url)
        found = await _asked(url, await _public(url, resolve, permit), most)
        if isinstance(found, _Page):
            return found
        if url.scheme == "https" and found.scheme == "http":
            raise _RefusedError(f"it leads from https to http, where anybody could change the page; {_SAVE}")
        url = found
    raise _RefusedError(f"it leads on more than {MOST_REDIRECTS} times; give the address that a browser ends at")


def _check(url: httpx.URL) -> None:
    if url.scheme not in {"http", "https"} or not url.host or _port(url) > 65535 or len(str(url)) > _LONGEST:
        raise _RefusedError("it does not lead to a web page by http or https; copy the address from a browser")
    if url.userinfo:
        raise _RefusedError(f"it has a name or a password in it, which are not sent; leave them out, or {_SAVE}")


async def _public(url: httpx.URL, resolve: Resolve, permit: Permit) -> Sequence[str]:
    """The IP addresses of the host, all of them permitted.

    Whether a host is private or is none sounds the same: who may not reach it need not learn which names there are.
    """
    from anyio import to_thread

    try:
        found = await to_thread.run_sync(resolve, url.raw_host.decode(), _port(url), abandon_on_cancel=True)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise _RefusedError("its server could not be looked up; check the network, and try again") from error
        found = []
    except (OSError, UnicodeError):
        found = []
    if not found or not all(permit(ip_address(ip)) for ip in found):
        raise _RefusedError(f"there is no public server of that name; check the address; on your own network, {_SAVE}")
    return found


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


async def _asked(url: httpx.URL, addresses: Sequence[str], most: int) -> _Page | httpx.URL:
    """The page, or the address that its server sends us on to; the first of the IP addresses that listens is asked."""
    import httpx

    headers = {"Host": url.netloc.decode(), "User-Agent": "article-chat", "Accept-Encoding": "gzip"}
    # The certificate must be the name's. A client for each request: a connection to the same IP address may be one
    # to another name, and there are no cookies to keep.
    named = {"sni_hostname": url.raw_host.decode()}
    tls = httpx.create_ssl_context()
    async with httpx.AsyncClient(verify=tls, trust_env=False, timeout=_SILENCE_SECONDS) as client:
        for number, ip in enumerate(addresses, 1):
            try:
                there = url.copy_with(host=ip, fragment=None)
                request = client.build_request("GET", there, headers=headers, extensions=named)
                response = await client.send(request, stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(addresses):
                    raise
        try:
            return await _answer(url, response, most)
        finally:
            await response.aclose()


async def _answer(url: httpx.URL, response: httpx.Response, most: int) -> _Page | httpx.URL:
    if response.status_code in _REDIRECTS and "Location" in response.headers:
        return url.join(response.headers["Location"])
    if response.status_code != 200:
        raise _RefusedError(f"its server answers with status {response.status_code}; check the address, or {_SAVE}")
    kind = response.headers.get("Content-Type", _UNTOLD).partition(";")[0].strip().lower()
    data = await _body(response, most)
    return _Page(url.copy_with(fragment=None), kind, response.charset_encoding or "", data)


async def _body(response: httpx.Response, most: int) -> bytes:
    """What was sent, unpacked; never more of it is in memory than `most` bytes and what came at once."""
    too_large = _RefusedError(f"it is larger than the {most / 1e6:g} MB allowed; raise the setting max_file_mb")
    damaged = _RefusedError(f"it was sent damaged; try again, or {_SAVE}")
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in {"identity", "gzip"}:  # nothing else was asked for
        raise damaged
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise too_large
    gzip = zlib.decompressobj(wbits=31) if packed == "gzip" else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += gzip.decompress(chunk, most + 1 - len(body)) if gzip else chunk
        except zlib.error as error:
            raise damaged from error
        if len(body) > most:
            raise too_large
    if gzip and not gzip.eof:
        raise damaged
    return bytes(body)


def _article(page: _Page, settings: Settings) -> Document:
    """The article that the page holds, under the name of its last part."""
    path = PurePosixPath(page.url.path)
    named = path.suffix.lower() if page.kind == _UNTOLD and path.suffix.lower() in DOCUMENTS else ""
    suffix = _TYPES.get(page.kind, named)
    if not suffix:
        raise _RefusedError(f"it is {page.kind[:80]!r}, not a text, a web page or a document; {_SAVE}")
    data = _in_utf8(page.data, page.charset) if suffix in {".html", ".md", ".txt", *SPOKEN} else page.data
    name = f"{(path.stem or page.url.host)[:100]}{suffix}"
    try:
        document = read_document(data, name, settings)
    except DocumentError as error:
        raise _RefusedError(str(error).removeprefix(f"{name}: ")) from error
    return replace(document, id=document_id(document.title), source=str(page.url))


def _in_utf8(data: bytes, charset: str) -> bytes:
    """The text in UTF-8, as its server names the charset; a byte-order mark at its beginning knows better."""
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data
    try:
        name = codecs.lookup(charset or "utf-8").name
        name = _ON_THE_WEB.get(name, name)
        if name == "utf-8":
            return data
        if _CHARSETS.fullmatch(name):
            return data.decode(name).encode()
    except (LookupError, ValueError):
        pass
    raise _RefusedError(f"it is not text in {charset[:40]!r}, as its server says; {_SAVE}")
