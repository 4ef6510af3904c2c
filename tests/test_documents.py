import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import DocumentError
from rag.ingest.documents import decode, document_from_text, document_id, load_document, normalize, title_of
from rag.settings import Settings


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_text_of_a_clean_file_is_the_file(tmp_path: Path) -> None:
    text = "  First line.\n\n\tSecond — “quoted”.  \n"
    document = load_document(write(tmp_path, "a.txt", text.encode()), Settings())
    assert document.text == text


@pytest.mark.parametrize(
    "data",
    [
        "Grüße aus Köln".encode(),
        b"\xef\xbb\xbf" + "Grüße aus Köln".encode(),
        b"\xff\xfe" + "Grüße aus Köln".encode("utf-16-le"),
        b"\xfe\xff" + "Grüße aus Köln".encode("utf-16-be"),
        "Gru\u0308ße aus Ko\u0308ln".encode(),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16-le", "utf-16-be", "decomposed"],
)
def test_encodings_give_the_same_text(tmp_path: Path, data: bytes) -> None:
    assert load_document(write(tmp_path, "a.txt", data), Settings()).text == "Grüße aus Köln"


def test_line_ends_become_lf_and_nothing_else_changes() -> None:
    assert normalize("a\r\nb\rc\n  d\u00a0e") == "a\nb\nc\n  d\u00a0e"


def test_a_wrong_byte_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"a\.txt: byte 3 \(0xe9\) is not valid UTF-8; save the file as UTF-8"):
        load_document(write(tmp_path, "a.txt", b"caf\xe9 ole"), Settings())


def test_a_wrong_byte_behind_a_mark_is_counted_from_the_start_of_the_file() -> None:
    with pytest.raises(DocumentError, match="byte 4 "):
        decode(b"\xef\xbb\xbfa\xff", name="x")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"text\x00text", "binary"),
        (b"\x1b[31mred", "binary"),
    ],
)
def test_empty_and_binary_files_are_refused(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        load_document(write(tmp_path, "a.txt", data), Settings())


def test_the_size_limit_is_a_setting(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", b"x" * 2000)
    assert load_document(path, Settings(max_document_mb=0.002)).text == "x" * 2000
    with pytest.raises(DocumentError, match="max_document_mb"):
        load_document(path, Settings(max_document_mb=0.001))


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    path.write_text("Text.")
    with pytest.raises(DocumentError, match="rename the file"):
        load_document(path, Settings())


def test_other_files_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="save the article as"):
        load_document(write(tmp_path, "a.xlsx", b"text"), Settings())
    with pytest.raises(DocumentError, match=r"gone\.txt: cannot be read: No such file"):
        load_document(tmp_path / "gone.txt", Settings())
    with pytest.raises(DocumentError, match="gone: cannot be read: No such file"):
        load_document(tmp_path / "gone", Settings())
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DocumentError, match="cannot be read"):
        load_document(tmp_path / "folder.txt", Settings())


@pytest.mark.parametrize("kind", [".txt", ".pdf"])
def test_a_pipe_and_a_link_to_a_device_are_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    pipe, link = tmp_path / f"pipe{kind}", tmp_path / f"zero{kind}"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    code = "import sys; from rag.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--home", str(tmp_path), "index", str(pipe), str(link), "--collection", "c"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"article-chat: error: {path}: cannot be read: it is no regular file; give a file that holds the article"
        for path in (pipe, link)
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# " + "word " * 100_000, "word " * 39 + "word"),
        ("# " + "# " * 200_000, "# " * 99 + "#"),
        ("# A \u202ereversed\u2069 and\x0bbroken\u2028 one\u200e", "A reversed and broken one"),
        ("# \u202e\n\n# Real", "X"),
        ("# Ünïcode 👩\u200d👩\u200d👧 नि\u200dस्", "Ünïcode 👩\u200d👩\u200d👧 नि\u200dस्"),
    ],
    ids=["long", "marks", "direction", "nothing seen", "joiners"],
)
def test_a_title_is_one_line_of_200_characters_without_those_that_nobody_sees(text: str, title: str) -> None:
    assert title_of(text, Path("x.md")) == title


def test_every_title_is_one_line(tmp_path: Path) -> None:
    loaded = load_document(write(tmp_path, "a\u202eb\nc.txt", b"Text."), Settings())
    assert loaded.title == "A b c"
    assert document_from_text("Text.", "A\u202e title\x07", Settings()).title == "A title"
    assert document_from_text("\u202eText.", "\u202e", Settings()).title == "Text."
    assert document_from_text("\u202e.", "", Settings()).title == "."


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("hanoi-summit.txt", "# no heading in a text file", "Hanoi summit"),
        ("a_b--c.md", "no heading", "A b c"),
        ("x.md", "intro\n\n## The title ##\n\n# Later", "The title"),
        ("x.md", "```\n# a comment\n```\n# Real", "Real"),
        ("x.md", "#hashtag\n", "X"),
        ("---.txt", "t", "---"),
        ("x.md", "# Learning C#", "Learning C#"),
        ("x.md", "# #\n# Real", "X"),
    ],
)
def test_titles(name: str, text: str, title: str) -> None:
    assert title_of(text, Path(name)) == title


@pytest.mark.parametrize(
    ("name", "key"),
    [("Hanoi Summit!", "hanoi-summit"), ("Über café", "uber-cafe"), ("../../etc", "etc"), ("中文", "article")],
)
def test_ids_are_safe_file_names(name: str, key: str) -> None:
    assert document_id(name) == key


def test_pasted_text_is_normalised_and_named_by_its_first_words() -> None:
    document = document_from_text("The bee\r\nvisits.", " The  bees\n", Settings())
    assert (document.text, document.title, document.source) == ("The bee\nvisits.", "The bees", "pasted")
    assert document_from_text("The bee visits\n\nflowers.", "", Settings()).title == "The bee visits flowers."
    assert document_from_text("word " * 50, " ", Settings()).title == "word " * 11 + "…"


@pytest.mark.parametrize(
    ("text", "says"),
    [(" \n", "is empty"), ("a\x00b", "control"), ("\ud800", "paste it"), ("x" * 2000, "MB of text allowed")],
)
def test_what_is_pasted_and_no_text_is_refused(text: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        document_from_text(text, "T", Settings(max_document_mb=0.001))
