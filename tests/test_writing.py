import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from fakes import OverlapChecker, OverlapReader, ScriptedModel

from rag.answer.checking import SURE
from rag.answer.drafts import Draft
from rag.answer.evidence import evidence_for
from rag.answer.pipeline import Pipeline
from rag.answer.question import understand
from rag.answer.studies import Studies
from rag.answer.writing import LEAST_CONFIDENCE, SURE_READER, SURE_REFUSAL, SURE_REFUSAL_OF_TUNED, ArticleWriter
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.models.checker import Claim, Verdict
from rag.models.llm import Prompt, Token
from rag.settings import Settings
from rag.types import NO_ANSWER, NOTHING_ELSE, Answer, Document, Reading, Statement, Turn

QUESTION = "Who founded the maritime museum?"
FOUNDED = "Clara Lindt founded the maritime museum in 1911."


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(reads=True)


def write(
    index: PassageIndex,
    settings: Settings,
    model: ScriptedModel,
    question: str = QUESTION,
    *history: Turn,
    failed: Draft | None = None,
) -> Draft | None:
    asked = understand(question, history)
    evidence = evidence_for(asked, index, OverlapReader(), settings)
    found = evidence.retrieve(asked)
    reading = evidence.read(asked, found, ())
    writer = ArticleWriter(model, index, OverlapReader(), OverlapChecker(), settings)
    return writer.write(asked, history, found, reading, lambda: False, failed=failed)


