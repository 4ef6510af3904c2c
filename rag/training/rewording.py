"""Questions in other words, said by a writer: `python -m rag.training.rewording --help`.

Those who wrote most question files looked at the text and took its words; people who have not read it ask in words of
their own. What a reader is to learn from them is what the question means.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rag.models.embeddings import Embedder
from rag.models.llm import Message
from rag.training.augment import asks_reason
from rag.training.data import Corpus, Question, known_in, load_corpus
from rag.training.side_by_side import SideBySide, add_options, opened

SHARES = {"squad2_train": 0.55, "qed_nq": 0.12, "fairytaleqa": 0.13, "qadiscourse": 0.13, "qamr": 0.05, "covidqa": 0.02}
"""Of the questions, by the file's name; a third of each asks for reasons."""
HELD = 0.1
"""The share of them that are of articles on which nothing is trained."""
NEAR, ALIKE = 0.6, 0.985
"""Other words are kept that have at least this cosine with the question, and less than this."""
LONGEST = 48
"""Tokens of a question, at most."""
_SYSTEM = (
    "Ask the question again as somebody would who has not read the text and says it in other, everyday words. Keep "
    "what is asked and the names. Answer with the question only."
)
# Invented.
_EXAMPLES = (
    ("Why did the Arle bridge close in May 1931?", "how come the arle bridge was shut in may 1931?"),
    ("What caused the decline in ticket sales?", "Why were fewer tickets being sold?"),
    ("Who designed the concert hall's acoustics?", "who was behind the way the concert hall sounds?"),
    ("How did the government respond to the strike?", "What did those in power do about the walkout?"),
    (
        "When was the treaty with the northern tribes signed?",
        "What year did they make peace with the tribes up north?",
    ),
    (
        "What percentage of pupils speak two languages at home?",
        "how many of the kids use two languages at home, in percent?",
    ),
)


def by_examples(system: str, examples: Iterable[tuple[str, str]]) -> tuple[Message, ...]:
    """The beginning of a prompt: what is wanted, and what was said to what as an example."""
    shown = ((Message("user", asked), Message("assistant", said)) for asked, said in examples)
    return (Message("system", system), *(message for pair in shown for message in pair))


INTRODUCTION = by_examples(_SYSTEM, _EXAMPLES)


def is_question(said: str) -> bool:
    """Whether it is as long as questions are."""
    return 3 <= len(said.split()) <= 30


def drawn(corpus: Corpus, count: int, seed: int) -> list[Question]:
    """About so many of the questions, shuffled, of each file as SHARES says."""
    random_ = random.Random(seed)  # noqa: S311 (the draws are for a repeatable sample)
    asked: dict[str, list[Question]] = {source: [] for source in SHARES}
    for question in corpus.questions:
        asked.get(corpus.documents[question.document].source, []).append(question)
    chosen = []
    for source, questions in asked.items():
        random_.shuffle(questions)
        most = round(count * SHARES[source])
        reasons = [question for question in questions if asks_reason(question.text)][: most // 3]
        others = [question for question in questions if not asks_reason(question.text)]
        chosen += [*reasons, *others[: most - len(reasons)]]
    random_.shuffle(chosen)
    return chosen


def read_reworded(path: Path, embedder: Embedder) -> dict[str, str]:
    """Other words by the id of the question, of a file that `main` wrote: those that mean nearly the same."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    told = [line for line in lines if is_question(line["reworded"])]
    if not told:
        return {}
    before, after = (embedder.embed([line[name] for line in told]) for name in ("question", "reworded"))  # (n, d)
    near = np.einsum("nd,nd->n", before, after)
    return {line["id"]: line["reworded"] for line, c in zip(told, near, strict=True) if NEAR <= c < ALIKE}


def _lines(questions: Sequence[Question], writer: SideBySide) -> Iterator[str]:
    said = writer.replies(INTRODUCTION, (Message("user", question.text) for question in questions), LONGEST)
    for number, words in said:
        question = questions[number]
        told = {"id": question.id, "question": question.text, "reworded": words.strip().split("\n")[0]}
        yield json.dumps(told, ensure_ascii=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Write {"id", "question", "reworded"} lines for a share of the questions; those that are there are left out."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.rewording", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of question files (.jsonl)")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, or to go on with")
    parser.add_argument("--count", type=int, default=9000, help="questions, about (%(default)s)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    writer = opened(arguments, "other words")
    file = arguments.out
    done = known_in(file)
    questions = [
        question
        for held, share in ((True, HELD), (False, 1 - HELD))
        for question in drawn(load_corpus(arguments.data, held=held), round(arguments.count * share), arguments.seed)
    ]
    with file.open("a", encoding="utf-8") as out:
        for line in _lines([question for question in questions if question.id not in done], writer):
            print(line, file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
