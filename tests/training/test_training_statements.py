"""Statements that a writer says about sentences: which are asked for, which are kept, and with what label."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rag.errors import ModelError
from rag.models.llm import Message
from rag.training import statements
from rag.training.data import Corpus
from rag.training.side_by_side import SideBySide
from rag.training.statements import KINDS, REMEMBERED, SHARES, Asked, drawn, kept, main
from tests.fakes import FakeEmbedder

SENTENCE = "The old mill of Arden was built in 1884 by Anna Berg, who ran it until the flood of 1931."
AFTER = "A museum has stood on the place since 1990."
ASKED = Asked("mill", SENTENCE, SENTENCE, AFTER)


class _SaysAlways:
    """A writer that says the same of everything."""

    def __init__(self, words: str) -> None:
        self.words = words

    def replies(
        self,
        beginning: Sequence[Message],
        asked: Iterable[Message],
        max_tokens: int,
    ) -> Iterator[tuple[int, str]]:
        return ((number, self.words) for number, _ in enumerate(asked))


def lines_of(words: str, kind: str, count: int) -> list[dict[str, object]]:
    """What comes of so many sentences where the writer says these words of each."""
    asked = [replace(ASKED, id=str(number)) for number in range(count)]
    writer = cast("SideBySide", _SaysAlways(words))
    return list(statements.lines(random.Random(1), asked, kind, writer, FakeEmbedder()))


def test_each_kind_has_sentences_of_its_own_twice_as_many_of_true_ones(corpus: Corpus) -> None:
    named = Corpus(tuple(replace(d, source="squad2_train") for d in corpus.documents), corpus.questions)
    asked = drawn(named, 12, seed=1)
    assert list(asked) == list(KINDS)
    each = round(12 * SHARES["squad2_train"])
    assert [len(found) <= each * (2 if KINDS[kind].supported else 1) for kind, found in asked.items()] == [True] * 3
    assert len(asked["reworded"]) > len(asked["added"]) > 0
    questions = [one.id.partition(":")[2] for found in asked.values() for one in found]
    assert len(set(questions)) == len(questions)
    texts = [document.text for document in named.documents]
    for kind, found in asked.items():
        for one in found:
            assert any(one.evidence.split(". ")[0] in text for text in texts)
            assert one.beside not in one.evidence
            assert (one.prompt in one.evidence) == (kind != REMEMBERED)
    assert asked == drawn(named, 12, seed=1) != drawn(named, 12, seed=2)


@pytest.mark.parametrize(
    ("words", "cosine", "is_kept"),
    [
        ("Anna Berg's mill in Arden was lost to a flood in 1931.", 0.8, True),
        ("Anna Berg's mill in Arden was lost to a flood in 1931.", 0.6, False),  # about something else
        ("Clara Berg's mill in Arden was lost to a flood in 1931.", 0.9, False),  # a name of its own
        ("Anna Berg did not run the mill of Arden.", 0.9, False),  # a denial of its own
        ("Arden's mill.", 0.9, False),
        (SENTENCE, 1.0, False),
    ],
)
def test_other_words_are_true_where_they_are_near_and_add_no_names_numbers_or_denials(
    words: str, cosine: float, *, is_kept: bool
) -> None:
    assert kept("reworded", ASKED, words, cosine) == is_kept


@pytest.mark.parametrize(
    ("kind", "words", "is_kept"),
    [
        ("added", "The mill of Arden had the tallest wheel in Saxony.", True),
        ("added", "Mills like this one mostly ground rye and oats for farmers nearby.", True),
        ("added", "The old mill was built in 1884 by Anna Berg.", False),  # the sentence says so
        (REMEMBERED, "It was built by Clara Lund.", True),
        (REMEMBERED, "It was built by a woman called Berg.", False),  # partly right
    ],
)
def test_what_is_invented_is_kept_where_the_sentence_does_not_say_it(kind: str, words: str, *, is_kept: bool) -> None:
    asked = replace(ASKED, prompt="Who built the mill?", golds=("Anna Berg",)) if kind == REMEMBERED else ASKED
    assert kept(kind, asked, words, 0.6) == is_kept


def test_what_is_true_comes_with_what_is_not() -> None:
    said = "Arden's old mill was built by Anna Berg in 1884 and run until the flood of 1931."
    kinds = {"": 0, "changed": 0, "beside": 0}
    for line in lines_of(said, "reworded", 40):
        kind = str(line["id"]).rpartition(" ")[0]
        kinds[kind] += 1
        assert line["supported"] == (not kind)
        assert (line["statement"] == said) == (kind != "changed")
        assert line["evidence"] == (AFTER if kind == "beside" else SENTENCE)
    assert kinds[""] == 40
    assert min(kinds["changed"], kinds["beside"]) > 5


def test_what_is_invented_comes_alone() -> None:
    found = lines_of("The old mill of Arden was built again by Clara Lund, who ran it in 1700.", "added", 3)
    assert [line["supported"] for line in found] == [False] * 3


@pytest.mark.e2e
def test_the_command_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "squad2_train.jsonl").write_text((data / "town.jsonl").read_text())
    out = tmp_path / "out.jsonl"
    command = [str(folder), "--out", str(out), "--count", "6", "--llm", "packaged", "--threads", "1"]
    assert main(command) == 0
    lines = out.read_text().splitlines()
    assert lines
    assert all(json.loads(line).keys() == {"id", "evidence", "statement", "supported"} for line in lines)
    assert main(command) == 0
    assert out.read_text().splitlines()[: len(lines)] == lines
    with pytest.raises(ModelError, match="need a language model"):
        main([*command[:-4], "--llm", "none"])
