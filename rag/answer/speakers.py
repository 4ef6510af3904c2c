"""Whose words are whose: a small writer mixes speakers up, and of words that stand in the sources the checker hardly
sees it. The reader does: it is asked who said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.answer.particulars import known, particulars
from rag.english import DETERMINERS, PRONOUNS, SPEECH_VERBS
from rag.models.reader.quotes import Reader, read_alone

LEAST_FOUND = 0.2
"""The reader's answer is believed from this probability on."""
_NAME = r"[^\W\d_a-z][\w.’'-]*"
_VERB = rf"(?:{'|'.join(sorted(SPEECH_VERBS))})\b"
_SAYS = re.compile(rf"(?P<who>{_NAME}(?: {_NAME})*)(?:, [^,]+,)? (?P<says>(?:also |both |each )?{_VERB}.*)")
_NEXT = re.compile(r",[\"”’]? (?:while|but|and|whereas) (?=[^\W\d_a-z])")
_MAY_BE_ANYBODY = PRONOUNS | {"i", "we"}


def misattributed(text: str, question: str, sources: Sequence[str], reader: Reader) -> bool:
    """Whether a sentence that answers the question gives somebody whom it names words that its sources, as the reader
    finds them, give to another.

    Not where they may mean the same by a pronoun or a description, or name both in one sentence.
    """
    cited = "\n".join(sources)
    named = particulars(f"{text}\n{question}\n{cited}")
    return any(
        who & named and _another(who, known([clause]) & named, _speaker(says, cited, reader), named, sources)
        for clause, who, says in _sayings(text)
    )


def _sayings(text: str) -> Iterator[tuple[str, set[str], str]]:
    """The clauses in which somebody says something, each with his name and with what he says, verb and all."""
    for clause in _NEXT.split(text):
        if said := _SAYS.match(clause):
            yield clause, known([said["who"]]), said["says"].rstrip(".")


def _speaker(says: str, cited: str, reader: Reader) -> str:
    """Who says so in the cited sentences, in their words; "" where the reader does not find it."""
    reading = read_alone(reader, f"Who {says}?", cited)
    found = reading.quotes[0].highlighted if reading.quotes and reading.answerable >= LEAST_FOUND else None
    return found or ""


def _another(who: set[str], names: set[str], speaker: str, named: set[str], sources: Sequence[str]) -> bool:
    """Whether the speaker is not who is named, among the names of the clause."""
    words = speaker.lower().split()
    if not words or words[0] in _MAY_BE_ANYBODY or known([speaker]) & names:
        return False
    if any(speaker in source and known([source]) & who for source in sources):
        return False  # of two in one sentence, such as who tells and who is told, the reader is not sure
    return bool(known(words[-1:]) & named) or (len(words) == 1 and words[0] not in DETERMINERS)
