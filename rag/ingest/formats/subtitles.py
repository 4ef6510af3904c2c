"""The spoken words of subtitles and transcripts (SubRip, WebVTT), and when they are spoken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from io import StringIO
from itertools import pairwise
from typing import Any

from .cleaning import Refused, clean, has_letters

PAUSE_MS = 3000
"""Who is silent for so long begins a paragraph."""
_AT_ONCE_MS = 100
"""Captions that roll up show what they showed before within so long."""
_ROLLING = 0.25
"""Where captions roll up, at least this part of them show what they showed before; people say a thing twice, too."""
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]+)>|(</v>)")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}")
_TURN = re.compile(r"(?:[-–—]\s?|>>)\S")
"""How a line begins that somebody else says."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown between two times, in milliseconds: lines, each with its speaker, "" for who is not named."""

    start: int
    end: int
    lines: tuple[tuple[str, str], ...]


def read_subtitles(data: bytes, *, kind: str) -> dict[str, Any]:
    """What is said, as running text, and the offset and the second of each caption; `kind` is "srt" or "vtt", and the
    data are UTF-8.

    A paragraph begins with a speaker, whose name stands before the words where it is known, and after a pause. What
    captions that roll up show again is there once.
    """
    import webvtt
    from webvtt.errors import MalformedCaptionError, MalformedFileError

    try:
        captions = webvtt.from_buffer(StringIO(data.decode().lstrip()), format=kind).captions
        found = [Cue(c.start_time.in_milliseconds(), c.end_time.in_milliseconds(), _lines(c.lines)) for c in captions]
    except (MalformedCaptionError, MalformedFileError, ValueError) as error:
        raise Refused("no_cues") from error
    text, places = _joined(_without_repeats(sorted((cue for cue in found if cue.lines), key=lambda cue: cue.start)))
    if not has_letters(text):
        raise Refused("no_cues")
    return {"title": "", "text": text, "places": places}


def _lines(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """The lines of a caption without tags, each with its speaker; one whose speaker changes becomes several."""
    found = []
    speaker = ""
    for line in lines:
        words, *rest = _VOICE.split(line)
        turns = [(speaker, words)]
        for name, _, said in zip(*[iter(rest)] * 3, strict=True):
            speaker = _plain(name or "")
            turns.append((speaker, said))
        found += [(who, plain) for who, said in turns if (plain := _plain(said))]
    return tuple(found)


def _plain(text: str) -> str:
    return clean(unescape(_TAG.sub("", text)))


def _without_repeats(cues: list[Cue]) -> list[Cue]:
    fresh = [*cues[:1], *(_fresh(before, cue) for before, cue in pairwise(cues))]
    repeating = sum(cue != new for cue, new in zip(cues, fresh, strict=True))
    return fresh if repeating > _ROLLING * len(cues) else cues


def _fresh(before: Cue, cue: Cue) -> Cue:
    """The caption without the lines, at its beginning, that the one before ends with, the last of which may go on."""
    if cue.start - before.end > _AT_ONCE_MS:
        return cue
    shown, now = ([words for _, words in one.lines] for one in (before, cue))
    for count in range(min(len(shown), len(now)), 0, -1):
        last = shown[-1]
        if shown[-count:-1] == now[: count - 1] and f"{now[count - 1]} ".startswith(f"{last} "):
            speaker, words = cue.lines[count - 1]
            more = words[len(last) :].strip()
            return Cue(cue.start, cue.end, (*([(speaker, more)] if more else []), *cue.lines[count:]))
    return cue


def _joined(cues: list[Cue]) -> tuple[str, list[tuple[int, str, int]]]:
    """The captions as running text, and of each the offset and the second."""
    parts: list[str] = []
    places: list[tuple[int, str, int]] = []
    length = 0
    for separator, words, second in _pieces(cues):
        parts += [separator, words]
        length += len(separator)
        if not places or places[-1][2] != second:
            places.append((length, "time", second))
        length += len(words)
    return "".join(parts), places


def _pieces(cues: list[Cue]) -> Iterator[tuple[str, str, int]]:
    """What stands before each line, the line, and the second in which its caption begins."""
    speaker, ended = "", None
    for cue in cues:
        for who, words in cue.lines:
            begins = ended is None or who != speaker or cue.start - ended >= PAUSE_MS or _TURN.match(words) is not None
            separator = "" if ended is None else "\n\n" if begins else " "
            yield separator, f"{who}: {words}" if begins and who else words, cue.start // 1000
            speaker, ended = who, cue.end
