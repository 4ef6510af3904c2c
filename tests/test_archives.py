"""A ZIP file of articles: each becomes one of its own, or is told in one line; nothing of it reaches the disk."""

import stat
import struct
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest
from files import PAGE, PARAGRAPHS, book, paper, word, zipped

from rag.errors import DocumentError, LeftOutError
from rag.ingest.archives import load_articles, read_articles
from rag.ingest.documents import read_document
from rag.ingest.sandbox import Listed, list_members, read_member
from rag.settings import Settings
from rag.types import Document

TALK = "WEBVTT\n\n12:05.000 --> 12:09.000\nThe pier broke.\n"
PAPERS = {
    "papers/": "",
    "papers/Ice.pdf": paper(PARAGRAPHS),
    "papers/broken.pdf": "no PDF",
    "papers/2020/dam.md": "# The dam\n\nIt holds nine lakes of water.",
    "papers/2020/bee.txt": "A bee visits two thousand flowers.",
    "page.html": PAGE.format(charset="utf-8"),
    "report.docx": word(),
    "pier.epub": book("<p>The pier.</p>", "<p>b</p>"),
    "talk.vtt": TALK,
    "photo.jpg": b"\xff\xd8",
    "more.zip": zipped({"secret.txt": "Not read."}),
    "data.csv": "1,2",
    "table.xlsx": "PK",
    "__MACOSX/._dam.md": "rubbish",
    ".DS_Store": "rubbish",
    "papers/.hidden.txt": "rubbish",
}


def read(data: bytes, name: str = "a.zip", **settings: float) -> list[Document | DocumentError]:
    return list(read_articles(data, name, replace(Settings(), **settings)))  # type: ignore[arg-type]


def test_each_article_in_a_zip_file_is_one_of_its_own() -> None:
    found = read(zipped(PAPERS))
    documents = [one for one in found if isinstance(one, Document)]
    assert [(document.source, document.title) for document in documents] == [
        ("a.zip/page.html", "Harbour museum reopens"),
        ("a.zip/papers/2020/bee.txt", "Bee"),
        ("a.zip/papers/2020/dam.md", "The dam"),
        ("a.zip/papers/Ice.pdf", "Ice in the harbour"),
        ("a.zip/pier.epub", "The pier"),
        ("a.zip/report.docx", "Ice in the harbour"),
        ("a.zip/talk.vtt", "Talk"),
    ]
    assert [document.id for document in documents[1:3]] == ["bee", "dam"]
    alone = read_document(PAPERS["papers/Ice.pdf"], "Ice.pdf", Settings())
    assert documents[3] == replace(alone, source="a.zip/papers/Ice.pdf")
    broken, left_out = (str(one) for one in found if isinstance(one, DocumentError))
    assert broken.startswith("a.zip/papers/broken.pdf: the file is damaged, or not what its name says; ")
    assert left_out == "a.zip: left out what cannot be read as an article: data.csv, more.zip, photo.jpg and 1 more"


def test_what_is_left_out_is_no_failure_and_comes_last() -> None:
    document, left_out = read(zipped({"a.jpg": "", "b.txt": "Text.", "x" * 90 + "\n.png": ""}))
    assert isinstance(document, Document)
    assert isinstance(left_out, LeftOutError)
    assert str(left_out) == f"a.zip: left out what cannot be read as an article: a.jpg, {'x' * 60}…"


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_BZIP2, ZIP_LZMA])
def test_a_zip_file_may_be_packed_otherwise(method: int) -> None:
    (document,) = read(zipped({"ü/bee.txt": "A bee."}, method=method))
    assert isinstance(document, Document)
    assert (document.text, document.source) == ("A bee.", "a.zip/ü/bee.txt")


def test_of_a_path_that_is_there_twice_the_last_counts() -> None:
    out = BytesIO()
    with ZipFile(out, "w") as whole:
        whole.writestr("a.txt", "One.")
        with pytest.warns(UserWarning, match="Duplicate name"):
            whole.writestr("a.txt", "Two.")
    (document,) = read(out.getvalue())
    assert isinstance(document, Document)
    assert document.text == "Two."


def _locked() -> bytes:
    """A ZIP file whose one entry says that it is encrypted."""
    data = bytearray(zipped({"a.txt": "Text."}))
    data[6] |= 1  # the flags in front of the file, and in the list of files
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _lying(size: int) -> bytes:
    """A ZIP file whose one entry says that it unpacks to `size` bytes, and holds more."""
    data = bytearray(zipped({"a.txt": b"words " * 100_000}))
    for at in (22, data.index(b"PK\x01\x02") + 24):
        data[at : at + 4] = struct.pack("<I", size)
    return bytes(data)


