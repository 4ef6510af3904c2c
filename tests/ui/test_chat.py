import threading

import pytest
from fakes import GatedModel, ScriptedModel
from pages import DeafModel, FixedReader, pipeline_over

from rag import NOTHING_ELSE, ModelError
from ui import watch
from ui.chat import Chat
from ui.exchanges import Conversation, Exchange
from ui.waiting import LOADING, MOST_IN_LINE, MOST_OF_ONE, Loading, WaitingLine

QUESTION = "Who founded the maritime museum?"


class Broken:
    name = "broken"
    reads = False

    def generate(self, *_, **__):
        raise RuntimeError(threading.current_thread().name)


@pytest.fixture
def pipeline(settings, article):
    return pipeline_over(settings, article)


def last(views):
    *_, view = views
    return view


def test_a_failing_question_keeps_the_conversation(pipeline, settings, article, caplog):
    chat = Chat()
    kept = last(chat.ask(pipeline, "Which football team won?", Conversation(), "visit")).conversation
    broken = pipeline_over(settings, article, model=Broken())
    for replacing in (False, True):
        view = last(chat.ask(broken, QUESTION, kept, "visit", replacing_last=replacing))
        assert view.failed
        assert view.conversation == kept
    assert "a question could not be answered" in caplog.text
    assert not chat.is_running("visit")


def test_the_history_is_what_was_shown(pipeline):
    chat = Chat()
    first = last(chat.ask(pipeline, QUESTION, Conversation(), "visit")).conversation
    second = last(chat.ask(pipeline, "when did she?", first, "visit")).conversation
    assert second.id == first.id != ""
    assert second.exchanges[0] == first.exchanges[0] == Exchange(first.exchanges[0].answer)
    assert second.exchanges[1].answer.standalone_question.startswith("Who founded")


def test_an_edited_question_takes_the_place_of_the_last(pipeline):
    chat = Chat()
    one = last(chat.ask(pipeline, QUESTION, Conversation(), "visit")).conversation
    two = last(chat.ask(pipeline, "when did she?", one, "visit")).conversation
    edited = last(chat.ask(pipeline, "What will the repairs cost?", two, "visit", replacing_last=True)).conversation
    assert [exchange.answer.question for exchange in edited.exchanges] == [QUESTION, "What will the repairs cost?"]


def test_retries_go_through_the_quotes_and_keep_what_was_shown(pipeline):
    chat = Chat()
    asked = last(chat.ask(pipeline, "Where did the museum of the war move?", Conversation(), "visit")).conversation
    seen = list(asked.exchanges[0].cited())
    for _ in range(5):
        asked = last(chat.retry(pipeline, asked, "visit")).conversation
        (exchange,) = asked.exchanges
        if exchange.answer.abstained:
            break
        assert not {c.start for c in exchange.answer.citations} & {c.start for c in seen}
        seen += exchange.answer.citations
    assert exchange.answer.text == NOTHING_ELSE
    assert list(exchange.cited()) == seen
    assert not exchange.last_answered().abstained
    follow_up = last(chat.ask(pipeline, "when was that?", asked, "visit"))
    assert follow_up.conversation.exchanges[0] == exchange


def test_nothing_is_retried_where_nothing_was_asked(pipeline):
    assert list(Chat().retry(pipeline, Conversation(), "visit")) == []


def test_stopping_reaches_only_the_visit_that_asked_for_it(pipeline):
    chat = Chat()
    views = chat.ask(pipeline, QUESTION, Conversation(), "mine")
    next(views)
    chat.stop("another")
    assert last(views).status.startswith("Answered")
    chat.stop("mine")  # nothing runs: nothing happens


def test_a_visit_asks_one_question_at_a_time(pipeline):
    chat = Chat()
    views = chat.ask(pipeline, QUESTION, Conversation(), "mine")
    next(views)
    assert list(chat.ask(pipeline, "And then?", Conversation(), "mine")) == []
    assert last(views).status.startswith("Answered")


