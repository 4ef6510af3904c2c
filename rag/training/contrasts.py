"""Statements that have all words of their quotes right and yet say something else, each beside one that is true.

A checker that has seen only names from elsewhere learns to look for words, not for who did what. So a question becomes
a sentence with its answer (Demszky et al. 2018), or with another name, number or phrase of the same sentence of the
text; and what is true is put into the mouth of somebody who denies, hopes or fears it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.english import COMMON_WORDS
from rag.evaluation.metrics import recall, squad_words
from rag.sentences import split_sentences
from rag.training.augment import NAME, NUMBER

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Span = tuple[int, int]
_BE = "is|are|was|were"
_AUX = rf"{_BE}|has|have|had|will|would|can|could|may|might|must|should|do|does|did"
_PARTICIPLE = r"(?:\w+(?:ed|wn|ught|en)|born|held|made|built|left|sent|won|sold|said|told|led|lost|set|put|found)"
_SUBJECT = re.compile(
    rf"(?P<subject>(?:[Tt]he )?{NAME.pattern}) (?P<rest>(?!(?:of|and|or|in|from|the|for|at|s)\b)[a-z].*)"
    rf"|(?P<noun>(?:the|a|an|his|her|its|their) \w+(?: \w+)?) (?P<then>{_PARTICIPLE}\b.*)"
)
_PREPOSITION = r"(?:in|on|at|by|since|until|from|to|into|through|near|during|for|after|before|around|about)"
_BEFORE = re.compile(rf"\b({_PREPOSITION}) (?:the )?$", re.IGNORECASE)
_TIME_OR_PLACE = r"(?:year|month|day|date|city|country|place|state)"
_THING = rf"(?:(?!(?:types?|kinds?|sorts?|{_AUX})\b)\w+)"
_WHEN = re.compile(
    rf"(?:when|where|(?:in |on )?(?:what|which) {_TIME_OR_PLACE}) (?P<verb>{_AUX}) (?P<rest>.+)", re.IGNORECASE
)
_HOW_MANY = re.compile(rf"how many (?P<rest>(?!.*\b(?:{_AUX})\b).+ .+)", re.IGNORECASE)
_WHO_DID = re.compile(rf"(?:who|(?:what|which)(?: {_THING}){{0,3}}?) (?P<rest>{_PARTICIPLE}\b.*)", re.IGNORECASE)
_WHO = re.compile(rf"(?:who|what) (?P<verb>{_AUX}) (?P<rest>.*)", re.IGNORECASE)
_OF_WHOM = re.compile(rf"(?:(?:the|an?) .+|{_PARTICIPLE}\b.*)(?<! (?:to|as|by|of|in|on))(?<! for)(?<! with)")
_MUTUAL = re.compile(r"\b(?:met|meets?|marri\w+|with|between|both|same|and|equal\w*|border\w*)\b", re.IGNORECASE)
_MOST_WORDS = 8
_LEAST_SAID = 0.6
"""Of the words of a true statement, the sentence that it rests on has this share; else it leans on others."""
_SPEAKERS = ("Critics", "Some observers", "The ministry", "Several papers", "Mr Lund", "Her opponents", "Nobody there")
# What is said in such a frame is not said to be so; in one of the second kind it is.
_UNASSERTED = (
    "It is not true that {said}.",
    "{who} denied that {said}.",
    "{who} had hoped that {said}, but that is not what happened.",
    "{who} feared that {said}.",
    "{who} doubted that {said}.",
    "If {said}, much else would have been different.",
    "It was once believed that {said}, which has since been shown to be wrong.",
    "There is no evidence that {said}.",
    "{who} had wanted it to be said that {said}.",
    "It remains open whether {said}.",
)
_ASSERTED = (
    "It is true that {said}.",
    "As {who} knew, {said}.",
    "Nobody denies that {said}.",
    "It is well known that {said}.",
    "It has been shown that {said}.",
    "{who} regretted that {said}.",
)


def declarative(question: str, answer: str, before: str = "in") -> str | None:
    """The question as a sentence that says its answer, `before` the preposition of a time or place; None where its
    grammar is not one of the few that can be turned without a parser.

    The verb stays as it was asked: "When did Ann Berg die?" -> "Ann Berg did die in 1890."
    """
    asked = " ".join(question.split()).rstrip("? ")
    said = None
    if len(answer.split()) > _MOST_WORDS or asked.endswith(" do"):
        return None
    if found := _WHEN.fullmatch(asked):
        turned = _turned(found["verb"], found["rest"])
        said = f"{turned} {_placed(answer, before)}" if turned else None
    elif found := _HOW_MANY.fullmatch(asked) or _WHO_DID.fullmatch(asked):
        said = f"{answer} {found['rest']}"
    elif found := _WHO.fullmatch(asked):
        verb, rest = found["verb"], found["rest"]
        if turned := _turned(verb, rest):
            said = f"{turned} {answer}"
        elif re.fullmatch(_BE, verb, re.IGNORECASE) and _OF_WHOM.fullmatch(rest):
            said = f"{answer} {verb} {rest}"
    return f"{said[:1].upper()}{said[1:]}." if said else None


def contrasted(
    random_: random.Random, text: str, question: str, golds: Sequence[Span], peers: Sequence[Span]
) -> tuple[str, str, bool] | None:
    """A statement that answers the question, the sentence of the text that it rests on, and whether that says so: half
    of them have something else of this sentence in the answer's place. None where no such statement can be made.
    """
    gold = random_.choice(golds)
    around = _sentence_around(text, gold)
    if around is None:
        return None
    answer, before, sentence = text[slice(*gold)], _preposition(text[: gold[0]]), text[slice(*around)]
    right = declarative(question, answer, before)
    others = _others(text, around, golds, question, peers)
    if right is None or not others or recall(sentence, right) < _LEAST_SAID:
        return None
    if random_.random() < 0.5:
        return right, sentence, True
    names = [name for name in NAME.findall(right) if name in sentence and name not in answer]
    if NAME.fullmatch(answer) and len(set(names)) == 1 and not _MUTUAL.search(right) and random_.random() < 0.5:
        exchanged = _exchange(right, answer, names[0])
        return exchanged, sentence, False
    wrong = declarative(question, random_.choice(others), before)
    return (wrong, sentence, False) if wrong is not None else None


def framed(random_: random.Random, sentence: str) -> tuple[str, bool]:
    """The sentence inside another one, and whether that says that it is so."""
    said = _lowered(re.sub(r"[.!?]+[\"”’']?$", "", sentence.strip()))
    asserted = random_.random() < 0.5
    frame = random_.choice(_ASSERTED if asserted else _UNASSERTED)
    made = frame.format(said=said, who=random_.choice(_SPEAKERS))
    return made[:1].upper() + made[1:], asserted


def _lowered(sentence: str) -> str:
    """The sentence as it stands inside another one: its first word in lower case, unless it may be a name."""
    return sentence[:1].lower() + sentence[1:] if sentence.split(" ", 1)[0].lower() in _LOWERED else sentence


_LOWERED = frozenset(
    "the a an this these that those he she it they his her its their in on at by for from after before during as since "
    "while when many most some all both each there one two three".split()
)


def _sentence_around(text: str, place: Span) -> Span | None:
    """The sentence of the text that holds the place whole."""
    return next(((s.start, s.end) for s in split_sentences(text) if s.start <= place[0] and place[1] <= s.end), None)


def _others(text: str, around: Span, golds: Sequence[Span], question: str, peers: Sequence[Span]) -> list[str]:
    """What of the sentence could stand in the answer's place and is none: of its kind, if that can be told."""
    answers = {word for gold in golds for word in squad_words(text[slice(*gold)])}
    gold, said = text[slice(*golds[0])], set(squad_words(question))
    pattern = NUMBER if re.search(r"\d", gold) else NAME if NAME.match(gold) else None
    inside = text[slice(*around)]
    found = [match[0] for match in pattern.finditer(inside) if match[0].lower() not in COMMON_WORDS] if pattern else []
    if pattern is None:
        within = [text[slice(*span)] for span in peers if around[0] <= span[0] and span[1] <= around[1]]
        found = [other for other in within if len(other.split()) <= _MOST_WORDS]
    return sorted({other for other in found if not set(squad_words(other)) & (answers | said) and squad_words(other)})


def _preposition(before: str) -> str:
    """That which a text ends with, for a time or place that comes next; "in" where it ends otherwise."""
    found = _BEFORE.search(before)
    return found[1].lower() if found else "in"


def _placed(answer: str, before: str) -> str:
    """A time or place behind its preposition."""
    return answer if re.match(rf"{_PREPOSITION} ", answer, re.IGNORECASE) else f"{before} {answer}"


def _turned(verb: str, rest: str) -> str | None:
    """The question's rest with the verb behind its subject, where the subject can be told."""
    found = _SUBJECT.fullmatch(rest)
    if found is None:
        name = NAME.fullmatch(rest.removeprefix("the "))
        return f"{rest} {verb}" if name and re.fullmatch(_BE, verb, re.IGNORECASE) else None
    subject, more = found["subject"] or found["noun"], found["rest"] or found["then"]
    return f"{subject} {verb} {more}"


def _exchange(text: str, one: str, other: str) -> str:
    return re.sub(rf"{re.escape(one)}|{re.escape(other)}", lambda match: other if match[0] == one else one, text)
