"""Verify a drafted sentence against the quote that it cites: pure functions, no model.

A supported sentence is a *compression* of its quote (Knight & Marcu 2000; Filippova & Strube 2008): it keeps words of
the quote in their order and leaves out only what can go without changing what is said, such as an adjective before
its noun, a prepositional phrase, or what stands between two commas. Rewordings that keep who did what are undone
first: passive and active voice, a phrase moved to the front, "Y is X" for "X, the Y". Each word has a one-letter
class (`grounding_words`), and what may be left out is written as regular expressions over these letters.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import simplemma

from rag.answer import grounding_words as closed

__all__ = ["Verdict", "check", "unsupported_words"]

_LONGEST = 200  # words; a longer draft is no short answer


@dataclass(frozen=True)
class Verdict:
    """Whether a quote supports a sentence, and why, in one short line for people and logs."""

    supported: bool
    reason: str
    unsupported: tuple[str, ...] = ()


class _Word(NamedTuple):
    text: str  # lower case
    lemma: str
    letter: str  # a class of grounding_words, or w content, v verb, y reporting, 1 number, g 's, or , . punctuation
    name: bool  # capitalised inside a sentence


# What may be left out between two kept words, as the letters of the whole gap.
_LINK = re.compile("[dbhal,]*|,?r[dbhal]*")  # articles, auxiliaries, plain adverbs; ", who"
_INSERTION = re.compile(",[^,.fy]+,[dbhal]*")  # ", which opened in 1931,"
_FIRST_PREDICATE = re.compile("[bhal]*v[^.nfmy]*(?:,?c|,)l*[bh]*")  # (she) "was born there and" (died)
_PHRASE = "p[dugq]*(?:v[dugq1lwx]*|[dugq1lwx]+)(?:c[dugq1lwx]+)?"
# "in Asia", "in Rome, which he loved,"; "who met him was"
_RESTRICTION = re.compile(f"(?:{_PHRASE})+(?:,[^,.fy]+,|,)?r?[dbhal]*|r[^,.nfmy]*b[al]*")
_MODIFIERS = re.compile("[bhal]*d?[lw1g]{1,3}")  # "the new"
_ADDRESSEE = re.compile("y[^,.nfmry]*r[dbhal]*")  # told "reporters on Friday that the" ...
# What may stand before the first kept word: sentences, another clause or an adjunct with its comma, modifiers.
_OPENING = re.compile("(?:.*[.])?(?:[^.nfmy]*(?:[vbh][^.nfmy]*,c|,?s)|[lpsv][^.fmy]*,|p1,?|[cl],?)?[dl]*")
_SUBJECT_MODIFIERS = re.compile("d?[w1lg]{1,3}")
# What may follow the last kept word: the end, a boundary, a phrase, a clause; not the rest of a noun phrase.
_ENDING = re.compile("$|[,.pcsrlt]")
_ATTRIBUTED = re.compile(",[dwx1guhabl]+y|,y[dwxg1]+([,.]|$)")  # ", Jones said"; ", said Jones"
_OTHER_CLAUSE = re.compile("p[dwu1lgx]+[mbha]+n")  # "after they could not"


@lru_cache(maxsize=50_000)
def _classify(word: str) -> tuple[str, str]:
    """Return the lemma and the class letter of one lower-case word."""
    lemma = simplemma.lemmatize(word, lang="en").lower()
    if word in closed.CLASS_OF:
        return closed.ORDINALS.get(word, word), closed.CLASS_OF[word]
    if lemma in closed.REPORTING or not closed.ATTITUDE.isdisjoint((word, lemma)):
        return lemma, "y"
    if word.endswith(("er", "est")):
        return word, "w"  # a comparative is not its base form
    inflected = lemma != word and not word.endswith(("s", "men"))
    return closed.ORDINALS.get(word, lemma), "v" if inflected or word in closed.SAME_PAST else "w"


@lru_cache(maxsize=1_000)
def _words(text: str) -> tuple[_Word, ...]:
    """Return the words and punctuation of `text`, with contractions, numbers and initials in one spelling."""
    for pattern, replacement in closed.SPELLINGS:
        text = pattern.sub(replacement, text)
    found: list[_Word] = []
    opening = True
    for match in re.finditer(r"\d+(?:[.,]\d+)*[A-Za-z]*|'s\b|[^\W\d_]+|[.;:!?…]|[,()\[\]–—]|\s-+\s", text):
        raw = match[0]
        word = raw.lower()
        last = found[-1] if found else _Word("", "", "", False)
        if raw in ".;:!?…":
            found.append(_Word(raw, raw, ".", False))
        elif raw == "'s" or (word == "s" and last.letter in "wv"):
            found.append(_Word("'s", "'s", "g", False))
        elif not raw[0].isalnum():
            found.append(_Word(",", ",", ",", False))
        elif word in closed.SCALES and last.letter == "1" and last.lemma.replace(".", "", 1).isdigit():
            value = float(last.lemma) * closed.SCALES[word]
            found[-1] = _Word(f"{last.text} {word}", f"{value:.15g}", "1", False)
        elif raw[0].isdigit() or word in closed.NUMBERS:
            found.append(_Word(word, closed.NUMBERS.get(word, word.replace(",", "")), "1", False))
        else:
            word = "usa" if raw == "US" else word
            lemma, letter = _classify(word)
            name = raw[0].isupper() and not opening
            if (letter in "vm" and name) or (letter == "y" and last.letter in "dg"):
                letter = "w"  # Maria and May are no forms of verbs, and "the offer" offers nothing
            found.append(_Word(word, lemma, letter, name))
        opening = found[-1].letter == "."
    return tuple(found)


def _same(drafted: _Word, quoted: _Word) -> bool:
    """Whether the quote's word says what the draft's word says: the same word or an inflection of it."""
    if drafted.text == quoted.text:
        return True
    if drafted.lemma in closed.NEUTRAL_REPORTING and quoted.lemma in closed.REPORTING:
        return True
    if drafted.name and quoted.name:
        return False  # Adam is not Adams
    return drafted.lemma == quoted.lemma and drafted.text.endswith("ing") == quoted.text.endswith("ing")


def _is_content(word: _Word) -> bool:
    return word.letter in "wvy1x"


def unsupported_words(statement: str, quote: str, question: str = "") -> tuple[str, ...]:
    """Return the words of `statement`, in order and once each, that it takes from nowhere.

    Content words, numbers, negations, modals and quantifiers must stand in the quote, inflected or not; content words
    that are neither names nor numbers may also come from the question.
    """
    quoted = _words(quote)
    asked = {word.lemma for word in _words(question) if word.letter in "wvy" and not word.name}
    known = {word.lemma for word in quoted} | {word.text for word in quoted} | asked
    if any(word.lemma in closed.REPORTING for word in quoted):
        known |= closed.NEUTRAL_REPORTING
    new = [
        word.text
        for word in _words(statement)
        if (_is_content(word) or word.letter in "nfmq") and not {word.text, word.lemma} & known
    ]
    return tuple(dict.fromkeys(new))


def check(statement: str, quote: str, question: str = "") -> Verdict:
    """Return whether `quote` alone supports `statement` as an answer to `question`, erring towards "no".

    A supported statement is made of whole sentences, each of them a compression of the quote, and says something that
    the question does not already say.
    """
    drafted, quoted, asked = _words(statement), _words(quote), _words(question)
    if problem := _malformed(statement, drafted, quoted):
        return Verdict(False, problem)
    if new := unsupported_words(statement, quote):
        only = "" if unsupported_words(statement, quote, question) else "only the question says"
        return Verdict(False, f'{only or "the quote does not say"} "{new[0]}"', new)
    for sentence in _sentences(drafted):
        if not any(_compresses(version, quoted) for version in _rewordings(sentence, quoted)):
            return Verdict(False, "the words are in the quote, but it does not join them so")
    if question and not {w.lemma for w in drafted if w.letter in "wv1"} - {w.lemma for w in asked}:
        return Verdict(False, "it only repeats the question")
    return Verdict(True, "the quote says so")


def _malformed(statement: str, drafted: Sequence[_Word], quoted: Sequence[_Word]) -> str:
    """Return what makes a draft no finished sentence about the quote, or an empty string."""
    kept = [word for word in drafted if word.letter not in ",."]
    if not quoted or sum(map(_is_content, kept)) < 2:
        return "there is too little to check"
    if len(drafted) > _LONGEST:
        return "it is longer than a sentence"
    if closed.ECHO.search(statement) or "?" in statement:
        return "it repeats the prompt or asks back"
    if any(word.text in closed.FIRST_OR_SECOND_PERSON and (not word.name or word.text == "i") for word in kept):
        return "it speaks of I, we or you"
    if drafted[-1].letter == "," or (kept[-1].letter in "dptcsrmfg" and kept[-1].text not in closed.PARTICLES):
        return "the sentence is unfinished"
    return ""


def _sentences(drafted: Sequence[_Word]) -> Iterator[tuple[_Word, ...]]:
    start = 0
    for end, word in enumerate((*drafted, _Word(".", ".", ".", False))):
        if word.letter == ".":
            if end > start:
                yield tuple(drafted[start:end])
            start = end + 1


def _rewordings(sentence: tuple[_Word, ...], quoted: Sequence[_Word]) -> Iterator[tuple[_Word, ...]]:
    """Yield the sentence, then versions of it that mean the same in another order of words."""
    yield sentence
    letters = "".join(word.letter for word in sentence)
    comma, be, by = _Word(",", ",", ",", False), _Word("was", "was", "b", False), _Word("by", "by", "p", False)
    if letters[0] in "ps" and "," in letters:  # In 1931, she designed it -> she designed it in 1931
        at = letters.index(",")
        yield sentence[at + 1 :] + sentence[:at]
    for at in range(len(letters) - 2, 1, -1):  # she designed it in 1931 -> in 1931, she designed it
        if letters[at] in "ps" and sentence[at].text not in ("of", "by"):
            yield (*sentence[at:], comma, *sentence[:at])
    passive = re.search(r"b[al]*v", letters)
    if passive and sentence[passive.end() : passive.end() + 1] and sentence[passive.end()].text == "by":
        verb = passive.end() - 1  # A was called by B [in X] -> B called A [in X]
        agent = re.compile("[^p,s]*").match(letters, verb + 2)
        if agent:
            rest = sentence[: passive.start()] + sentence[agent.end() :]
            yield (*sentence[verb + 2 : agent.end()], sentence[verb], *rest)
    elif any(word.letter == "v" and quoted[i + 1].text == "by" for i, word in enumerate(quoted[:-1])):
        for verb in range(1, len(letters) - 1):  # B called A [in X] -> A was called by B [in X]
            if letters[verb] == "v" and letters[verb - 1] not in "bh":
                end = next((i for i in range(verb + 1, len(letters)) if letters[i] in "p,s"), len(letters))
                middle = (be, sentence[verb], by)
                yield (*sentence[verb + 1 : end], *middle, *sentence[:verb], *sentence[end:])
    copula = re.fullmatch("([^b]+)(b[^bv][^b]*)", letters)
    if copula and (sentence[0].text == "the" or "g" in copula[1]):  # the Y is X -> X is the Y
        at = len(copula[1])
        yield (*sentence[at + 1 :], sentence[at], *sentence[:at])


def _compresses(sentence: Sequence[_Word], quoted: Sequence[_Word]) -> bool:
    """Whether the sentence keeps words of the quote in order and leaves out only what can go."""
    letters = "".join(word.letter for word in quoted)
    kept = [i for i, word in enumerate(sentence) if word.letter not in "dbha,." and word.text != "that"]
    # Claims that a restriction narrows ("the largest in Asia", "old men may not") need their restrictions.
    narrow = any(w.letter == "n" or w.text in closed.WIDENING or w.text.endswith("est") for w in sentence)
    strict = narrow or any(w.letter in "mf" for w in sentence)
    before = ["".join(w.letter for w in sentence[(kept[n - 1] + 1 if n else 0) : i]) for n, i in enumerate(kept)]

    def linked(n: int, left: int, right: int) -> bool:
        """Whether kept words n - 1 and n, at `left` and `right` of the quote, are joined as the quote joins them."""
        gap = letters[left + 1 : right]
        if not _same_auxiliary(before[n], letters, quoted, left, right):
            return False
        if gap == before[n] or _LINK.fullmatch(gap) or _INSERTION.fullmatch(gap):
            return True
        if _FIRST_PREDICATE.fullmatch(gap):
            return (letters[right] == "v" or gap[-1] in "bh") and (gap[-1] == "b") == before[n].endswith("b")
        told = max((i for i in range(left + 1) if quoted[i].lemma in closed.REPORTING), default=right)
        if _MODIFIERS.fullmatch(gap) and letters[right] == "w":
            return not narrow and ("d" in gap or letters[left] in "pgu1qv")
        return bool(_ADDRESSEE.fullmatch(letters[told:right])) or (
            not strict and bool(_RESTRICTION.fullmatch(gap)) and _resumes(gap, letters[right:])
        )

    @cache
    def rest(n: int, left: int) -> bool:
        """Whether kept words n and on can follow the quote's word at `left`."""
        if n == len(kept):
            return _ends_well(letters, left, quoted, strict)
        return any(
            _same(sentence[kept[n]], quoted[right]) and linked(n, left, right) and rest(n + 1, right)
            for right in range(left + 1, len(quoted))
        )

    def opens(first: int) -> bool:
        """Whether the quote can be cut before its word at `first`."""
        if letters[:first] == before[0] or _OPENING.fullmatch(letters[:first]):
            return True
        return not narrow and any(
            letters[first] == "w"
            and _SUBJECT_MODIFIERS.fullmatch(letters[at:first])
            and _OPENING.fullmatch(letters[:at])
            for at in range(max(first - 4, 0), first)
        )

    return bool(kept) and any(
        _same(sentence[kept[0]], quoted[first]) and opens(first) and rest(1, first) for first in range(len(quoted))
    )


