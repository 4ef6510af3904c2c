"""Articles from web addresses: read as files are, from public servers alone; a server on this computer sends them."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from files import PAGE, PARAGRAPHS, paper
from hubs import running
from sites import Site, dribbles, leads_to, sends

from rag import Document, DocumentError, Library, Settings, load_page
from rag.ingest.public_hosts import is_public, look_up
from rag.ingest.web_address import MOST_REDIRECTS

HTML = PAGE.format(charset="utf-8").encode()


@pytest.fixture
def site() -> Iterator[Site]:
    with running(site := Site()):
        yield site
        site.closing.set()


def said(site: Site, settings: Settings, path: str = "/", host: str = "site.example", **options: float) -> str:
    """Why the page is refused, without its address."""
    address = site.at(path, host)
    with pytest.raises(DocumentError) as caught:
        site.load(address, settings, **options)
    message = str(caught.value)
    assert message.startswith(f"{address}: ")
    assert "\n" not in message
    return message.removeprefix(f"{address}: ")


def test_a_page_is_read_as_a_file_is_and_its_source_is_its_address(site: Site, settings: Settings) -> None:
    site.pages["/news?id=1"] = sends(HTML, "Text/HTML; charset=UTF-8")
    document = site.load(f" {site.at('/news?id=1')}#top ", settings)
    assert (document.id, document.title) == ("harbour-museum-reopens", "Harbour museum reopens")
    assert document.source == site.at("/news?id=1")
    assert "Clara Lindt founded" in document.text
    assert site.asked == [("/news?id=1", f"site.example:{site.server_address[1]}")]


@pytest.mark.parametrize(
    ("path", "kind", "data", "title", "words"),
    [
        ("/a/ice.php", "application/pdf", paper(PARAGRAPHS), "Ice in the harbour", "Clara"),
        ("/the-owls.txt", "text/plain", b"Seven owls sleep.", "The owls", "Seven owls"),
        ("/talk", "text/vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nThey sleep by day.", "Talk", "by day"),
        ("/raw", "text/markdown; charset=utf-8", b"# About owls\n\nThey sleep.", "About owls", "sleep"),
        ("/files/night-birds.md", "application/octet-stream", b"They sleep.", "Night birds", "sleep"),
        ("/files/night-birds.txt", None, b"They sleep.", "Night birds", "sleep"),
        ("/", "text/plain", b"They sleep.", "Site.example", "sleep"),
        ("/cp", "text/plain; charset=ISO-8859-1", "“Été”".encode("cp1252"), "Cp", "“Été”"),
        ("/ru", 'text/html; charset="windows-1251"', PAGE.format(charset="x").replace("Clara", "Клара").replace(
            "Å", "A").replace("©", "").encode("cp1251"), "Harbour museum reopens", "Клара Lindt"),
        ("/utf16", "text/plain; charset=utf-16le", "Été".encode("utf-16-le"), "Utf16", "Été"),
        ("/bom", "text/plain; charset=latin1", b"\xef\xbb\xbf\xc3\x89t\xc3\xa9", "Bom", "Été"),
    ],
)  # fmt: skip
def test_the_type_that_the_server_tells_decides_how_it_is_read(
    site: Site, settings: Settings, path: str, kind: str | None, data: bytes, title: str, words: str
) -> None:
    site.pages[path] = sends(data, kind)
    document = site.load(site.at(path), settings)
    assert document.title == title
    assert words in document.text
    assert document.source == site.at(path)


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("image/png", b"x", "it is 'image/png', not a text, a web page or a document; save"),
        ("application/octet-stream", b"x", "it is 'application/octet-stream', not"),
        ("text/plain; charset=punycode", b"x", "it is not text in 'punycode', as its server says; save"),
        ("text/plain; charset=nothing", b"x", "it is not text in 'nothing'"),
        ("text/plain; charset=utf-16le", b"\x00\xd8x", "it is not text in 'utf-16le'"),
        ("text/plain", b"caf\xe9", "byte 3 (0xe9) is not valid UTF-8"),
        ("text/plain", b"", "it is empty"),
        ("application/pdf", b"%PDF rubbish", "the file is damaged"),
        ("text/html", b"<nav>Menu</nav>", "there is no article in this web page"),
    ],
)
def test_what_is_no_article_is_refused(site: Site, settings: Settings, kind: str, data: bytes, says: str) -> None:
    site.pages["/x"] = sends(data, kind)
    assert said(site, settings, "/x").startswith(says)


def test_other_answers_than_a_page_are_told(site: Site, settings: Settings) -> None:
    assert said(site, settings).startswith("its server answers with status 404; check the address")
    site.pages["/part"] = sends(HTML, status=206)
    assert said(site, settings, "/part").startswith("its server answers with status 206")
    site.pages["/br"] = sends(HTML, Content_Encoding="br")
    assert said(site, settings, "/br").startswith("it was sent damaged")
    site.pages["/short"] = sends(HTML, Content_Length="100000")
    assert said(site, settings, "/short").startswith("its server is not reached, or breaks off")
    with running(gone := Site()):
        pass
    assert said(gone, settings).startswith("its server is not reached, or breaks off; check the address and the")


def test_redirects_are_followed_with_the_same_care(site: Site, settings: Settings) -> None:
    site.pages["/page"] = sends(HTML)
    site.pages["/a"] = leads_to("b#part", 301)
    site.pages["/b"] = leads_to(site.at("/page", "down.example"), 308)
    assert site.load(site.at("/a"), settings).source == site.at("/page", "down.example")
    assert site.looked_up == ["site.example", "site.example", "down.example"]  # once for each request
    site.pages["/loop"] = leads_to("/loop")
    site.asked.clear()
    assert said(site, settings, "/loop").startswith("it leads on more than 5 times")
    assert len(site.asked) == MOST_REDIRECTS + 1
    for address, says in (
        (site.at("/page", "inside.example"), "there is no public server of that name"),
        ("http://10.0.0.7/", "there is no public server of that name"),
        ("//u:p@site.example/", "it has a name or a password in it"),
        ("file:///etc/passwd", "it does not lead to a web page by http"),
        ("http://site.example:x/", "its server is not reached, or breaks off"),
        (f"/{'x' * 2000}", "it does not lead to a web page by http"),
    ):
        site.pages["/away"] = leads_to(address)
        assert said(site, settings, "/away").startswith(says)


def test_what_is_too_large_is_not_taken_whole(site: Site, settings: Settings) -> None:
    small = replace(settings, max_file_mb=0.1)
    too_large = "it is larger than the 0.1 MB allowed; raise the setting max_file_mb"
    large = b"<p>word</p>" * 20_000
    site.pages["/told"] = sends(b"", Content_Length="100001")
    site.pages["/untold"] = sends(large, Content_Length="")
    site.pages["/bomb"] = sends(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    assert [said(site, small, path) for path in ("/told", "/untold", "/bomb")] == [too_large] * 3
    site.pages["/text"] = sends(b"word " * 10_000, "text/plain")
    assert said(site, replace(small, max_document_mb=0.01), "/text").startswith("0.1 MB is more than the 0.01 MB")


def test_what_is_packed_is_unpacked_where_it_is_whole(site: Site, settings: Settings) -> None:
    packed = gzip.compress(HTML)
    site.pages["/whole"] = sends(packed, Content_Encoding="gzip")
    assert "Clara Lindt" in site.load(site.at("/whole"), settings).text
    for number, data in enumerate((packed[:-20], b"rubbish")):
        site.pages[f"/{number}"] = sends(data, Content_Encoding="gzip")
        assert said(site, settings, f"/{number}").startswith("it was sent damaged; try again")


def test_a_server_that_dribbles_is_left_at_the_deadline(site: Site, settings: Settings) -> None:
    site.pages["/"] = dribbles
    assert said(site, settings, seconds=0.5).startswith("its server took too long; try again later")


def test_a_name_is_asked_for_only_where_all_that_it_stands_for_is_public(site: Site, settings: Settings) -> None:
    for host in ("two.example", "inside.example", "unknown.example"):  # whoever asks does not learn which there are
        assert said(site, settings, host=host).startswith("there is no public server of that name; check the address")
    assert site.asked == []
    site.pages["/"] = sends(HTML)
    assert site.load(site.at("/", "down.example"), settings).source  # the second address answers


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "0", "localhost", "LOCALHOST."),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]"),
        *("10.1.2.3", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "[fc00::1]", "[ff0e::1]"),
    ],
)
def test_no_spelling_of_this_computer_or_its_network_is_asked(site: Site, settings: Settings, host: str) -> None:
    address = f"http://{host}:{site.server_address[1]}/"
    with pytest.raises(DocumentError, match="there is no public server of that name"):
        load_page(address, settings)
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::5db8:d70e", True),
        ("2002:5db8:d70e::1", True),
        ("192.168.0.1", False),
        ("172.31.255.255", False),
        ("192.0.2.1", False),
        ("255.255.255.255", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::1", False),
        ("2001::1", False),
        ("2001:db8::1", False),
        ("fec0::1", False),
        ("4000::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def test_the_system_knows_hosts_by_addresses() -> None:
    assert look_up("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://ann:secret@site.example/a", "https://site.example/a: it has a name or a password in it"),
        ("ftp://site.example/a", "ftp://site.example/a: it does not lead to a web page by http or https"),
        ("http://", "http://: it does not lead"),
        ("http://site.example:99999/", "http://site.example:99999/: it does not lead to a web page by http"),
        ("http://site.example:x/", "http://site.example:x/: it is not the address of a web page"),
        ("http://site.example/\ud800", "http://site.example/\ud800: it is not the address of a web page"),
    ],
)
def test_what_is_no_address_of_a_page_is_told_without_its_password(settings: Settings, address: str, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_page(address, settings)
    assert str(caught.value).startswith(says)
    assert "secret" not in str(caught.value)


def certified(folder: Path, name: str) -> ssl.SSLContext:
    """What serves TLS by that name; its certificate lies in the folder as `cert.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A site")])
    begins = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_certificate_must_be_the_names_and_nothing_leads_down_to_http(
    site: Site, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.socket = certified(tmp_path, "site.example").wrap_socket(site.socket, server_side=True)
    site.scheme = "https"
    site.pages["/"] = sends(HTML)
    assert said(site, settings).startswith("its certificate is not valid")  # nobody has vouched for it
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert site.load(site.at("/"), settings).title == "Harbour museum reopens"
    assert said(site, settings, host="down.example").startswith("its certificate is not valid; check the address")
    site.pages["/down"] = leads_to("http://site.example/")
    assert said(site, settings, "/down").startswith("it leads from https to http")


def test_no_proxy_of_the_environment_is_asked_nor_does_a_hubs_switch_matter(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/"] = sends(HTML)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert site.load(site.at("/"), settings).title == "Harbour museum reopens"


def test_a_collection_takes_addresses_beside_files_and_refreshes_them(
    site: Site, settings: Settings, library: Library, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("The choir won a prize.")
    site.pages["/owls.txt"] = sends(b"Seven owls sleep.", "text/plain")
    site.pages["/a"] = leads_to("/owls.txt")
    asked = [site.at("/a"), notes, str(notes), site.at("/gone")]
    change = library.add(asked, "mine", page=site.load)
    assert (change.added, change.unchanged) == (("notes", "owls"), ("notes",))
    assert [str(error).partition(": ")[0] for error in change.failed] == [site.at("/gone")]
    assert library.add([site.at("/owls.txt")], "mine", page=site.load).unchanged == ("owls",)
    site.pages["/owls.txt"] = sends(b"Eight owls sleep.", "text/plain")
    assert library.add([site.at("/a")], "mine", page=site.load).updated == ("owls",)
    (owls,) = (one for one in library.open("mine").documents.values() if isinstance(one, Document) and one.id == "owls")
    assert (owls.text, owls.source) == ("Eight owls sleep.", site.at("/owls.txt"))
