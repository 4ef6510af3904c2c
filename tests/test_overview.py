import numpy as np
import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel

from rag.answer.overview import central_passages, central_quotes
from rag.answer.pipeline import Pipeline
from rag.library.index import Chunking, PassageIndex
from rag.settings import Settings
from rag.types import NOTHING_ELSE, Document, Turn

OWLS = """\
# Owls

The barn owl is a bird that hunts mice by night in fields and barns. It was first described in 1769 by a doctor.

Barn owls hunt mice in fields by night, and they hear mice under the snow. The owl swallows the mouse whole.

My uncle once sold seven red bicycles to a retired dentist in Toulouse.

The barn owl nests in barns and towers, and hunts in fields near its nest by night.
"""


@pytest.fixture
def owls() -> PassageIndex:
    return PassageIndex.build([Document("owls", "Owls", OWLS, "")], embedder=FakeEmbedder(), chunking=Chunking(20, 0))


def test_the_beginning_and_the_most_central_passages_are_found(owls: PassageIndex) -> None:
    found = central_passages(owls, 3)
    assert found[0].passage == owls.passages[0]
    assert not any("bicycles" in retrieved.passage.text for retrieved in found)
    mean = owls.vectors.mean(axis=0)
    for retrieved in found:
        row = owls.passages.index(retrieved.passage)
        assert retrieved.score == pytest.approx(float(owls.vectors[row] @ mean / np.linalg.norm(mean)))
    assert len(central_passages(owls, 50)) == len(owls.passages)


def test_the_sentences_begin_with_the_lead_and_do_not_repeat(owls: PassageIndex) -> None:
    quotes = central_quotes(owls, central_passages(owls, 5), 3)
    assert all(OWLS[q.span.start : q.span.end] == q.text for q in quotes)
    assert quotes[0].text == "The barn owl is a bird that hunts mice by night in fields and barns."
    assert len({q.span for q in quotes}) == 3
    assert "# Owls" not in {q.text for q in quotes}
    assert not any("bicycles" in q.text for q in quotes)


def test_an_article_of_a_few_words_has_an_overview_too() -> None:
    document = Document("d", "D", "The mill burned.", "")
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=Chunking(30, 0))
    assert [q.text for q in central_quotes(index, central_passages(index, 5), 3)] == ["The mill burned."]


def test_the_pipeline_answers_with_the_sentences_themselves_and_goes_on_when_asked_again(
    owls: PassageIndex, settings: Settings
) -> None:
    model = ScriptedModel(["The barn owl is a bird."])
    pipeline = Pipeline(owls, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer("What is this article about?")
    assert answer.text == f"“{answer.citations[0].quote}” [1]"
    assert len(answer.citations) == 3
    assert model.prompts == []
    seen = list(answer.citations)
    for _ in range(10):
        *_, last = pipeline.stream("What is this article about?", exclude=seen)
        if last.answer.abstained:
            break
        assert not {c.start for c in seen} & {c.start for c in last.answer.citations}
        seen += last.answer.citations
    assert last.answer.text == NOTHING_ELSE


def test_within_a_conversation_it_leans_on_what_was_said(pipeline: Pipeline) -> None:
    answer = pipeline.answer("What happened?", [Turn("Who founded the maritime museum?", "Clara Lindt.")])
    assert "museum" in answer.citations[0].quote
    assert answer.standalone_question == "Who founded the maritime museum? ; What happened?"
