"""The trained reader itself, with its weights."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import ModelError
from rag.ingest.passages import split_passages
from rag.models.reader.boundaries import boundary_segments
from rag.models.reader.quotes import MAX_QUOTE_WORDS, SpanReader, merge_touching, quote_span
from rag.models.reader.weights import WEIGHTS, LoadedReader, _load, weights_fingerprint
from rag.models.weights import fingerprint
from rag.sentences import split_sentences
from rag.types import Document, Passage, Quote, Reading, RetrievedPassage, Span

pytestmark = pytest.mark.e2e

SEED = Path(__file__).parent.parent / "seeds" / "hanoi-summit.txt"


def passages_of(document: Document) -> list[RetrievedPassage]:
    found = split_passages(
        document, lambda texts: [len(t.split()) for t in texts], max_pieces=60, overlap_pieces=15, segmenter=None
    )
    return [RetrievedPassage(passage, 1.0) for passage in found]


def read(document: Document, question: str, max_quotes: int = 3) -> Reading:
    return SpanReader().read(question, {document.id: document}, passages_of(document), max_quotes=max_quotes)


def test_it_finds_the_words_and_quotes_their_sentence(article: Document) -> None:
    reading = read(article, "How much will the repairs to the dam cost?")
    best = reading.quotes[0]
    assert best.text == "Repairs to the northern dam will cost 40 million crowns."
    assert best.highlight is not None
    assert article.text[best.highlight.start : best.highlight.end] == "40 million crowns"
    assert reading.answerable == best.score > 0.5


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who founded the museum?", "Clara Lindt"),
        ("where did the museum move after the war", "Basel"),
        ("Why was the ferry late?", "pilot had fallen ill"),
        ("How many ships does the museum show?", "forty"),
    ],
)
def test_the_best_quote_holds_the_answer(article: Document, question: str, words: str) -> None:
    assert words in read(article, question).quotes[0].text


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "Write a poem about spring", "Who won the World Series in 2016?"],
)
def test_what_the_article_does_not_say_is_unlikely(article: Document, question: str) -> None:
    assert read(article, question).answerable < 0.5 < read(article, "Who founded the museum?").answerable


def test_quotes_are_exact_ranked_and_disjoint(article: Document) -> None:
    for question in ("Who?", "What happened to the museum?", "when", "x" * 900):
        quotes = read(article, question).quotes
        assert all(article.text[q.span.start : q.span.end] == q.text for q in quotes)
        assert [q.score for q in quotes] == sorted((q.score for q in quotes), reverse=True)
        assert all(not a.span.overlaps(b.span) for i, a in enumerate(quotes) for b in quotes[:i])
        assert all(0 <= q.score <= 1 for q in quotes)


def test_the_order_and_company_of_passages_do_not_matter(article: Document) -> None:
    passages = passages_of(article)
    one = SpanReader().read("Who founded the museum?", {article.id: article}, passages, max_quotes=3)
    two = SpanReader().read("Who founded the museum?", {article.id: article}, passages[::-1], max_quotes=3)
    assert [q.span for q in one.quotes] == [q.span for q in two.quotes]


def test_no_passages_is_no_answer() -> None:
    assert SpanReader().read("why?", {}, [], max_quotes=3) == Reading((), 0.0)


@pytest.mark.parametrize("text", ["*** — !!!", "中文句子。第二句。", "😀 😀", "a"])
def test_any_text_can_be_read(text: str) -> None:
    document = Document("d", "D", text, "")
    passage = Passage("d", Span(0, len(text)), text)
    reading = SpanReader().read("what is it?", {"d": document}, [RetrievedPassage(passage, 1.0)], max_quotes=3)
    assert all(document.text[q.span.start : q.span.end] == q.text for q in reading.quotes)


def test_an_answer_across_sentences_is_quoted_with_both() -> None:
    text = "One here. Two there. Three."
    assert quote_span(text, Span(4, 14), split_sentences(text)) == Span(0, 20)


def test_the_quote_of_a_very_long_sentence_is_the_part_around_the_answer() -> None:
    words = " ".join(f"w{i}" for i in range(70))
    answer = Span(words.index("w40"), words.index("w40") + 3)
    found = quote_span(words, answer, [Span(0, len(words))])
    assert words[found.start : found.end].split()[0] == "w28"
    assert len(words[found.start : found.end].split()) <= MAX_QUOTE_WORDS


def quote(text: str, start: int, end: int, score: float, highlight: Span | None = None) -> Quote:
    return Quote("d", Span(start, end), text[start:end], score, highlight)


def merged(text: str, *quotes: Quote) -> list[tuple[str, float, Span | None]]:
    found = merge_touching(quotes, {"d": Document("d", "D", text, "")})
    return [(q.text, q.score, q.highlight) for q in found]


def test_overlapping_quotes_become_one() -> None:
    text = "One two three. Four five six.\n\nTen."
    one = quote(text, 10, 29, 0.9, Span(15, 19))
    expected = [(text[:29], 0.9, Span(15, 19)), ("Ten.", 0.7, None)]
    assert merged(text, one, quote(text, 0, 14, 0.8), quote(text, 31, 35, 0.7)) == expected


def test_three_quotes_that_hang_together_become_one() -> None:
    text = "x" * 100
    quotes = (quote(text, 8, 33, 0.9), quote(text, 55, 80, 0.8), quote(text, 31, 57, 0.7))
    assert merged(text, *quotes) == [("x" * 72, 0.9, None)]


def test_neighbours_are_joined_while_that_stays_short() -> None:
    short = "One two. Three four."
    assert merged(short, quote(short, 9, 20, 0.9), quote(short, 0, 8, 0.8)) == [(short, 0.9, None)]
    long = f"{'a ' * MAX_QUOTE_WORDS}b. Short one."
    split = long.index("Short")
    assert len(merged(long, quote(long, split, len(long), 0.9), quote(long, 0, split - 1, 0.8))) == 2


def boundaries(text: str, segment: Callable[[str], list[Span]]) -> set[int]:
    """The number of words before each boundary."""
    return {len(text[: span.end].split()) for span in segment(text)}


def test_segments_hold_every_word_once_and_in_order() -> None:
    text = SEED.read_text(encoding="utf-8")
    spans = boundary_segments(text)
    assert " ".join(text[s.start : s.end] for s in spans).split() == text.split()
    assert len(spans) > 20


def test_boundaries_come_back_when_punctuation_is_taken_away() -> None:
    original = (
        "The ferry to Aland was two hours late on Monday. A spokeswoman said the harbour pilot had fallen ill. Clara "
        "Lindt founded the maritime museum in 1911. The museum moved to Basel after the war. It shows forty model "
        "ships. Repairs to the northern dam will cost 40 million crowns. The water board borrows the money from a bank "
        "in Oslo. Critics said that the price was too high. The mayor did not answer their letters."
    )
    bare = "".join(c.lower() for c in original if c.isalnum() or c == " ")
    truth = boundaries(original, split_sentences)
    found = boundaries(bare, boundary_segments)
    assert len(truth & found) / len(truth) > 0.6
    assert len(truth & found) / len(found) > 0.6


@pytest.mark.parametrize("text", ["one", "one two", "word " * 500, "x" * 5000])
def test_any_text_has_segments(text: str) -> None:
    segments = [text[s.start : s.end] for s in boundary_segments(text)]
    assert "".join("".join(segments).split()) == "".join(text.split())
    assert all(segments)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The weights, in a folder of the test's own from which they are read."""
    copy = tmp_path / WEIGHTS.name
    copy.write_bytes(WEIGHTS.read_bytes())
    monkeypatch.setattr("rag.models.reader.weights.WEIGHTS", copy)
    fingerprint.cache_clear()
    yield copy
    fingerprint.cache_clear()


def test_a_flipped_bit_of_the_weights_is_an_error_that_says_what_to_do(copied: Path) -> None:
    checksum = copied.with_name("reader.safetensors.sha256")
    checksum.write_bytes(WEIGHTS.with_name(checksum.name).read_bytes())
    assert isinstance(_load(), LoadedReader)
    fingerprint.cache_clear()
    data = bytearray(copied.read_bytes())
    data[-1000] ^= 1
    copied.write_bytes(data)
    for use in (_load, weights_fingerprint):
        with pytest.raises(ModelError, match=r"reader\.safetensors is damaged.*install article-chat again") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_weights_that_are_missing_or_without_checksum_say_what_to_do(copied: Path) -> None:
    with pytest.raises(ModelError, match=r"reader\.safetensors\.sha256 cannot be read.*install article-chat again"):
        weights_fingerprint()
    copied.unlink()
    with pytest.raises(ModelError, match=r"reader\.safetensors cannot be read.*install article-chat again"):
        weights_fingerprint()
