"""The trained checker itself: whether quotes say what was written, and whether that answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from rag.errors import ModelError
from rag.models.checker import WEIGHTS, Claim, NeuralChecker, _load
from rag.models.checker_network import MAX_PIECES, MAX_QUESTION_PIECES, encode
from rag.models.embeddings import packaged_model_path
from rag.models.encoder import plain_tokenizer

QUOTES = "Clara Lindt founded the maritime museum in 1911. The museum moved to Basel after the war."


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return plain_tokenizer(packaged_model_path())


def test_a_claim_is_read_as_question_statement_and_quotes(tokenizer: Tokenizer) -> None:
    batch = encode(tokenizer, [Claim("Who?", "Clara did.", "Clara Lindt did."), Claim("", "Yes.", QUOTES)])
    assert tokenizer.decode(batch.ids[0].tolist(), skip_special_tokens=False).startswith(
        "[CLS] who? [SEP] clara did. [SEP] clara lindt did. [SEP]"
    )
    assert batch.types[0].tolist().index(1) == 8  # behind the second [SEP]
    assert batch.ids[1, :2].tolist() == [101, 102]  # nothing was asked
    assert not batch.mask[0, -1]


def test_words_of_the_statement_are_looked_for_in_the_quotes(tokenizer: Tokenizer) -> None:
    [row] = encode(tokenizer, [Claim("Who left?", "Clara Lindt sang.", "Clara Lindt left.")]).matches.tolist()
    #  [CLS] who left ? [SEP] clara lind ##t sang . [SEP] ...
    assert row[:5] == [0] * 5
    assert row[5:10] == [1, 1, 1, 2, 1]
    assert not any(row[10:])


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("said", "as_there", "quotes"),
    [
        (
            "A ticket costs Fifteen crowns.",
            "A ticket costs 15 crowns.",
            "Since May, tickets are sold at 15 crowns each.",
        ),
        ("12 boats sank in 1912.", "twelve boats sank in 1912.", "In 1912 a storm sank twelve boats."),
        ("Nine of 12,000 boats sank.", "Nine of 12,000 boats sank.", "Nine or 9 of twelve boats sank."),
    ],
)
def test_numbers_are_compared_whether_in_words_or_in_digits(said: str, as_there: str, quotes: str) -> None:
    one, other = NeuralChecker().check([Claim("", said, quotes), Claim("", as_there, quotes)])
    assert one == other


def test_what_is_word_for_word_a_sentence_of_the_quotes_is_said_by_them_whatever_was_asked() -> None:
    asked = "Why were the tickets sold out ; because it rained, said a man who had come from afar ; and how is he now?"
    quotes = "The ferry lost $1.5 million. Nobody saw it, he said."
    said, cut, other, more = NeuralChecker().check(
        [
            Claim(asked, text, quotes)
            for text in (
                "the Ferry lost $1.5 million",
                "Nobody saw it.",
                "The ferry lost $15 million.",
                f"{quotes} It sank.",
            )
        ]
    )
    assert said.supported == 1
    assert said.answers < 1
    assert max(cut.supported, other.supported, more.supported) < 1


def test_damaged_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / WEIGHTS.name
    copy.write_bytes(WEIGHTS.read_bytes()[:-1] + b"?")
    copy.with_name(f"{copy.name}.sha256").write_bytes(WEIGHTS.with_name(f"{WEIGHTS.name}.sha256").read_bytes())
    monkeypatch.setattr("rag.models.checker.WEIGHTS", copy)
    with pytest.raises(ModelError, match=r"checker\.safetensors is damaged.*install article-chat again"):
        _load()


def test_long_parts_are_cut(tokenizer: Tokenizer) -> None:
    batch = encode(tokenizer, [Claim("why " * 200 + "last", "so " * 200, "word " * 900)])
    assert batch.ids.shape == (1, MAX_PIECES)
    question = batch.ids[0, 1 : 1 + MAX_QUESTION_PIECES]
    assert tokenizer.decode(question.tolist()).endswith("last")


@pytest.mark.e2e
@pytest.mark.parametrize("quotes", [QUOTES, QUOTES.lower().replace(".", "")])
def test_what_the_quotes_say_is_told_from_what_they_do_not(quotes: str) -> None:
    checker, asked = NeuralChecker(), "Who founded the museum?"
    right, other_name, other_year, beside = checker.check(
        [
            Claim(asked, "Clara Lindt founded the museum.", quotes),
            Claim(asked, "Otto Brandt founded the museum.", quotes),
            Claim("When was the museum founded?", "The museum was founded in 1936.", quotes),
            Claim(asked, "The museum moved to Basel.", quotes),
        ]
    )
    assert right.supported > 0.5
    assert right.answers > 0.5
    assert other_name.supported < right.supported / 2
    assert other_year.supported < right.supported / 2
    assert beside.answers < right.answers - 0.2
    assert checker.check([]) == []
