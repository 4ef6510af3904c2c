import threading
import time

from fakes import ScriptedModel
from pages import pipeline_over

from rag import NO_ANSWER, Answer, Citation, Document
from rag.answer.examples import (
    MOST_NEXT,
    MOST_OFFERED,
    Candidate,
    Example,
    Examples,
    answering_quote,
    candidates,
    find_examples,
    next_questions,
)

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
    kept = {example.question: example.quote for example in find_examples(pipeline, doc)}
    assert kept
    assert all(doc.cites(quote) for quote in kept.values())
    assert all(answering_quote(pipeline, doc, c) == kept[c.question] for c in candidates(doc) if c.question in kept)
    assert answering_quote(pipeline, doc, Candidate("Who is Clara Lindt?", next(candidates(doc)).sources)) is None
    assert answering_quote(pipeline, doc, Candidate("", next(candidates(doc)).sources)) is None


def test_no_language_model_is_asked(settings):
    doc = document(PUNCTUATED)
    model = ScriptedModel(["Clara Lindt founded it."] * 50, reads=True)
    found = list(find_examples(pipeline_over(settings, doc, model=model), doc))
    assert [example.question for example in found] == [
        example.question for example in find_examples(pipeline_over(settings, doc), doc)
    ]
    assert model.prompts == []


def asked_first(examples):
    return tuple(example.question for example in examples)[:MOST_OFFERED]


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
    assert found(examples, pipeline) == asked_first(find_examples(pipeline, document(PUNCTUATED)))
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


def test_several_articles_together_take_turns_until_one_is_removed(settings):
    dam, mill = document(PUNCTUATED), Document(id="b", title="B", text="Mr Lund said the mill was closed.", source="")
    examples, pipeline = Examples(), pipeline_over(settings, dam, mill)
    assert found(examples, pipeline) == (
        "What did Ms Okafor say?",
        "What did Mr Lund say?",
        "What does the article say about the Northern Dam?",
    )
    examples.forget("b")
    assert examples.of(pipeline) is None
    examples.stop()


def test_the_search_can_be_stopped_while_it_waits(settings):
    pipeline = pipeline_over(settings, document(PUNCTUATED))
    assert list(find_examples(pipeline, document(PUNCTUATED), go_on=lambda: False)) == []
    examples = Examples(lambda: True)
    assert examples.of(pipeline) is None
    examples.stop()
    assert examples.of(pipeline) in (None, ())


def test_more_are_kept_than_the_conversation_begins_with(settings):
    names = [f"{first} {last}" for first in ("Ada", "Bo", "Cy", "Di", "Ed") for last in ("Lund", "Berg", "Moe")]
    names = [f"{first}{last.lower()} {last}{first.lower()}" for first, last in map(str.split, names)]
    text = " ".join(f"{name} said thing {number} was so." for number, name in enumerate(names))
    examples, pipeline = Examples(), pipeline_over(settings, document(text))
    assert found(examples, pipeline) == tuple(f"What did {name} say?" for name in names[:MOST_OFFERED])
    examples.stop()
    assert len(examples.after(pipeline, ())) == MOST_NEXT


def quote(start: int, article: str = "a") -> Citation:
    return Citation(1, article, article.upper(), start, start + 10, "x" * 10, 0.5)


def answer(question: str, *quotes: Citation) -> Answer:
    return Answer(question, question, refusal=None if quotes else NO_ANSWER, citations=quotes)


SPEAKERS = ("Okafor", "Lund", "Moreau", "Berg")
FOUR = [Example(f"What did {name} say?", quote(20 * place)) for place, name in enumerate(SPEAKERS)]


def left(*answers: Answer, examples=FOUR) -> list[str]:
    """Whom the next questions are about."""
    return [question.removeprefix("What did ").removesuffix(" say?") for question in next_questions(examples, answers)]


def test_next_come_the_questions_whose_quotes_are_nearest_to_what_was_cited():
    assert left(answer("why?", quote(65))) == ["Moreau", "Lund"]  # Berg's is cited
    assert left(answer("why?", quote(100))) == ["Berg", "Moreau"]
    assert left(answer("why?", quote(100)), answer("when?", quote(10))) == ["Okafor", "Lund"]
    assert left(answer("why?", quote(100)), answer("when?")) == ["Berg", "Moreau"]  # the last that was cited


def test_where_nothing_was_cited_they_come_in_the_order_of_the_text():
    assert left(answer("why?")) == left(answer("why?"), examples=FOUR[::-1]) == ["Okafor", "Lund"]


def test_what_was_asked_in_these_or_nearly_these_words_is_not_offered():
    assert left(answer("What did Okafor say?"), answer("and what does lund say")) == ["Moreau", "Berg"]
    dam = [Example("What does the article say about the Northern Dam?", quote(0))]
    assert next_questions(dam, [answer("When were the northern dams built?")]) == ()
    assert len(next_questions(dam, [answer("Why does the north of the city want another harbour?")])) == 1


def test_what_a_shown_quote_answers_is_not_offered():
    assert left(answer("a?", quote(5)), answer("b?", quote(25)), answer("c?", quote(100))) == ["Berg", "Moreau"]
    assert left(answer("a?", *(quote(20 * place + 9) for place in range(4)))) == []


def test_of_other_articles_they_come_last():
    of_other = Example("What did Vega say?", quote(0, "b"))
    assert left(answer("why?", quote(60)), examples=[of_other, FOUR[0]]) == ["Okafor", "Vega"]
    assert left(answer("why?", quote(60, "b")), examples=[*FOUR, of_other]) == ["Vega", "Okafor"]