def _link() -> bytes:
    link = ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped({link: "/etc/passwd", "b.txt": "Text."})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is damaged, or not what its name says"),
        (b"PK\x03\x04 rubbish", "the file is damaged, or not what its name says"),
        (zipped(PAPERS)[:2000], "the file is damaged, or not what its name says"),
        (_locked(), "the ZIP file is locked with a password; make one without"),
        (zipped({"../a.txt": "Text."}), r"a path in it leads out of it \(\.\./, or a place on the disk\)"),
        (zipped({"b.txt": "Text.", "x/../../a.jpg": ""}), "a path in it leads out of it"),
        (zipped({"..\\a.txt": "Text."}), "a path in it leads out of it"),
        (zipped({"/etc/a.txt": "Text."}), "a path in it leads out of it"),
        (zipped({"C:\\a.txt": "Text."}), "a path in it leads out of it"),
        (zipped({"photo.jpg": "", "x/": ""}), r"there is no article in the ZIP file, which would be a \.txt, \.md"),
        (zipped({}), "there is no article in the ZIP file"),
        (word(), "it is a Word document or a book, not a ZIP file of articles; let its name end in"),
        (book("<p>One.</p>", "<p>b</p>"), "it is a Word document or a book, not a ZIP file of articles"),
        (zipped({"a.txt": b"\0" * 3_000_000}), "a file in it unpacks to hundreds of times its size"),
    ],
)
def test_what_is_no_zip_file_of_articles_is_refused_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    (error,) = load_articles(tmp_path / "a.zip", Settings())
    assert isinstance(error, DocumentError)
    with pytest.raises(DocumentError, match=rf"a\.zip: {says}"):
        raise error
    assert "\n" not in str(error)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


def test_number_and_sizes_have_limits() -> None:
    many = zipped({f"{n}.txt": f"Text {n}." for n in range(4)})
    for data, settings, says in (
        (many, {"max_zip_files": 3}, "it has more than the 3 articles allowed; .* max_zip_files"),
        (many, {"max_zip_mb": 0.001}, None),
        (zipped({"a.txt": "word " * 300}), {"max_zip_mb": 0.001}, r"more than the 0\.001 MB allowed; .* max_zip_mb"),
        (
            zipped({"a.txt": "word " * 300}),
            {"max_document_mb": 0.001},
            r"^a\.zip/a\.txt: 0\.0 MB is more than the 0\.001",
        ),
        (zipped({"a.jpg": "word " * 300, "b.txt": "Text."}), {"max_zip_mb": 0.001}, None),
        (paper(PARAGRAPHS) * 9, {"max_file_mb": 0.001}, r"^a\.zip: 0\.0 MB is more than the 0\.001 MB .* max_file_mb"),
    ):
        first = read(data, **settings)[0]
        if says is None:
            assert isinstance(first, Document)
            continue
        assert isinstance(first, DocumentError)
        with pytest.raises(DocumentError, match=says):
            raise first


@pytest.mark.parametrize("size", [10, 2**31])
def test_a_file_that_lies_about_its_size_is_refused_and_takes_no_room(size: int) -> None:
    (error,) = read(_lying(size))
    assert isinstance(error, DocumentError)
    assert "damaged" in str(error) or "unpack" in str(error)


def test_a_link_is_not_followed() -> None:
    document, left_out = read(_link())
    assert isinstance(document, Document)
    assert document.text == "Text."
    assert "link.txt" in str(left_out)


def test_a_zip_file_is_no_article_itself() -> None:
    with pytest.raises(DocumentError, match=r"^a\.zip: it is a ZIP file, in which there may be several articles"):
        read_document(zipped({"a.txt": "Text."}), "a.zip", Settings())


def test_any_other_file_is_the_one_article_that_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Text.")
    (document,) = load_articles(tmp_path / "a.txt", Settings())
    assert isinstance(document, Document)
    assert document.source == str(tmp_path / "a.txt")
    for path in ("gone.txt", "gone.zip", "a.exe"):
        (error,) = load_articles(tmp_path / path, Settings())
        assert isinstance(error, DocumentError)


@pytest.mark.parametrize(
    "said",
    ["print('x')", "print('[1]')", "print('{\"files\": [1]}')", "print('{\"size\": 3}')", "sys.exit(3)", "os.abort()"],
)
def test_what_a_child_says_of_a_zip_file_is_not_believed(tmp_path: Path, said: str) -> None:
    program = tmp_path / "child.py"
    program.write_text(
        "import json, os, sys\n"
        f"request = json.loads(sys.stdin.buffer.readline()); sys.stdin.buffer.read(request['size'])\n{said}\n"
    )
    assert list_members(b"x", [".txt"], Settings(), program=program) == Listed(error="crashed")
    assert read_member(b"x", "a.txt", Settings(), program=program) == "crashed"


def test_a_child_that_hangs_over_a_zip_file_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "child.py"
    program.write_text("import time; time.sleep(600)")
    quick = replace(Settings(), parse_seconds=1.0)
    assert list_members(b"x", [".txt"], quick, program=program) == Listed(error="time")
    assert read_member(b"x", "a.txt", quick, program=program) == "time"
