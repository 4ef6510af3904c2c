import itertools
import random

import pytest

from rag.sentences import MAX_SENTENCE_WORDS, WINDOW_WORDS, split_sentences, word_windows
from rag.types import Span


def texts(text: str) -> list[str]:
    return [text[s.start : s.end] for s in split_sentences(text)]


def test_abbreviations_and_quotes_do_not_end_a_sentence() -> None:
    text = 'Dr. Smith paid $3.5 million in the U.S. on Jan. 5. He said "It is done." Then he left (see Fig. 2).'
    assert texts(text) == [
        "Dr. Smith paid $3.5 million in the U.S. on Jan. 5.",
        'He said "It is done."',
        "Then he left (see Fig. 2).",
    ]


def test_blocks_of_markdown_are_not_joined() -> None:
    text = "# Title\nIntro line\nwraps.\n## Sub\n- item one\n- item two. And more.\n1. First\n\n| a | b |\n"
    assert texts(text) == [
        "# Title", "Intro line\nwraps.", "## Sub", "- item one", "- item two.", "And more.", "1. First", "| a | b |",
    ]  # fmt: skip


def test_a_row_of_a_table_is_one_sentence() -> None:
    table = (
        "| Town | Mayor |\n| :--- | ---: |\n| Arlen | Dr. Moss. He is new. |\n| Bexmoor | None. |\nIt rained. Then not."
    )
    bare = "Of towns:\nTown|Mayor\n---|---\nArlen|P. Moss. He is new.\nBexmoor|None.\n\nWe know P(A | B). It rained."
    assert texts(f"{table}\n\n{bare}") == [
        *("| Town | Mayor |\n| :--- | ---: |", "| Arlen | Dr. Moss. He is new. |", "| Bexmoor | None. |"),
        "It rained. Then not.",  # as Markdown has it, the table ends with an empty line
        *("Of towns:", "Town|Mayor\n---|---", "Arlen|P. Moss. He is new.", "Bexmoor|None."),
        *("We know P(A | B).", "It rained."),
    ]


def test_a_row_that_is_longer_than_any_sentence_is_split_as_prose_is() -> None:
    prose = " ".join(["It rained on all of the towns."] * 12)
    assert texts(f"| Arlen | {prose}")[1:] == ["It rained on all of the towns."] * 11


def test_text_without_punctuation_becomes_windows_on_word_boundaries() -> None:
    words = [f"word{i}" for i in range(205)]
    found = texts(" ".join(words))
    assert " ".join(found).split() == words
    assert all(WINDOW_WORDS - 2 <= len(window.split()) <= WINDOW_WORDS + 2 for window in found)


def test_a_segmenter_is_used_for_long_stretches_only() -> None:
    long = " ".join(["word"] * (MAX_SENTENCE_WORDS + 1))
    text = f"A short one. {long}. Another."
    found = split_sentences(text, segmenter=lambda stretch: [Span(0, 4), Span(5, len(stretch))])
    assert [text[s.start : s.end] for s in found] == ["A short one.", "word", f"{long[5:]}.", "Another."]


@pytest.mark.parametrize("text", ["", " \n\n\t ", "\n"])
def test_nothing_has_no_sentences(text: str) -> None:
    assert split_sentences(text) == []


def test_any_text_is_covered_in_order_without_white_space_at_the_ends() -> None:
    rng = random.Random(7)
    alphabet = "ab É😀中。.!? \n\t#-|1'\"()"
    for _ in range(300):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(120)))
        spans = split_sentences(text)
        assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
        assert all(text[s.start : s.end].strip() == text[s.start : s.end] for s in spans)
        covered = {i for s in spans for i in range(s.start, s.end)}
        assert all(i in covered or text[i].isspace() for i in range(len(text)))


def test_one_endless_word_is_cut() -> None:
    spans = word_windows("x" * 10_000, words=20)
    assert len(spans) > 5
    assert max(len(s) for s in spans) <= 60 * 22
