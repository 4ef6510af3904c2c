"""Questions about one paragraph -> short dialogues, as people ask on: with pronouns, in half sentences, "and then?"."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.answer.question import MAX_ANSWER_WORDS
from rag.sentences import split_sentences
from rag.training.augment import NAME, Spans

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from rag.training.data import Question
    from rag.types import Span

CONTINUATIONS = (
    "what else?",
    "anything else?",
    "and then?",
    "what happened next?",
    "what happened then?",
    "what happened after that?",
    "what else happened?",
    "what else does it say?",
    "tell me more",
    "can you tell me more about that?",
    "is there anything else worth knowing?",
    "what else did {he} do?",
    "what did {he} do next?",
    "what did {he} do after that?",
    "did {he} do anything else?",
    "what else is known about {him}?",
)
ELLIPSES = {
    "when": ("when?", "when was that?", "when was this?", "when did that happen?"),
    "where": ("where?", "where was that?", "where was this?", "where did it happen?"),
    "who": ("who?", "who was that?", "who was it?", "who did that?"),
    "why": ("why?", "why was that?", "why is that?", "how come?"),
    "how many": ("how many?", "how many were there?"),
    "how": ("how?", "how so?", "how did that happen?", "in what way?"),
}
_LONGEST_SENTENCE = 40  # words


@dataclass(frozen=True)
class Asked:
    """A question as it is asked in a conversation; `spans` answer it in its paragraph."""

    text: str
    spans: Spans
    earlier: tuple[str, ...] = ()
    answer: str = ""


def asked_in_dialogue(random_: random.Random, question: Question, own: Sequence[Question], paragraph: str) -> Asked:
    """The question after another one of its paragraph (mostly that whose answer stands last before its own) and that
    one's answer; or, after the question itself, a request for more, which the next sentence answers.
    """
    if question.spans and random_.random() < 0.25:
        following = _next_sentence(paragraph, question.spans[0])
        if following:
            he, him, _ = pronouns(paragraph)
            text = random_.choice(CONTINUATIONS).format(he=he, him=him)
            answer = _told(random_, paragraph, question.spans[0])
            return Asked(text, (following,), (question.text,), answer)
    others = [other for other in own if other.id != question.id]
    if not others:
        return Asked(question.text, question.spans)
    previous = _previous(random_, question, others)
    text = follow_up(question.text, previous.text, paragraph)
    near = bool(question.spans and previous.spans) and _same_sentence(paragraph, previous.spans[0], question.spans[0])
    if near and random_.random() < 0.5:
        text = _elliptical(random_, question.text) or text
    answer = _told(random_, paragraph, previous.spans[0]) if previous.spans and random_.random() < 0.85 else ""
    older = (random_.choice(others).text,) if random_.random() < 0.25 else ()
    return Asked(text, question.spans, (*older, previous.text), answer)


def follow_up(question: str, previous: str, paragraph: str) -> str:
    """The question with a name that it shares with the previous one replaced by a pronoun; unchanged without one."""
    shared = [name for name in NAME.findall(question) if name in previous and not question.startswith(name)]
    if not shared:
        return question
    name = max(shared, key=len)
    plain, _, owner = pronouns(paragraph)
    owned = re.sub(rf"\b(?:[Tt]he )?{re.escape(name)}(?:'s|s')(?!\w)", owner, question)
    return re.sub(rf"\b(?:[Tt]he )?{re.escape(name)}(?!\w)", plain, owned)


def pronouns(paragraph: str) -> tuple[str, str, str]:
    """The pronoun that a paragraph uses most for its subject, as in "he, him, his"."""
    words = re.findall(r"[a-z]+", paragraph.lower())
    he, she, they = (sum(map(words.count, forms)) for forms in (("he", "his"), ("she", "her"), ("they", "their")))
    if max(he, she) >= 2:
        return ("he", "him", "his") if he >= she else ("she", "her", "her")
    return ("they", "them", "their") if they >= 3 else ("it", "it", "its")


@functools.lru_cache(20_000)
def _sentences(paragraph: str) -> tuple[Span, ...]:
    return tuple(split_sentences(paragraph))


def _sentence_at(paragraph: str, place: int) -> int:
    return next((n for n, sentence in enumerate(_sentences(paragraph)) if place < sentence.end), -1)


def _same_sentence(paragraph: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    return _sentence_at(paragraph, one[0]) == _sentence_at(paragraph, other[0])


def _next_sentence(paragraph: str, span: tuple[int, int]) -> tuple[int, int] | None:
    following = _sentences(paragraph)[_sentence_at(paragraph, span[1] - 1) + 1 :]
    if not following or len(paragraph[following[0].start : following[0].end].split()) > _LONGEST_SENTENCE:
        return None
    return following[0].start, following[0].end


def _previous(random_: random.Random, question: Question, others: Sequence[Question]) -> Question:
    before = [o for o in others if o.spans and question.spans and o.spans[0][0] <= question.spans[0][0]]
    if before and random_.random() < 0.65:
        return max(before, key=lambda other: other.spans[0][0])
    return random_.choice(others)


def _elliptical(random_: random.Random, question: str) -> str | None:
    for word, forms in ELLIPSES.items():
        if re.search(rf"\b{word}\b", question, re.IGNORECASE):
            return random_.choice(forms)
    return None


def _told(random_: random.Random, paragraph: str, span: tuple[int, int]) -> str:
    """An answer as it was shown: the words themselves, or their sentence."""
    start, end = span
    if random_.random() < 0.6:
        sentence = _sentences(paragraph)[_sentence_at(paragraph, start)]
        start, end = min(start, sentence.start), max(end, sentence.end)
    return " ".join(paragraph[start:end].split()[:MAX_ANSWER_WORDS])
