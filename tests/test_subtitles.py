"""Subtitles and transcripts: what is said, once, as running text, and when."""

from dataclasses import replace

import pytest
from files import ROLLING

from rag.errors import DocumentError
from rag.ingest.documents import read_document
from rag.settings import Settings
from rag.types import Document

SPEAKERS = """\
WEBVTT - A meeting

intro
00:01.000 --> 00:04.000 line:0
<v.loud Clara Lindt>The pier broke
in <i>March</i>.</v>

00:04.000 --> 00:05.900
<v Clara Lindt>I had said so.</v>

01:00:05.900 --> 01:00:07.000
<v Bob &amp; Sons>Who heard it?</v> <v Clara Lindt>Nobody &lt;here&gt;.</v>

01:00:07.000 --> 01:00:08.000
And then, 3 < 5.
"""
FILM = """\
\ufeff
1
00:00:01,000 --> 00:00:02,500
{\\an8}<i>The ferry</i> <font color="red">was</font>

late,
2
00:00:02,600 --> 00:00:04,500
in

3
00:00:04,600 --> 00:00:05,000
1911 & again in 1912.

4
00:00:09,000 --> 00:00:10,000
- Again?
- Again.

5
00:00:10,000 --> 00:00:11,000
"""


def read(text: str, name: str = "a.vtt") -> Document:
    return read_document(text.encode(), name, Settings())


def said(document: Document) -> list[tuple[str, str]]:
    """Each caption's words with what their place is called."""
    starts = [place.start for place in document.places]
    ends = [*starts[1:], len(document.text)]
    return [
        (document.text[a:b].strip(), place.label) for a, b, place in zip(starts, ends, document.places, strict=True)
    ]


def test_captions_that_roll_up_are_said_once_with_the_time_at_which_they_are() -> None:
    document = read(ROLLING)
    assert document.text == "the ferry was two hours late\n\n[Applause]"
    assert said(document) == [
        ("the ferry was", "at 00:00:00"),
        ("two hours late", "at 00:00:02"),
        ("[Applause]", "at 00:12:05"),
    ]
    assert document.label_at(document.text.index("hours")) == "at 00:00:02"


def test_words_that_are_typed_out_are_said_once() -> None:
    cues = ("THE", "THE FERRY", "THE FERRY WAS", "THE FERRY WAS\nTWO HOURS", "TWO HOURS LATE", "TWO HOURS LATE")
    timed = (f"00:0{n}.000 --> 00:0{n + 1}.000\n{cue}\n" for n, cue in enumerate(cues))
    document = read("WEBVTT\n\n" + "\n".join(timed))
    assert document.text == "THE FERRY WAS TWO HOURS LATE"
    assert said(document)[-1] == ("LATE", "at 00:00:04")


def test_what_people_say_twice_is_there_twice() -> None:
    cues = ("No.", "No.", "I said no", "no one came", "that day", "they say", "but we", "did go")
    timed = (f"00:0{n}.000 --> 00:0{n + 1}.000\n{cue}\n" for n, cue in enumerate(cues))
    assert read("WEBVTT\n\n" + "\n".join(timed)).text == " ".join(cues)


def test_speakers_are_named_where_they_begin() -> None:
    document = read(SPEAKERS)
    assert document.text.split("\n\n") == [
        "Clara Lindt: The pier broke in March. I had said so.",
        "Bob & Sons: Who heard it?",
        "Clara Lindt: Nobody <here>.",
        "And then, 3 < 5.",
    ]
    assert document.label_at(document.text.index("Bob")) == "at 01:00:05"
    assert document.title == "A"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_subrip_is_read_without_its_tags_and_numbers(ends: str) -> None:
    document = read(FILM.replace("\n", ends), "night-ferry.srt")
    assert document.text.split("\n\n") == ["The ferry was late, in 1911 & again in 1912.", "- Again?", "- Again."]
    assert [label for _, label in said(document)] == ["at 00:00:01", "at 00:00:02", "at 00:00:04", "at 00:00:09"]
    assert (document.id, document.title) == ("night-ferry", "Night ferry")


def test_captions_come_in_the_order_of_time_and_in_the_encodings_of_text() -> None:
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nÅland\n\n00:01.000 --> 00:02.000\nto\n"
    document = read_document(b"\xff\xfe" + text.encode("utf-16-le"), "a.vtt", Settings())
    assert document.text == "to\n\nÅland"


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"caf\xe9", r"byte 3 \(0xe9\) is not valid UTF-8; save the file as UTF-8"),
        (b"Just text.", "there are no spoken words with their times in it; save the subtitles anew, as SubRip"),
        (b"WEBVTT\n\nNOTE Nothing.\n", "there are no spoken words with their times"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n<i></i> 12\n", "there are no spoken words with their times"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n<i></i> 12\n", "there are no spoken words with their times"),
        (b"1\n" + b"9" * 5000 + b":00:01,000 --> 00:00:02,000\nwords\n", "there are no spoken words with their times"),
        (b"WEBVTT\n\n00:00:61.000 --> 00:00:02.000\nwords\n", "there are no spoken words with their times"),
    ],
)
def test_what_is_no_subtitles_is_refused_in_one_line(name: str, data: bytes, says: str) -> None:
    with pytest.raises(DocumentError, match=rf"^{name}: {says}") as caught:
        read_document(data, name, Settings())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "evil", ["<" * 300_000, "<v" + " " * 300_000, "{\\" * 150_000, "&" * 300_000, "<v x>" * 60_000]
)
def test_hostile_tags_take_no_long(evil: str) -> None:
    timed = f"WEBVTT\n\n00:01.000 --> 00:02.000\nwords {evil}\n"
    assert "words" in read_document(timed.encode(), "a.vtt", replace(Settings(), parse_seconds=20.0)).text