def test_before_it_has_read_the_article_it_sees_the_quotes_with_what_stands_around_them(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = [FOUNDED]
    draft = write(index, settings, model)
    assert draft is not None
    assert (draft.sentences, draft.refusal) == ([FOUNDED], model.refusal)
    article = [m.content for m in model.prompts[0].messages if m.content.startswith("Article:")][-1]
    assert "Clara Lindt founded" in article
    assert "The museum moved to Basel" in article
    assert "Repairs to the northern dam" not in article or "two hours late" not in article
    hints, asked = model.prompts[0].messages[-1].content.split("\n\n")
    assert "\n- Clara Lindt founded" in hints
    assert asked == f"Question: {QUESTION}"


def test_once_it_has_read_the_article_the_question_and_two_hints_are_new(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    writer = ArticleWriter(model, index, OverlapReader(), OverlapChecker(), settings)
    assert writer.article is not None
    model.study(writer.article, lambda *_: None, lambda: False)
    write(index, settings, model)
    write(index, settings, model, "What will the repairs cost?")
    first, second = model.prompts
    assert first.lasting == len(writer.article.messages)
    assert first.messages[: first.lasting] == second.messages[: first.lasting] == writer.article.messages
    assert "two hours late" in writer.article.messages[-2].content
    assert len(first.messages) == first.lasting + 1
    assert first.messages[-1].content.startswith("Sentences that may help:\n- Clara Lindt founded")
    assert first.messages[-1].content.count("\n- ") <= 2


def test_a_tuned_writer_needs_no_examples(index: PassageIndex, settings: Settings, model: ScriptedModel) -> None:
    model.tuned = True
    write(index, settings, model)
    writer = ArticleWriter(model, index, OverlapReader(), OverlapChecker(), settings)
    assert writer.article is not None
    model.study(writer.article, lambda *_: None, lambda: False)
    write(index, settings, model)
    assert [prompt.introduction for prompt in model.prompts] == [1, 1]
    for prompt in model.prompts:
        assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]


def test_what_was_said_before_stands_as_the_conversation_that_it_was(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    write(index, settings, model, "When did it move?", Turn(QUESTION, FOUNDED), Turn("What did it cost?", NO_ANSWER))
    said = [(m.role, m.content) for m in model.prompts[0].messages[-3:]]
    assert said == [
        ("user", f"Question: {QUESTION}"),
        ("assistant", FOUNDED),
        ("user", "Question: When did it move?"),
    ], "a refusal is nothing that was said"
    write(index, settings, model, "When did the museum move?", Turn(QUESTION, FOUNDED))
    assert FOUNDED not in [message.content for message in model.prompts[-1].messages], "it stands alone"


@pytest.mark.parametrize(
    ("reply", "sentences"),
    [
        (FOUNDED, [FOUNDED]),
        (f"{FOUNDED} It moved to Basel.\nQuestion: more", [FOUNDED, "It moved to Basel."]),
        (NO_ANSWER, []),
        (f'{FOUNDED} "', [FOUNDED]),
        ('She said: "We shall see."', ['She said: "We shall see."']),
        ("In 1911", ["In 1911."]),
        (f"{FOUNDED} {'and ' * 200}", [FOUNDED]),
        ("and " * 200, None),
        ("", None),
    ],
)
def test_a_draft_is_whole_sentences_of_the_first_paragraph(
    index: PassageIndex, settings: Settings, model: ScriptedModel, reply: str, sentences: list[str] | None
) -> None:
    model.replies = [reply]
    draft = write(index, settings, model)
    assert (draft.sentences if draft is not None else None) == sentences


def test_an_account_may_be_longer_and_is_asked_for(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = [f"{FOUNDED} {'It moved to Basel. ' * 40}"]
    draft = write(index, settings, model, "Tell me more about the museum")
    assert model.prompts[0].messages[-1].content.endswith("Answer in three to six sentences.")
    assert draft is not None
    assert len(draft.text.split()) > settings.draft_tokens


def test_a_written_answer_cites_the_sentence_that_says_so(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = ["The maritime museum was founded by Clara Lindt in 1911."]
    answer = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings).answer(
        QUESTION
    )
    assert answer.text == "The maritime museum was founded by Clara Lindt in 1911. [1]"
    assert answer.citations[0].quote == FOUNDED
    assert answer.short_answer == "Clara"


@pytest.mark.parametrize(("tuned", "sure"), [(False, SURE_REFUSAL), (True, SURE_REFUSAL_OF_TUNED)])
def test_a_writer_nearly_sure_to_refuse_is_believed(
    index: PassageIndex, settings: Settings, model: ScriptedModel, tuned: bool, sure: float
) -> None:
    model.tuned, model.replies, model.refusal = tuned, [FOUNDED], sure
    draft = write(index, settings, model)
    assert draft == Draft(NO_ANSWER, None, sure)
    assert draft.sentences == []
    model.refusal -= 0.1
    assert write(index, settings, model) == Draft(FOUNDED, ANY, model.refusal)


class Stumbling(ScriptedModel):
    """Finds none of its words likely."""

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        for token in super().generate(prompt, max_tokens=max_tokens, seconds=seconds, stopped=stopped, avoid=avoid):
            yield replace(token, logprob=LEAST_CONFIDENCE - 0.1)


def test_nothing_is_shown_that_the_writer_stumbled_over(index: PassageIndex, settings: Settings) -> None:
    def answered(model: ScriptedModel) -> Answer:
        pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
        return pipeline.answer(QUESTION)

    assert answered(ScriptedModel([FOUNDED], reads=True)).statements == (Statement(FOUNDED, (1,)),)
    stumbled = answered(Stumbling([FOUNDED, FOUNDED], reads=True))
    assert all(statement.verbatim for statement in stumbled.statements)


class SlowModel(ScriptedModel):
    """Writes one word, for as long as it may write."""

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        yield next(super().generate(prompt, max_tokens=max_tokens, seconds=seconds, stopped=stopped, avoid=avoid))
        time.sleep(seconds)


class SlowReader(ScriptedModel):
    """Reads the prompt for longer than it may write."""

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        time.sleep(2 * seconds)
        yield from super().generate(prompt, max_tokens=max_tokens, seconds=seconds, stopped=stopped, avoid=avoid)


def test_what_the_time_cut_off_is_no_sentence(index: PassageIndex, settings: Settings) -> None:
    hurried = replace(settings, draft_seconds=0.1)
    assert write(index, hurried, SlowModel([FOUNDED], reads=True)) is None
    assert write(index, settings, ScriptedModel(["Clara Lindt"], reads=True)) == Draft("Clara Lindt.", ANY, ANY)
    assert write(index, hurried, SlowReader([FOUNDED], reads=True)) == Draft(FOUNDED, ANY, ANY)


class ReaderWhoIs(OverlapReader):
    """Is as sure as it is told to be that the article answers."""

    def __init__(self, sure: float) -> None:
        self.sure = sure

    def read(self, *arguments: Any, **options: Any) -> Reading:
        return replace(super().read(*arguments, **options), answerable=self.sure)


@pytest.mark.parametrize(("sure", "kept"), [(SURE_READER - 0.1, True), (SURE_READER, True), (SURE_READER, False)])
def test_an_answer_that_fails_is_drafted_anew_from_what_is_like_it_or_from_the_quotes_of_a_sure_reader(
    index: PassageIndex, settings: Settings, model: ScriptedModel, sure: float, kept: bool
) -> None:
    index.folder = settings.indexes / "kept" if kept else None
    invented, right = "The museum moved to Basel in 1950.", "The museum moved to Basel."
    model.replies = [invented, right]
    pipeline = Pipeline(index, reader=ReaderWhoIs(sure), checker=OverlapChecker(), model=model, settings=settings)
    pipeline.study()
    *steps, last = pipeline.stream("Who moved to Basel?")
    assert [step.stage for step in steps][2:] == ["write", "attribute", "check"] * 2
    assert last.answer.text == f"{right} [1]"
    assert "The museum moved to Basel" in last.answer.citations[0].quote
    first, second = model.prompts
    if sure < SURE_READER or not kept:
        hints = second.messages[-1].content
        assert second.lasting == first.lasting
        assert "\n- The museum moved to Basel" in hints
        assert first.messages[-1].content.count("\n- ") < hints.count("\n- ") == 3
    else:
        told = second.messages[-3].content
        assert "The museum moved to Basel" in told
        assert "repairs to the dam" not in told
        assert second.lasting == second.introduction


class Doubtful(OverlapChecker):
    """Finds no sentence surely said, nor surely an answer."""

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        return [Verdict(SURE - 0.1, SURE - 0.1) for _ in claims]


def test_what_is_drafted_anew_is_better_than_the_trusted_quote_or_not_shown(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = ["The museum moved to Basel in 1950.", "The museum moved to Basel.", "The museum moved to Basel."]
    pipeline = Pipeline(index, reader=ReaderWhoIs(SURE_READER), checker=Doubtful(), model=model, settings=settings)
    answer = pipeline.answer("Who moved to Basel?")
    assert [statement.verbatim for statement in answer.statements] == [True]
    assert len(model.prompts) == 2
    assert [s.verbatim for s in pipeline.answer("Who moved to Basel?").statements] == [False]  # a first draft


def test_a_draft_that_is_far_from_right_is_not_worth_another(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = ["Zug sold 700 ships to Otto Brandt in 1950."]
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer("Who paid for the ferry?")
    assert len(model.prompts) == 1
    assert answer.text == NO_ANSWER


def test_two_subjects_are_answered_apart_where_one_draft_for_both_fails(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    ferry, museum = "The ferry was two hours late on Monday.", "The museum moved to Basel after the war."
    model.replies = ["The ferry and the museum went to Zug in 1950.", ferry, museum]
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer("Where did the ferry and the museum each go?")
    assert [prompt.messages[-1].content.split("Question: ")[1] for prompt in model.prompts] == [
        "Where did the ferry and the museum each go?",
        "Where did the ferry go?",
        "Where did the museum go?",
    ]
    assert answer.text == f"{ferry} [1] {museum} [2]"
    assert "two hours late" in answer.citations[0].quote
    assert "moved to Basel" in answer.citations[1].quote


def test_what_two_subjects_have_in_common_is_said_once(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    both = "The ferry was two hours late on Monday."
    model.replies = ["The ferry and the museum went to Zug in 1950.", both, both.replace("The ferry", "The Ferry")]
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    assert pipeline.answer("Where did the ferry and the museum each go?").text == f"{both} [1]"
    assert len(model.prompts) == 3


def test_more_is_told_of_what_stands_around_what_was_said_and_nothing_twice(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    late, moved = "The ferry was two hours late on Monday.", "The museum moved to Basel after the war."
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    pipeline.study()
    history = [Turn("Where did the museum go?", f"{moved} [1]")]
    model.replies = [f"{moved} {late}"]
    assert [said.text for said in pipeline.answer("Tell me more about that", history).statements] == [late]
    assert "- Clara Lindt founded the maritime museum" in model.prompts[0].messages[-1].content
    model.replies = [moved]
    nothing_more = pipeline.answer("Tell me more about that", history)
    assert nothing_more.text == NOTHING_ELSE
    assert not nothing_more.citations
    model.replies = [moved]
    assert pipeline.answer("Tell me more about the museum", history).statements == (Statement(moved, (1,)),)


@pytest.mark.parametrize("form", ["{} [1]", "{} [1][2]", "“{}” [1]"])
def test_numbers_of_citations_and_marks_of_quotes_are_neither_told_to_the_writer_nor_taken_from_it(
    index: PassageIndex, settings: Settings, model: ScriptedModel, form: str
) -> None:
    said = "The ferry was two hours late on Monday."
    model.replies = [form.format(said)]
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer("How late was it on Monday?", [Turn("Where did it go?", form.format("It went to Basel."))])
    assert [statement.text for statement in answer.statements] == [said]
    assert "It went to Basel." in [message.content for message in model.prompts[0].messages]


def test_an_account_is_not_drafted_twice(index: PassageIndex, settings: Settings, model: ScriptedModel) -> None:
    model.replies = ["Nobody in Zug knew."]
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer("Tell me more about the museum")
    assert len(model.prompts) == 1
    assert "Zug" not in answer.text


@pytest.mark.parametrize(("who", "quoted"), [("somebody", True), ("Zoltan", False), ("Clara Lindt", True)])
def test_a_sure_readers_quote_stands_for_a_failed_draft_unless_the_question_names_a_stranger(
    index: PassageIndex, settings: Settings, model: ScriptedModel, who: str, quoted: bool
) -> None:
    model.replies = ["Zug sold 700 ships in 1950."]
    pipeline = Pipeline(index, reader=ReaderWhoIs(0.9), checker=OverlapChecker(), model=model, settings=settings)
    answer = pipeline.answer(f"What did {who} say of the ferry?")
    assert [statement.verbatim for statement in answer.statements] == [True] * quoted
    assert answer.abstained is not quoted


def test_what_the_writer_does_not_find_is_refused(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    model.replies = [NO_ANSWER]
    answer = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings).answer(
        "Who sold the old ships?"
    )
    assert answer.text == NO_ANSWER
    assert answer.passages


def test_a_long_article_is_not_studied(
    settings: Settings, library: Library, model: ScriptedModel, article: Document
) -> None:
    long = library.index_of([replace(article, text="The ferry was late. " * 2000)])
    pipeline = Pipeline(long, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    assert not pipeline.reads
    assert not pipeline.study()
    assert model.studied == []


def test_studies_read_each_article_once_and_tell_how_far_they_are(
    index: PassageIndex, settings: Settings, model: ScriptedModel
) -> None:
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)
    studies = Studies()
    try:
        seen = [studies.of(pipeline)]
        while seen[-1] is not None:
            seen.append(studies.of(pipeline))
        assert studies.of(pipeline) is None
        assert len(model.studied) == 1
        assert all(0 <= share < 1 for share in seen if share is not None)
    finally:
        studies.stop()
    assert Studies().of(Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=settings)) is None


@pytest.fixture
def choices(library: Library, settings: Settings, model: ScriptedModel) -> list[Pipeline]:
    """Pipelines over choices of articles, of which nothing is kept on the disk."""
    texts = [
        Document(name, name, f"The {name} sleeps in the old mill.", f"{name}.txt") for name in ("owl", "bat", "cat")
    ]
    tools = {"reader": OverlapReader(), "checker": OverlapChecker(), "model": model, "settings": settings}
    return [Pipeline(library.index_of([text]), **tools) for text in texts]


def read_to_the_end(studies: Studies, pipeline: Pipeline) -> None:
    while studies.of(pipeline) is not None:
        time.sleep(0.001)


def test_what_is_kept_in_memory_only_is_read_again_after_something_else(
    choices: list[Pipeline], model: ScriptedModel
) -> None:
    studies = Studies()
    try:
        for pipeline in (choices[0], choices[0], choices[1], choices[0]):
            read_to_the_end(studies, pipeline)
    finally:
        studies.stop()
    owl, bat, again = model.studied
    assert owl == again != bat


def test_reading_waits_for_questions_but_not_for_ever(
    choices: list[Pipeline], model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = threading.Event()
    questions.set()
    studies = Studies(questions.is_set)
    try:
        studies.of(choices[0])
        time.sleep(0.2)
        assert not model.studied
        questions.clear()
        read_to_the_end(studies, choices[0])
        questions.set()
        monkeypatch.setattr("rag.answer.studies.PATIENCE_SECONDS", 0.1)
        read_to_the_end(studies, choices[1])
        assert len(model.studied) == 2
    finally:
        studies.stop()


def test_of_too_many_that_wait_the_first_are_forgotten(
    choices: list[Pipeline], model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.answer.background.MOST_WAITING", 1)
    begun, gate = threading.Event(), threading.Event()
    study = model.study

    def gated(*arguments: Any) -> bool:
        begun.set()
        assert gate.wait(30)
        return study(*arguments)

    monkeypatch.setattr(model, "study", gated)
    studies = Studies()
    try:
        studies.of(choices[0])
        assert begun.wait(30)
        for waiting in choices[1:]:
            studies.of(waiting)
        gate.set()
        read_to_the_end(studies, choices[2])
        assert len(model.studied) == 2
        assert "bat" not in str(model.studied)
    finally:
        gate.set()
        studies.stop()


def test_a_stored_index_keeps_what_was_read_beside_it(
    library: Library, settings: Settings, model: ScriptedModel
) -> None:
    pipeline = Pipeline(
        library.open(), reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings
    )
    assert pipeline.study()
    assert model.studied[0].memory == Path(settings.indexes) / "seeds" / "read"
