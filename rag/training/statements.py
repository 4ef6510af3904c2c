"""Statements about sentences of the training files, said by a writer: `python -m rag.training.statements --help`.

A checker whose truths have the words of their quotes, and whose falsehoods are made by exchanging some, learns to look
for words. A writer says what a sentence says in quite other words, and invents as writers do: it adds what it believes
to know, and answers questions from memory.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rag.answer.particulars import known, particulars
from rag.evaluation.metrics import recall
from rag.models.embeddings import Embedder, SentenceTransformerEmbedder
from rag.models.llm import Message
from rag.sentences import split_sentences
from rag.training.claims import falsified
from rag.training.data import Corpus, Question, known_in, load_corpus
from rag.training.rewording import SHARES, by_examples
from rag.training.side_by_side import SideBySide, add_options, opened

LONGEST = 60
"""Tokens of a statement, at most."""
NEAR, ABOUT = 0.7, 0.5
"""Other words say the same where their cosine with the sentence is at least the first; what a writer adds is about the
sentence where it is at least the second."""
MOST_SHARED = 0.6
"""What has names or numbers that the sentence does not have, or no more than this share of its words from there, is
something that the sentence does not say."""
_DENIALS = re.compile(r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a writer is asked to say of a sentence, by invented examples, and whether the sentence says it."""

    supported: bool
    system: str
    examples: tuple[tuple[str, str], ...]


