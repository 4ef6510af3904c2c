import threading
import time

from pages import pipeline_over

from rag import Document
from rag.answer.examples import Candidate, Examples, candidates, find_examples, is_answered

PUNCTUATED = """\
Ms Okafor said the repairs would cost 40 million. The Northern Dam was built in 1911. Critics of the Northern Dam left.
"""
BARE = (
    "the talks ended early when mr ri said the offer stood and the white house announced that lunch was off "
    "reporters at the white house waited while mr ri left"
)


def document(text: str) -> Document:
    return Document(id="a", title="A", text=text, source="a.txt")


def questions(text: str) -> list[str]:
    return [candidate.question for candidate in candidates(document(text))]


def test_questions_come_from_statements_and_names():
    assert questions(PUNCTUATED)[:2] == [
        "What did Ms Okafor say?",
        "What does the article say about the Northern Dam?",
    ]


def test_text_without_punctuation_and_capitals_has_some_too():
    assert "What did mr ri say?" in questions(BARE)
    assert "What did the white house say?" in questions(BARE)


def test_sources_are_where_the_words_stand():
    for candidate in candidates(document(BARE)):
        subject = candidate.question.removesuffix("?").removesuffix(" say").split()[-1]
        assert all(subject in BARE[s.start : s.end] for s in candidate.sources)


def test_an_article_without_names_has_no_questions():
    assert questions("rain fell all day") == []


def test_only_answered_questions_are_kept(settings):
    doc = document(PUNCTUATED)
    pipeline = pipeline_over(settings, doc)
    kept = find_examples(pipeline, doc)
    assert kept
    assert all(is_answered(pipeline, doc, c) for c in candidates(doc) if c.question in kept)
    assert not is_answered(pipeline, doc, Candidate("What did Clara Lindt say?", next(candidates(doc)).sources))
    assert not is_answered(pipeline, doc, Candidate("", next(candidates(doc)).sources))


def found(examples, pipeline):
    deadline = time.monotonic() + 60
    while (questions := examples.of(pipeline)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return questions


def test_the_search_runs_in_the_background_and_lets_people_go_first(settings):
    busy = threading.Event()
    busy.set()
    pipeline = pipeline_over(settings, document(PUNCTUATED))
    examples = Examples(busy.is_set)
    assert examples.of(pipeline) is None
    time.sleep(0.05)
    assert examples.of(pipeline) is None
    busy.clear()
    assert found(examples, pipeline) == find_examples(pipeline, document(PUNCTUATED))
    examples.stop()


def test_each_article_has_its_own_and_a_removed_one_none(settings):
    examples = Examples()
    one = pipeline_over(settings, document(PUNCTUATED))
    other = pipeline_over(settings, Document(id="b", title="B", text="rain fell all day", source="b.txt"))
    assert found(examples, one)
    assert found(examples, other) == ()
    examples.forget("a")
    assert examples.of(one) is None
    examples.forget("a")
    examples.stop()
    assert examples.of(one) is None


def test_several_articles_together_have_one_each_until_one_is_removed(settings):
    dam, mill = document(PUNCTUATED), Document(id="b", title="B", text="Mr Lund said the mill was closed.", source="")
    examples, pipeline = Examples(), pipeline_over(settings, dam, mill)
    assert found(examples, pipeline) == ("What did Ms Okafor say?", "What did Mr Lund say?")
    examples.forget("b")
    assert examples.of(pipeline) is None
    examples.stop()


def test_the_search_can_be_stopped_while_it_waits(settings):
    pipeline = pipeline_over(settings, document(PUNCTUATED))
    assert find_examples(pipeline, document(PUNCTUATED), go_on=lambda: False) == ()
    examples = Examples(lambda: True)
    assert examples.of(pipeline) is None
    examples.stop()
    assert examples.of(pipeline) in (None, ())
