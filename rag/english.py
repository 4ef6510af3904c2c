"""English words by what they do in a sentence: closed lists, lower-cased, with straight apostrophes."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUESTION_WORDS = _words("what who whom whose which when where why how")
AUXILIARIES = _words(
    "do does did is are was were be been being am has have had can could will would shall should may might must "
    "isn't aren't wasn't weren't don't doesn't didn't hasn't haven't hadn't can't couldn't won't wouldn't"
)
PRONOUNS = _words(
    "he him his himself she her hers herself it its itself they them their theirs themselves this these those"
)
DETERMINERS = _words("the a an my your our no each every some any many much most more all both few several")
"""Words that a noun follows, which a pronoun after it may stand for."""
LIGHT_WORDS = (
    QUESTION_WORDS
    | AUXILIARIES
    | PRONOUNS
    | _words(
        "a an the and or but so then also else other others another more any anything anyone something someone there "
        "that one ones of in on at to for from by with about as if not no yes tell me us you i we please again too "
        "say says said happen happened happens mean means go went come came get got make made next after before later "
        "exactly really long many much often old first last time year day way reason kind example "
        "explain describe elaborate detail details further give show"
    )
)
"""Words that carry no topic of their own: a question of nothing but these asks about what was said before."""

STOP_WORDS = _words(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with"
) | _words("s t")
"""Words that no search looks for: those of Lucene's English analyser, and what an apostrophe leaves behind."""

ENGLISH_ONLY = (STOP_WORDS | PRONOUNS | AUXILIARIES | QUESTION_WORDS | {"from"}) - _words(
    "a s t am as at by die for had has have her him in me no on so to was will"
)
"""Words that hold English together, without those that other languages' texts are full of, too."""
LEAST_ENGLISH = 0.08
"""The share of these among the words of an article: of 1,400 English ones, abstracts among them, one had less (median
.27); other languages' have .05 at most.
"""
FEWEST_WORDS = 20
"""A shorter text tells too little of its language."""

COMMON_WORDS = _words(
    "a about after again against ago all also although always am among an and another any are around as asked at "
    "away be because been before being between both but by call called came described can cannot could day days "
    "did do does doing done down during each early either end ended even ever every few first for former found "
    "from further gave get given go going got great had half has have having he her here hers him his how however "
    "i if in into is it its just last later least less let like long made main make many may me mean might more "
    "most much must my near never new next no nor not nothing now of off often old on once one only or other "
    "others our out over own part past people put quite rather really reported said same saw say saying says "
    "second see seen several shall she should show since so some something soon still such take taken than that "
    "the their them then there these they thing things third this those though three through thus to today "
    "together told too took toward towards two under until up upon us use used very want wants was way we week "
    "well went were what when where whether which while who whole whom whose why will with without word would "
    "year years yes yet you your"
)
"""Words that are in every article, and so are part of no name."""

SPEECH_VERBS = _words(
    "said says say told tells tell thinks think thought believes believe believed argues argue argued claims claimed "
    "calls called wants want wanted warns warned insists insisted denies denied writes wrote sees see saw feels felt "
    "hopes hoped asks asked explains explained adds added agrees agreed suggests suggested notes noted criticized "
    "criticised praises praised describes described dismisses dismissed rejects rejected supports supported opposes "
    "opposed promises promised"
)
"""What speakers do, or think."""

FORMS_OF_ADDRESS = _words("mr mrs ms miss dr prof sir")
TEXT_NOUNS = _words("article text story page piece document paper report")
"""What people call the article that they ask about."""

NUMBER_WORDS = {
    word: str(number)
    for number, word in (
        *enumerate(
            "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
            "eighteen nineteen".split(),
            2,
        ),
        *zip(range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty ninety".split(), strict=True),
    )
}
"""Numbers that texts spell out; "one" is left out, as it mostly counts nothing."""


def seems_english(text: str) -> bool:
    """Whether the text seems to be English for the most part, however it is cased and punctuated; a text of Latin
    letters that has fewer than FEWEST_WORDS words counts as English, as it tells too little.
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    letters = "".join(words)
    if 2 * sum(letter > "\u024f" for letter in letters) > len(letters):
        return False
    known = sum(word in ENGLISH_ONLY for word in words)
    return len(words) < FEWEST_WORDS or known >= LEAST_ENGLISH * len(words)