def test_questions_wait_in_line_and_say_how_many_are_before_them(settings, article):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    pipeline, chat = pipeline_over(settings, article, model=model), Chat()
    first, second, third = (chat.ask(pipeline, QUESTION, Conversation(), visit) for visit in ("1", "2", "3"))
    next(first)
    waiting = next(second)
    assert waiting.status == "1 question is before yours."
    assert waiting.running
    assert waiting.conversation.exchanges[0].answer.question == QUESTION
    assert next(third).status == "2 questions are before yours."
    chat.stop("2")
    assert last(second).failed
    assert next(third).status == "1 question is before yours."
    model.gate.set()
    assert last(first).status.startswith("Answered")
    assert last(third).status.startswith("Answered")


def test_a_question_that_is_given_up_makes_room(pipeline):
    chat = Chat()
    first, second = (chat.ask(pipeline, QUESTION, Conversation(), visit) for visit in ("1", "2"))
    next(first)
    assert next(second).status == "1 question is before yours."
    first.close()
    assert last(second).status.startswith("Answered")


def test_an_owner_has_so_many_questions_in_line_and_the_next_is_told_so(pipeline):
    chat = Chat()
    views = [chat.ask(pipeline, QUESTION, Conversation(), str(i), owner="ann") for i in range(MOST_OF_ONE)]
    for view in views:
        next(view)
    (refused,) = chat.ask(pipeline, QUESTION, Conversation(), "one more", owner="ann")
    assert refused.status.startswith("3 of your questions are waiting already; ask again")
    assert refused.failed
    assert not chat.is_running("one more")
    other = chat.ask(pipeline, QUESTION, Conversation(), "other", owner="bob")
    assert next(other).status == "3 questions are before yours."
    assert last(views[0]).status.startswith("Answered")
    assert next(chat.ask(pipeline, QUESTION, Conversation(), "one more", owner="ann")).running


def test_a_line_is_not_endless(pipeline):
    chat = Chat()
    views = [chat.ask(pipeline, QUESTION, Conversation(), str(i), owner=str(i)) for i in range(MOST_IN_LINE)]
    for view in views:
        next(view)
    (refused,) = chat.ask(pipeline, QUESTION, Conversation(), "one more", owner="ann")
    assert refused.status == "Too many questions are waiting; ask again in a while"
    assert refused.failed


def test_a_question_waits_for_the_models(pipeline):
    loads = threading.Event()
    loading = Loading(loads.wait)
    loading.start(then=loads.set)
    chat = Chat(loading)
    assert chat.is_busy()
    views = chat.ask(pipeline, QUESTION, Conversation(), "visit")
    assert next(views).status == LOADING == chat.loads()
    loads.set()
    assert chat.is_busy()
    assert last(views).status.startswith("Answered")
    assert chat.loads() == ""
    assert not chat.is_busy()


@pytest.mark.parametrize(
    ("error", "says"),
    [(ModelError("the file x.gguf is damaged"), "the file x.gguf is damaged"), (OSError(), "terminal")],
)
def test_models_that_cannot_be_loaded_are_said_in_a_line(pipeline, error, says):
    def load():
        raise error

    over = threading.Event()
    loading = Loading(load)
    loading.start(then=over.set)
    assert over.wait(10)
    view = last(Chat(loading).ask(pipeline, QUESTION, Conversation(), "visit"))
    assert view.failed
    assert view.status.startswith("The models could not be loaded: ")
    assert says in view.status
    assert "\n" not in view.status
    assert loading.error is error


def test_the_end_of_a_line_moves_up():
    line = WaitingLine()
    first, second = line.join("ann"), line.join("ann")
    assert (line.before(first, 0), line.before(second, 0)) == (0, 1)
    threading.Timer(0.05, line.leave, [first]).start()
    assert line.before(second, 30) == 0


def test_stop_ends_a_slow_draft_within_a_moment(settings, article):
    model = GatedModel("never written")
    chat = Chat()
    views = chat.ask(pipeline_over(settings, article, model=model), QUESTION, Conversation(), "visit")
    for view in views:
        if view.status.startswith("Writing"):
            chat.stop("visit")
    assert model.was_stopped.is_set()
    assert view.status.startswith("Stopped")
    assert view.conversation.exchanges[0].answer.citations


