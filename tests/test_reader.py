from fakes import FakeEmbedder

from rag.index import Chunking, PassageIndex
from rag.reader import MAX_QUOTE_WORDS, SentenceReader, merge_touching
from rag.retrieval import retrieve
from rag.types import Document, Quote, Reading, Span


def read(index: PassageIndex, question: str, max_quotes: int = 3) -> Reading:
    found = retrieve(index, question, k=3)
    return SentenceReader(index.embedder).read(question, index.documents, found, max_quotes=max_quotes)


def quote(text: str, start: int, end: int, score: float = 0.5) -> Quote:
    return Quote("d", Span(start, end), text[start:end], score)


def test_the_sentence_that_answers_comes_first(index: PassageIndex) -> None:
    reading = read(index, "How much will repairs to the dam cost?", max_quotes=1)
    assert [q.text for q in reading.quotes] == ["Repairs to the northern dam will cost 40 million crowns."]
    assert reading.answerable > 0.5


def test_quotes_are_exact_and_inside_the_retrieved_passages(index: PassageIndex) -> None:
    question = "Where did the museum move?"
    found = retrieve(index, question, k=1)
    reading = SentenceReader(index.embedder).read(question, index.documents, found, max_quotes=3)
    text = index.documents["harbour-news"].text
    for q in reading.quotes:
        assert text[q.span.start : q.span.end] == q.text
        assert found[0].passage.span.contains(q.span)


def test_names_and_numbers_that_no_text_has_are_not_answerable(index: PassageIndex) -> None:
    assert read(index, "Who founded the museum in 1911?").answerable > 0.5
    assert read(index, "Who founded the museum in 1915?").answerable == 0
    assert read(index, "What did Bismarck say about the museum?").answerable == 0


def test_no_passages_is_no_answer(embedder: FakeEmbedder) -> None:
    assert SentenceReader(embedder).read("why?", {}, [], max_quotes=3) == Reading((), 0.0)


def test_a_question_without_content_words_is_not_answerable(index: PassageIndex) -> None:
    assert read(index, "what is it?").answerable == 0


def test_touching_and_overlapping_quotes_become_one() -> None:
    text = "One two three. Four five six. Seven eight nine. Ten."
    document = {"d": Document("d", "D", text, "")}
    merged = merge_touching([quote(text, 15, 29, 0.9), quote(text, 0, 14, 0.8), quote(text, 48, 52, 0.7)], document)
    assert [q.text for q in merged] == ["One two three. Four five six.", "Ten."]
    assert merged[0].score == 0.9
    assert [q.text for q in merge_touching([quote(text, 0, 20), quote(text, 10, 29)], document)] == [text[0:29]]


def test_long_neighbours_stay_apart() -> None:
    text = f"{'a ' * MAX_QUOTE_WORDS}b. Short one."
    document = {"d": Document("d", "D", text, "")}
    split = text.index("Short")
    assert len(merge_touching([quote(text, split, len(text)), quote(text, 0, split - 1)], document)) == 2


def test_the_index_is_searched_in_every_document() -> None:
    embedder = FakeEmbedder()
    documents = [Document(f"d{i}", "D", f"The {p} was opened by {n}.", "") for i, (p, n) in enumerate(
        [("bridge", "Anna"), ("tower", "Bert"), ("park", "Carl")]
    )]  # fmt: skip
    index = PassageIndex.build(documents, embedder=embedder, chunking=Chunking(40, 0))
    assert read(index, "who opened the tower", max_quotes=1).quotes[0].document_id == "d1"