_BRIDGE = (
    "The Arle bridge, which opened in 1884, was closed for good after the flood of May 1931 washed away two piers."
)
_KLEIN = (
    "Although critics praised her first novel, Ada Klein sold fewer than 900 copies of it and went back to nursing."
)
_COUNCIL = (
    "The council voted 7 to 5 against the new harbour because most members doubted that the port could pay for it."
)
REMEMBERED = "remembered"
"""Questions answered without the text: what has no word of the right answer is not said by the sentence that has it."""
KINDS = {
    "reworded": Kind(
        True,
        "Say what the sentence says, or a part of it, in a short sentence with everyday words of your own, as you "
        "would tell a friend. Add nothing that the sentence does not say.",
        (
            (_BRIDGE, "They shut the Arle bridge for ever because a flood in 1931 took away two of its piers."),
            (_KLEIN, "Hardly anybody bought Ada Klein's first book, even though the reviews were good."),
            (_COUNCIL, "The council said no to a new harbour, mainly because it may cost the port more than it has."),
        ),
    ),
    "added": Kind(
        False,
        "You hear the sentence in a conversation. Reply in one sentence about the same thing with a fact that you know "
        "and that the sentence does not say.",
        (
            (_BRIDGE, "Yes, and the Arle bridge was the longest in the whole valley when it was built."),
            (_KLEIN, "Ada Klein wrote her first novel in a small flat in Bremen while she worked at night."),
            (_COUNCIL, "The port has been losing ships to its neighbours for more than twenty years."),
        ),
    ),
    REMEMBERED: Kind(
        False,
        "Answer the question from memory in one short sentence. If you do not know, guess.",
        (
            ("Why did the Arle bridge close?", "The Arle bridge closed because its iron was rusting away."),
            ("How many copies of her first novel did Ada Klein sell?", "Ada Klein sold about 20,000 copies of it."),
            ("Who voted against the new harbour?", "The new harbour was voted down by the mayor and his party."),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a writer is asked to say something about, the evidence, the sentences beside that, the right words."""

    id: str
    prompt: str
    evidence: str
    beside: str = ""
    golds: tuple[str, ...] = ()


def drawn(corpus: Corpus, count: int, seed: int) -> dict[str, list[Asked]]:
    """About so many sentences to be told from, twice as many to be said in other words; a third of the evidence has
    the next sentence of the text, too.
    """
    random_ = random.Random(seed)  # noqa: S311 (the draws are for a repeatable sample)
    asked: dict[str, list[Asked]] = {kind: [] for kind in KINDS}
    by_source: dict[str, list[Question]] = {source: [] for source in SHARES}
    for question in corpus.questions:
        by_source.get(corpus.documents[question.document].source, []).append(question)
    for source, questions in by_source.items():
        random_.shuffle(questions)
        rest = iter(questions)
        for kind, found in asked.items():
            most = round(count * SHARES[source]) * (2 if KINDS[kind].supported else 1)
            found += [
                one for question in islice(rest, most) if (one := _asked(random_, corpus, question, kind)) is not None
            ]
    return asked


def _asked(random_: random.Random, corpus: Corpus, question: Question, kind: str) -> Asked | None:
    """Of the sentence that answers the question, else of any; None where it is very short or long."""
    text = corpus.documents[question.document].text
    sentences = [text[span.start : span.end] for span in split_sentences(text)]
    golds = tuple({text[start:end] for start, end in question.spans})
    holding = [n for n, sentence in enumerate(sentences) if any(gold in sentence for gold in golds)]
    at = random_.choice(holding) if holding else random_.randrange(len(sentences))
    if not 8 <= len(sentences[at].split()) <= 45 or (kind == REMEMBERED and not holding):
        return None
    last = at + (2 if random_.random() < 1 / 3 else 1)
    return Asked(
        id=f"{kind}:{question.id}",
        prompt=question.text if kind == REMEMBERED else sentences[at],
        evidence=" ".join(sentences[at:last]),
        beside=" ".join(sentences[last : last + 2] or sentences[max(0, at - 2) : at]),
        golds=golds,
    )


def kept(kind: str, asked: Asked, words: str, cosine: float) -> bool:
    """Whether a reply, whose cosine with what was asked is told, is likely what it should be: true, without names,
    numbers and denials of its own; or false, and about the sentence.
    """
    if not 4 <= len(words.split()) <= 45 or words == asked.prompt:
        return False
    strangers = particulars(words) - known([asked.evidence])
    if KINDS[kind].supported:
        denies = bool(_DENIALS.search(words)) == bool(_DENIALS.search(asked.prompt))
        return cosine >= NEAR and not strangers and denies
    if any(recall(words, gold) > 0 for gold in asked.golds) and kind == REMEMBERED:
        return False
    return cosine >= ABOUT and bool(strangers or recall(asked.evidence, words) <= MOST_SHARED)


def lines(
    random_: random.Random, asked: Sequence[Asked], kind: str, writer: SideBySide, embedder: Embedder
) -> Iterator[dict[str, object]]:
    """{"id", "evidence", "statement", "supported"} for each of the replies that are kept; and for each that is true,
    where they can be made, itself with something in it changed, or beside the sentences that follow.
    """
    told = KINDS[kind]
    messages = (Message("user", one.prompt) for one in asked)
    for number, reply in writer.replies(by_examples(told.system, told.examples), messages, LONGEST):
        one, words = asked[number], reply.strip().split("\n")[0]
        vectors = embedder.embed([one.prompt, words])  # (2, d)
        if not kept(kind, one, words, float(vectors[0] @ vectors[1])):
            continue
        yield {"id": one.id, "evidence": one.evidence, "statement": words, "supported": told.supported}
        if not told.supported:
            continue
        changed = falsified(random_, words, one.evidence)
        if changed is not None and random_.random() < 0.5:
            yield {"id": f"changed {one.id}", "evidence": one.evidence, "statement": changed, "supported": False}
        elif one.beside and recall(one.beside, words) <= MOST_SHARED:
            yield {"id": f"beside {one.id}", "evidence": one.beside, "statement": words, "supported": False}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the statements that are missing."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.statements", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of question files (.jsonl)")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, or to go on with")
    parser.add_argument(
        "--count", type=int, default=1200, help="of each kind, about, before the wrong go (%(default)s)"
    )
    add_options(parser)
    arguments = parser.parse_args(argv)
    writer = opened(arguments, "statements")
    done, embedder = known_in(arguments.out), SentenceTransformerEmbedder()
    with arguments.out.open("a", encoding="utf-8") as out:
        random_ = random.Random(arguments.seed)  # noqa: S311 (the draws are for a repeatable sample)
        for kind, asked in drawn(load_corpus(arguments.data, held=False), arguments.count, arguments.seed).items():
            missing = [one for one in asked if one.id not in done]
            for line in lines(random_, missing, kind, writer, embedder):
                print(json.dumps(line, ensure_ascii=False), file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
