"""Question + history -> the question understood, once, without a language model.

A question that already stands alone is left as it is, so nothing of the history leaks into it. One that leans on the
conversation (an unresolved pronoun, "and …", "why?") is put behind the last question that stood alone; to be read,
behind the last answer, too. One that asks two things is taken apart, and one about the whole article is told from those
about something in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.english import AUXILIARIES, DETERMINERS, LIGHT_WORDS, NUMBER_WORDS, PRONOUNS, QUESTION_WORDS, TEXT_NOUNS
from rag.errors import UsageError
from rag.types import Turn

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_OPENINGS = re.compile(
    r"^(?:and|but|so|or|then|also)\b|^(?:what|how) about\b"
    r"|\belse\b|\bany (?:other|more)\b|\bother than (?:that|this)\b",
    re.IGNORECASE,
)
# "is it true that …": no pronoun that stands for something.
_EXPLETIVE = re.compile(r"\bit (?:true|possible|likely|known|clear|the case|that)\b", re.IGNORECASE)
_ELLIPSIS = re.compile(r"(?:and|but) (?P<rest>[^?!.,;:]+)[?!. ]*", re.IGNORECASE)
_MOST_LEFT = 5  # words that stand for a question
_MARKER = re.compile(r"\s*\[\d+\]")
_QUOTE = re.compile(r"“([^“”]*)”")
_WH = "|".join(sorted(QUESTION_WORDS))
_TWO_QUESTIONS = re.compile(rf"((?:{_WH})\b.*[^\s,]),? and ((?:{_WH})\b.*)", re.IGNORECASE)
_NAME = r"(?-i:[A-Z])[^\s,?]*"
_ASKING = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "can", "could", "will", "would")
_SUBJECTS_ASKED = rf"(?P<ask>(?:{_WH})\b(?: [^\s,]+){{0,4}}? (?:{'|'.join(_ASKING)}) )(?:both )?"
_ONE_AND = r"(?P<one>[^\s,]+(?: [^\s,]+){0,3}?) and "
_TWO_SUBJECTS = (  # the subject follows the auxiliary: "what did [both] the cat and the dog want"
    re.compile(
        rf"{_SUBJECTS_ASKED}{_ONE_AND}(?P<other>[^\s,]+(?: [^\s,]+){{0,4}}?) (?:each|both)(?P<rest> .+)", re.IGNORECASE
    ),
    re.compile(
        rf"{_SUBJECTS_ASKED}{_ONE_AND}"
        rf"(?P<other>(?:(?:the|a|an|his|her|its|their) )?(?:{_NAME}(?: {_NAME})*|[^\s,?]+))(?P<rest> .+)",
        re.IGNORECASE,
    ),
)
_TEXT = rf"(?:{'|'.join(sorted(TEXT_NOUNS))})"
_THIS = rf"(?:this|that|it|the|the whole|this whole)(?: {_TEXT})?"
_OVERVIEW = re.compile(
    rf"(?:what(?: is|'s| was) {_THIS}(?: all| mainly)? about"
    rf"|what (?:does|did) (?:this|the) {_TEXT} (?:say|cover|discuss|describe)"
    rf"|what (?:happened|happens)(?: in (?:this|the) {_TEXT})?"
    rf"|(?:summari[sz]e|sum up)(?: {_THIS})?"
    rf"|(?:(?:give|show|write)(?: me)? )?(?:an? |the )?(?:short |brief )?(?:summary|overview|gist)(?: of {_THIS})?"
    rf"|(?:(?:what (?:is|are)|what's|list) )?(?:the )?(?:main|key) (?:points?|ideas?|facts?|message|topic)"
    rf"(?: (?:of|in) {_THIS})?|tl;?dr)(?: please)?[\s?.!]*",
    re.IGNORECASE,
)
_AT_LENGTH = re.compile(
    r"^(?:please |can you |could you )*(?:summari[sz]e|sum up|list|outline|describe|explain|tell me (?:more|all|about)"
    r"|what (?:else )?happened(?! to\b)|(?:give|show) me (?:an? |the |some )?(?:overview|summary|details|outline))\b"
    r"|\bin (?:more |greater |full )?detail\b|\b(?:a|the) (?:whole|full) story\b",
    re.IGNORECASE,
)
_MAX_BACK = 6
MAX_QUESTION_CHARACTERS = 1000
MAX_ANSWER_WORDS = 30
"""So much of an earlier answer helps to understand a question that leans on it."""
SEPARATOR = " ; "
"""Between a question and what was said before it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question understood: `asked` on one line; `standalone`, with the earlier one that it leans on; `in_context`,
    with that and the last answer, as it is retrieved and read; `parts`, where it asks several things; whether it is
    about the whole article and nothing in particular; and whether it asks for more than a sentence.
    """

    asked: str
    standalone: str
    in_context: str
    parts: tuple[str, ...]
    about_whole: bool
    at_length: bool

    @property
    def leans(self) -> bool:
        """Whether it is understood only from what was said before."""
        return self.asked != self.standalone

    @property
    def points_back(self) -> bool:
        """Whether what was said before may be needed to answer it, though it may be found without."""
        return self.leans or points_back(self.asked)

    @property
    def wants_more(self) -> bool:
        """Whether it asks for more of what was said before."""
        return self.leans and self.at_length

    @property
    def told(self) -> str:
        """As a model that writes is asked it: of "and the mayor?" a small one says who the mayor is."""
        ellipsis = _ELLIPSIS.fullmatch(self.asked)
        words = ellipsis["rest"].lower().split() if ellipsis is not None else []
        names = len(words) <= _MOST_LEFT and not (QUESTION_WORDS | AUXILIARIES).intersection(words)
        if ellipsis is None or not names or LIGHT_WORDS.issuperset(words):
            return self.asked
        return f"What about {ellipsis['rest'].strip()}?"

    @property
    def apart(self) -> tuple[Question, ...]:
        """Its parts as questions of their own; none, where one of them is not understood without the rest."""
        alone = not self.leans and all(SEPARATOR not in part for part in self.parts)
        return tuple(understand(part) for part in self.parts) if alone else ()


def understand(text: str, history: Sequence[Turn] = ()) -> Question:
    """The question that the text asks after what was said; raises UsageError where it is empty or too long."""
    asked = clean_question(text)
    standalone, context = standalone_question(asked, history), question_in_context(asked, history)
    overview = asks_overview(standalone)
    return Question(asked, standalone, context, tuple(parts(context)), overview, overview or asks_more(asked))


def stands_alone(question: str) -> bool:
    """Whether the question can be understood without what was said before it."""
    if _OPENINGS.search(question.strip()):
        return False
    words = [word.lower() for word in _words(question)]
    if all(word in LIGHT_WORDS for word in words):
        return False
    topic_seen = False
    for i, word in enumerate(words):
        if word in PRONOUNS:
            is_subject = i > 0 and words[i - 1] in AUXILIARIES  # "what songs did they record"
            if is_subject or not topic_seen:
                return False
        topic_seen = topic_seen or word not in LIGHT_WORDS
    return True


def points_back(question: str) -> bool:
    """Whether the question has a pronoun before which there is no noun that it may stand for: "who founded it"."""
    noun_seen = False
    for i, word in enumerate(_words(question)):
        lowered = word.lower()
        if lowered in PRONOUNS and not noun_seen:
            return True
        noun_seen = noun_seen or lowered in DETERMINERS or lowered in NUMBER_WORDS or (i > 0 and not word.islower())
    return False


def standalone_question(question: str, history: Sequence[Turn]) -> str:
    """The question as it is, where it stands alone or nothing was said before; else behind the last that did."""
    question = question.strip()
    if not history or stands_alone(question):
        return question
    return in_context(_topic(history).question, question)


def question_in_context(question: str, history: Sequence[Turn]) -> str:
    """What retrieval and the reader are asked: the stand-alone question, and where it leans on the conversation also
    the last question and the beginning of its answer, in the form in which the reader was trained on dialogues.
    """
    question = question.strip()
    if not history or stands_alone(question):
        return question
    topic, last = _topic(history), history[-1]
    earlier = [] if topic is last else [topic.question]
    answer = " ".join(without_markers(last.answer).strip(" “”").split()[:MAX_ANSWER_WORDS])
    return in_context(*earlier, last.question, answer if last.answered else "", question)


def parts(question: str) -> list[str]:
    """The questions in a question that asks two, such as "who won and when?" and, one about each of two subjects, "what
    do Kim and Moon want?"; none where it asks one.
    """
    if two := _TWO_QUESTIONS.match(question):
        first, second = two.groups()
        return [first, second if stands_alone(second) else in_context(first, second)]
    for subjects in _TWO_SUBJECTS:
        if two := subjects.match(question):
            return [f"{two['ask']}{subject}{two['rest']}" for subject in two.group("one", "other")]
    return []


def asks_overview(question: str) -> bool:
    """Whether the question is about the article as a whole and about nothing in particular."""
    return _OVERVIEW.fullmatch(question.strip().replace("’", "'").replace(",", "")) is not None


def asks_more(question: str) -> bool:
    """Whether the question asks for an account rather than for a fact."""
    return _AT_LENGTH.search(question) is not None


def in_context(*parts: str) -> str:
    """Earlier questions and an answer, oldest first, and a question as one text; empty parts are left out."""
    return SEPARATOR.join(part.strip() for part in parts if part.strip())


def _words(question: str) -> list[str]:
    """The words of a question, with straight apostrophes, without an "it" that stands for nothing."""
    return [word.replace("’", "'") for word in _WORD.findall(_EXPLETIVE.sub(" ", question))]


def _topic(history: Sequence[Turn]) -> Turn:
    """The last turn whose question stood alone, or the last of all."""
    return next((turn for turn in reversed(history[-_MAX_BACK:]) if stands_alone(turn.question)), history[-1])


def clean_question(question: str) -> str:
    """The question on one line without control characters; raises UsageError where nothing or too much is left."""
    question = on_one_line(question)
    if not question:
        raise UsageError("there is no question; ask one, such as: what happened?")
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise UsageError(f"the question has {len(question)} characters; ask it in at most {MAX_QUESTION_CHARACTERS}")
    return question


def without_markers(answer: str) -> str:
    """What an answer says, without the numbers of its citations, nor the marks of one that is a quote."""
    bare = _MARKER.sub("", answer)
    quote = _QUOTE.fullmatch(bare.strip())
    return quote[1] if quote is not None else bare


def on_one_line(text: str) -> str:
    """What somebody typed, on one line without control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", text).split())
