"""Whether the article says what a claim says: sentence by sentence, with exact quotes."""

from __future__ import annotations

import json

import pytest
from fakes import FakeEmbedder

from rag import Pipeline, Settings, UsageError, build_pipeline
from rag.answer.claims import LEAST_SUPPORTED, MOST_CHARACTERS, CheckedSentence
from rag.library.index import Chunking, PassageIndex
from rag.types import Document


def test_what_the_article_says_is_supported_by_its_exact_words(pipeline: Pipeline, article: Document) -> None:
    checked = pipeline.check("Clara Lindt founded the museum in 1911.")
    (sentence,) = checked.sentences
    assert checked.supported
    assert (sentence.verdict, sentence.nearest) == ("supported", ())
    (citation,) = sentence.citations
    assert citation.quote == "Clara Lindt founded the maritime museum in 1911."
    assert article.cites(citation)
    assert sentence.probability >= LEAST_SUPPORTED


def test_what_it_does_not_say_is_not_said_and_the_nearest_sentences_are_no_citations(
    pipeline: Pipeline, article: Document
) -> None:
    checked = pipeline.check("The museum was closed by the flood.")
    (sentence,) = checked.sentences
    assert not checked.supported
    assert (sentence.verdict, sentence.citations) == ("not said", ())
    assert "museum" in sentence.nearest[0].quote
    assert all(article.cites(near) for near in sentence.nearest)


def test_each_sentence_has_a_verdict_of_its_own_and_quotes_are_numbered_through(pipeline: Pipeline) -> None:
    checked = pipeline.check("The museum moved to Basel after the war. Visitors adore it.\nIt shows forty model ships.")
    assert [sentence.verdict for sentence in checked.sentences] == ["supported", "not said", "supported"]
    shown = [c.number for sentence in checked.sentences for c in (*sentence.citations, *sentence.nearest)]
    assert shown == list(range(1, len(shown) + 1))
    assert not checked.supported


@pytest.mark.parametrize(
    "claim", ["Clara Lindt founded the maritime museum in 1912.", "Otto Lindt founded the museum."]
)
def test_another_name_or_number_is_not_said_however_alike_the_rest_is(pipeline: Pipeline, claim: str) -> None:
    (sentence,) = pipeline.check(claim).sentences
    assert (sentence.verdict, sentence.probability) == ("not said", 0.0)


def said_of(text: str, claim: str, pipeline: Pipeline) -> list[str]:
    """The quotes that say the claim in a text of its own."""
    document = Document("d", "D", text, "d.txt")
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    return [c.quote for sentence in pipeline.over(index).check(claim).sentences for c in sentence.citations]


def test_the_sentence_before_tells_whom_a_pronoun_stands_for(pipeline: Pipeline) -> None:
    claim = "Clara Lindt opened a school for sailors in 1911."
    told = "Nobody knew Clara Lindt. She opened a school for sailors in 1911."
    said = ["Nobody knew Clara Lindt.", "She opened a school for sailors in 1911."]
    assert said_of(told, claim, pipeline) == said
    other = "Nobody knew Clara Lindt. Otto Berg opened a school for sailors in 1911."
    assert said_of(other, claim, pipeline) == []


def test_json_has_the_documented_fields(pipeline: Pipeline) -> None:
    told = json.loads(json.dumps(pipeline.check("It shows forty model ships. They sank.").to_json()))
    assert set(told) == {"claim", "supported", "sentences"}
    assert told["supported"] is False
    assert [set(sentence) for sentence in told["sentences"]] == [
        {"text", "verdict", "probability", "citations", "nearest"}
    ] * 2
    (citation,) = told["sentences"][0]["citations"]
    assert set(citation) == {
        "number", "document_id", "title", "start", "end", "quote", "score", "highlight", "page", "place",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "says"),
    [("", "there is no claim"), (" \n\x00", "there is no claim"), ("a" * (MOST_CHARACTERS + 1), "check at most 2000")],
)
def test_what_cannot_be_checked_is_refused_in_one_line(pipeline: Pipeline, claim: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        pipeline.check(claim)
    assert "\n" not in str(refused.value)


def test_a_claim_of_no_words_is_not_said(pipeline: Pipeline) -> None:
    (sentence,) = pipeline.check("?!").sentences
    assert sentence.verdict == "not said"


def test_a_sentence_is_cited_or_has_something_near_never_both(pipeline: Pipeline) -> None:
    (said,) = pipeline.check("It shows forty model ships.").sentences
    with pytest.raises(ValueError, match="nothing says it"):
        CheckedSentence("x", 0.9, said.citations, said.citations)


@pytest.mark.e2e
def test_the_trained_checker_tells_what_the_article_says(index: PassageIndex, settings: Settings) -> None:
    pipeline = build_pipeline(index, settings)
    verdicts = {
        claim: pipeline.check(claim).supported
        for claim in (
            "The maritime museum was founded by Clara Lindt in 1911.",
            "The water board borrows money from a bank in Oslo.",
            "The pilot of the harbour had fallen ill.",
            "Clara Lindt did not found the maritime museum.",
            "The museum burned down after the war.",
            "The ferry to Aland was three hours late on Monday.",
        )
    }
    assert list(verdicts.values()) == [True, True, True, False, False, False], verdicts
