"""Closed classes of English words for `rag.answer.grounding`, as data: each word maps to a one-letter word class.

The letters are read by the patterns in `rag.answer.grounding`; the classes that are not closed (content words, verbs,
numbers, punctuation) get their letters there.
"""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Spellings made one before words are cut, applied in order.
SPELLINGS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("[’‘ʼ`]", "'"),
        (r"(?i)\bcan(?:'t|not)\b", "can not"),
        (r"(?i)\bwon't\b", "will not"),
        (r"(?i)n't\b", " not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should) ?n t\b", r"\1 not"),
        (r"(?i)\b(it|he|she|that|there|who|what)'s\b", r"\1 is"),
        (r"(?i)'re\b", " are"),
        (r"(?i)'ve\b", " have"),
        (r"(?i)'ll\b", " will"),
        (r"(?i)'m\b", " am"),
        (r"(?i)(?<=\w)s'(?=\s)", "s's"),
        (r"(?i)\bper cent\b|%", " percent"),
        (r"\b(?:[A-Za-z]\.){2,}", lambda match: match[0].replace(".", "")),  # U.S. -> US
        (r"\b(Mr|Mrs|Ms|Dr|St|Jr|Sr|Gen|Sen|Gov|Lt|Col|Prof|vs|No|[A-Z])\.", r"\1"),
        (r"(?i)\b(?:took|takes|take|taken|taking) place\b", "occurred"),
        (r"(?i)\bhappen(?:s|ed)?\b|\b(?:was|were) held(?= (?:in|on|at|from|during)\b)", "occurred"),
    )
]
ECHO = re.compile(r"^\s*(?:quote|question|answer|assistant|user|system|note|passage)s?\s*:|<\|", re.IGNORECASE)

_CLASSES = {
    "d": "a an the",
    "b": "be am is are was were been being",
    "h": "have has had having",
    "a": "do does did done",
    "p": "about above across after against along alongside amid among around at before behind below beneath beside "
    "besides between beyond by concerning despite down during for from in inside into like near of off on onto "
    "opposite out outside over past regarding through throughout toward towards under underneath up upon via "
    "with within until till since as",
    "t": "to",
    "c": "and but",
    "s": "because while when though although whereas where so yet",
    "r": "who whom whose which that",
    # What may never be dropped or added: negation, comparison and exception ...
    "n": "not no never none nobody nothing nowhere neither nor without hardly barely scarcely rarely seldom little few "
    "except excluding instead rather than or either false falsely fail failed failing fails longer unable "
    "against unlike else otherwise only",
    # ... condition ...
    "f": "if unless whether provided providing supposing assuming lest",
    # ... possibility, obligation and plans ...
    "m": "may might can could will would shall should must ought need dare able likely unlikely possible impossible "
    "probable perhaps maybe possibly probably potentially apparently seemingly reportedly allegedly supposedly "
    "seem seems seemed appear appears appeared going due",
    # ... amount and degree ...
    "q": "all any anybody anyone anything every everybody everyone everything each both some somebody someone "
    "something several many much most more less least half part partly partially mostly mainly largely nearly "
    "almost approximately roughly circa just exactly too enough very quite sole",
    # ... and adjectives after which the noun may no longer hold ("a fake treaty", "the former king").
    "x": "former ex late fake false alleged supposed would-be attempted failed proposed planned potential possible "
    "future next previous last first second third co vice deputy acting assistant pseudo semi "
    "anti non near mock fictional fictitious imaginary virtual artificial counterfeit hypothetical "
    "putative purported apparent unsuccessful incomplete unofficial intended expected self pre post sub "
    "step grand",
    "w": "better worse best worst further children feet teeth mice geese people",
    "l": "also then now soon later still already however therefore thus once there here today again together "
    "away back often always sometimes usually ever",
    "u": "i me my mine myself we us our ours ourselves you your yours yourself he him his himself she her hers "
    "herself it its itself they them their theirs themselves this these those another other others such same "
    "own what how why",
}
CLASS_OF = {word: letter for letter, words in _CLASSES.items() for word in words.split()}

FIRST_OR_SECOND_PERSON = _set("i me my mine myself we us our ours ourselves you your yours yourself")
# Prepositions that also end a sentence as part of its verb ("stands out").
PARTICLES = _set("about above along around away below beyond by down in off on out over through under up")
SUBJECT_PRONOUNS = _set("he she they it i we")
# Claims about every case or exactly one: leaving out a restriction ("in Asia") would widen them.
WIDENING = _set("all any every each both none only sole main last first always ever most best worst least")

# Verbs (as lemmas) that report speech; in a draft a neutral one may stand for any of them.
NEUTRAL_REPORTING = _set("say state tell note add report remark mention")
REPORTING = NEUTRAL_REPORTING | _set(
    "announce explain declare comment claim argue insist warn stress emphasize acknowledge admit confirm assert "
    "promise vow pledge reply respond answer boast complain"
)
# Verbs (as lemmas) of thought, and of speech that does not assert: what follows is not the quote's own claim.
ATTITUDE = _set(
    "think believe hope fear doubt deny suspect suppose assume expect wish want dream imagine pretend propose suggest "
    "demand ask plan intend threaten refuse decline try attempt consider predict forecast speculate rumor rumour "
    "allege accuse offer urge advise recommend hint imply wonder guess feel agree opinion according theory myth legend "
    "joke lie hypothesis hypothesise hypothesize postulate contend maintain conclude estimate aim seek"
)

# Nouns of office: "foreign minister Ri Yong Ho" says that the minister is Ri Yong Ho.
OFFICES = _set(
    "president minister leader chairman chairwoman chairperson king queen emperor empress prince princess pope bishop "
    "governor mayor senator secretary ambassador envoy spokesman spokeswoman spokesperson general admiral colonel "
    "captain commander chief director manager coach author writer singer actor actress director composer painter poet "
    "chancellor premier founder inventor architect professor doctor judge capital wife husband son daughter brother "
    "sister father mother"
)

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first 1st second 2nd third 3rd fourth 4th fifth 5th sixth 6th seventh 7th eighth 8th ninth 9th tenth 10th"
NUMBERS = {word: str(value) for value, word in enumerate(_UNITS.split())}
NUMBERS |= {word: str(10 * value) for value, word in enumerate(_TENS.split(), start=2)}
ORDINALS = dict(zip(_ORDINALS.split()[::2], _ORDINALS.split()[1::2], strict=True))
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
# Verbs whose past is their base form, or whose past a lemmatiser leaves alone.
SAME_PAST = _set("hit put cut let set shut cost hurt quit read spread beat left felt born lost fell rose bore won")
