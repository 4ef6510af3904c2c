from __future__ import annotations

import re

import pytest
import tiny
import torch
from tokenizers import Tokenizer

from rag.models.encoder import fast_inference
from rag.models.reader.network import ReaderNetwork, best_spans, encode
from rag.models.reader.spans import CANDIDATES, SIDE_WORDS, Window, answer_spans
from rag.training.data import Corpus
from rag.types import Span

QUESTION = "why did the guild raise the mill"


@pytest.fixture(scope="module")
def network() -> ReaderNetwork:
    return tiny.network(seed=3).eval()


@pytest.fixture(scope="module")
def texts(corpus: Corpus) -> list[str]:
    return ["\n\n".join(d.text for d in corpus.documents[at : at + 8]) for at in (0, 8)]


def windows_of(texts: list[str], words: int = 60, stride: int = 45) -> list[Window]:
    made = []
    for number, text in enumerate(texts):
        places = [n for n, c in enumerate(text) if n == 0 or (text[n - 1].isspace() and not c.isspace())]
        for first in range(0, len(places), stride):
            end = places[first + words] - 1 if first + words < len(places) else len(text)
            made.append(Window(number, Span(places[first], len(text[:end].rstrip()))))
    return made


def scores(network: ReaderNetwork, tokenizer: Tokenizer, text: str, window: Span) -> dict[tuple[int, int], float]:
    """The score of every span of the text where this window alone is read."""
    batch = encode(tokenizer, [text[window.start : window.end]], [QUESTION])
    with fast_inference(torch.device("cpu")):
        every = best_spans(*network.spans(network(batch), batch.answerable), batch, top=100_000)[0]
    return {(s.start + window.start, s.end + window.start): s.score for s in every}


def test_a_score_is_the_mean_of_where_it_was_found_and_of_the_middle(
    network: ReaderNetwork, tokenizer: Tokenizer, texts: list[str]
) -> None:
    text, windows = texts[0], windows_of(texts[:1])
    found = answer_spans(network, tokenizer, QUESTION, [text], windows)
    assert len(found) == CANDIDATES
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    readings = [scores(network, tokenizer, text, window.span) for window in windows]
    start, end = max((score, span) for reading in readings for span, score in reading.items())[1]
    begin = [match.start() for match in re.finditer(r"\S+", text[:start])][-SIDE_WORDS:][0]
    stop = end + [match.end() for match in re.finditer(r"\S+", text[end:])][:SIDE_WORDS][-1]
    middle = scores(network, tokenizer, text, Span(begin, stop))
    one = next(s for s in found if s.start < end and s.end > start)
    means = [
        (reading[one.start, one.end] + middle[one.start, one.end]) / 2
        for reading in readings
        if (one.start, one.end) in reading
    ]
    assert any(one.score == pytest.approx(mean, abs=0.02) for mean in means)


def test_there_are_as_many_as_asked_for_and_they_lie_in_the_windows(
    network: ReaderNetwork, tokenizer: Tokenizer, texts: list[str]
) -> None:
    windows = windows_of(texts)[::2]
    found = answer_spans(network, tokenizer, QUESTION, texts, windows, candidates=8)
    assert len(found) == 8
    assert {s.row for s in found} == {0, 1}
    for span in found:
        assert any(w.text == span.row and w.span.contains(Span(span.start, span.end)) for w in windows)


def test_a_text_read_whole_is_not_read_again(network: ReaderNetwork, tokenizer: Tokenizer, texts: list[str]) -> None:
    text = texts[0].split("\n\n")[0]
    found = answer_spans(network, tokenizer, QUESTION, [text], [Window(0, Span(0, len(text)))])
    alone = scores(network, tokenizer, text, Span(0, len(text)))
    assert found[0].score == pytest.approx(alone[found[0].start, found[0].end], abs=0.02)


def test_nothing_to_read_gives_nothing(network: ReaderNetwork, tokenizer: Tokenizer) -> None:
    assert answer_spans(network, tokenizer, QUESTION, [], []) == []