def test_the_model_is_asked_once_for_a_question(settings, article):
    model = ScriptedModel(["Clara Lindt founded the maritime museum."])
    view = last(Chat().ask(pipeline_over(settings, article, model=model), QUESTION, Conversation(), "visit"))
    assert len(model.prompts) == 1
    assert view.conversation.exchanges[0].answer.text == "Clara Lindt founded the maritime museum. [1]"


@pytest.fixture
def deaf(monkeypatch):
    """A model that does not respond, until the test is over; nothing has grace."""
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)
    model = DeafModel("Clara Lindt founded the maritime museum.")
    yield model
    model.let.set()


def test_a_model_that_never_yields_holds_up_nobody_but_is_told_and_forgiven(settings, article, deaf, caplog):
    pipeline = pipeline_over(settings, article, model=deaf)
    chat = Chat(seconds=0.0)
    told = last(chat.ask(pipeline, QUESTION, Conversation(), "1"))
    assert told.failed
    assert told.status.startswith("There was no answer in time, and the model does not respond; ask again")
    assert "restart the server" in caplog.text
    assert deaf.begun.wait(60)
    assert not chat.responds()
    chat._watch.seconds = 60.0
    other = last(chat.ask(pipeline, QUESTION, Conversation(), "2", owner="bob"))
    assert other.status == "Answered, with 2 quotes. The language model does not respond, so these are quotes alone."
    assert other.conversation.exchanges[0].answer.citations
    deaf.let.set()
    while not chat.responds():
        pass
    assert last(chat.ask(pipeline, QUESTION, Conversation(), "3")).status == "Answered, with 2 quotes."


def test_stopping_what_does_not_listen_frees_the_line(settings, article, deaf):
    pipeline = pipeline_over(settings, article, model=deaf)
    chat = Chat()
    views = chat.ask(pipeline, QUESTION, Conversation(), "1")
    next(views)
    assert deaf.begun.wait(60)
    chat.stop("1")
    assert last(views).failed
    assert last(chat.ask(pipeline, QUESTION, Conversation(), "2")).status.startswith(
        "Answered, with 2 quotes. The lang"
    )


def test_where_nothing_responds_any_more_a_question_is_refused_at_once(settings, article, deaf):
    class DeafReader(FixedReader):
        def read(self, *arguments, **options):
            deaf.let.wait(120)
            return super().read(*arguments, **options)

    pipeline = pipeline_over(settings, article, model=deaf, reader=DeafReader((0, 5)))
    chat = Chat(seconds=0.0)
    for visit in ("1", "2"):
        assert last(chat.ask(pipeline, QUESTION, Conversation(), visit)).status.startswith(
            "There was no answer in time"
        )
    chat._watch.seconds = 60.0
    refused = last(chat.ask(pipeline, QUESTION, Conversation(), "3"))
    assert refused.status == "The models do not respond any more; restart the server: article-chat serve"


def test_an_answer_that_takes_too_long_is_stopped_and_shows_what_there_is(settings, article):
    model = GatedModel("never written")
    chat = Chat(seconds=0.0)
    view = last(chat.ask(pipeline_over(settings, article, model=model), QUESTION, Conversation(), "visit"))
    assert view.status == "It took too long and was stopped; found 2 quotes."
    assert not view.failed
    assert chat.responds()


def test_a_question_whose_page_is_left_ends_before_the_next_begins(settings, article):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    pipeline, chat = pipeline_over(settings, article, model=model), Chat()
    views = chat.ask(pipeline, QUESTION, Conversation(), "1")
    while not next(views).status.startswith("Writing"):
        pass
    views.close()
    following = chat.ask(pipeline, QUESTION, Conversation(), "2")
    next(following)
    assert model.was_stopped.is_set()
    model.gate.set()
    assert last(following).status == "Answered, with 2 quotes."