def _resumes(gap: str, following: str) -> bool:
    """Whether the quote goes on after a left-out phrase, rather than still being inside it."""
    if following[0] == "c":  # "came from Rome and died" may lose "from Rome", "from Rome and Bern" may not
        return bool(re.match("c[lbha]*v", following))
    return following[0] not in "w1gx" or gap[-1] in ",rbh"


def _ends_well(letters: str, last: int, quoted: Sequence[_Word], strict: bool) -> bool:
    """Whether the quote can be cut after its word at `last` without changing what was said up to there."""
    tail = letters[last + 1 :].split(".", maxsplit=1)[0]
    if "f" in tail or re.match("[^,csr]*n", _OTHER_CLAUSE.sub(",", tail)) or _ATTRIBUTED.match(tail):
        return False
    if tail[:1] == "u":
        return quoted[last + 1].text in closed.SUBJECT_PRONOUNS
    if letters[last] == "1" and re.match("[tp,]?1|t", tail):
        return False  # three to five, 3 - 2
    return bool(re.match("$|[,c]", tail) if strict else _ENDING.match(tail))


def _same_auxiliary(drafted: str, letters: str, quoted: Sequence[_Word], left: int, right: int) -> bool:
    """Whether the word at `right` is said of its subject in the same way: "was called" is not "called"."""
    gap = letters[left + 1 : right]
    # "b" for a form of be before the word, else "h" for one of have, else nothing
    runs = (re.search("[bh][dbhal]*[w1lg]*$", side) for side in (drafted, gap))
    here, there = (("b" if "b" in run[0] else "h") if run else "" for run in runs)
    if here == there:
        return True
    if here != "b":
        return there != "b" and quoted[right].letter == "v"  # had called -> called
    if there:
        return False
    if quoted[right].letter == "v":
        return bool(re.search("[,r]", gap)) or (right + 1 < len(quoted) and quoted[right + 1].text == "by")
    if "," in gap:  # X, the Y; but not in a list
        following = re.match("[w1gx]*", letters[right:])
        phrase = quoted[right : right + following.end()] if following else ()
        definite = "d" in gap or "u" in gap or "g" in [word.letter for word in phrase]
        office = any(word.text in closed.OFFICES for word in (quoted[left], *phrase))
        return (definite or office) and not re.match(",?c", letters[right + len(phrase) :])
    return not gap and quoted[left].text in closed.OFFICES  # the president X
