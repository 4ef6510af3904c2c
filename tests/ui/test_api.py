"""The API as the real client of OpenAI uses it, over the fakes, and as Open WebUI reads what comes back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from fakes import GatedModel, ScriptedModel
from openai import OpenAI
from openai.types.responses import Response, ResponseErrorEvent
from pages import pipeline_over, served, shelf_in
from starlette.testclient import TestClient

from rag import NO_ANSWER, Document, Library, Pipeline, Turn, build_pipeline
from rag.api import Articles, ServedCollection, api_app
from rag.api.errors import RETRY_SECONDS
from rag.api.requests import LONGEST_REQUEST
from rag.models.catalogue import STANDARD, find
from rag.settings import Settings
from ui.chat import Chat
from ui.keys import Keys
from ui.owners import Accounts
from ui.waiting import MOST_IN_LINE

QUESTION = "Who founded the maritime museum?"
ANSWER = "Clara Lindt founded the maritime museum in 1911."
ASKED = [{"role": "user", "content": QUESTION}]
ANN, BOB = "ann-0123456789abcdef", "bob-0123456789abcdef"


@contextmanager
def client(url: str, key: str = "any") -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=300) as found:
        yield found


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel([ANSWER] * 5)


@pytest.fixture
def pipeline(settings: Settings, article: Document, model: ScriptedModel) -> Pipeline:
    return pipeline_over(settings, article, model=model)


@pytest.fixture
def url(pipeline: Pipeline) -> Iterator[str]:
    with served(pipeline) as url:
        yield url


@pytest.fixture
def ai(url: str) -> Iterator[OpenAI]:
    with client(url) as ai:
        yield ai


def complete(ai: OpenAI, question: str = QUESTION, model: str = "seeds", **more):
    return ai.chat.completions.create(model=model, messages=[{"role": "user", "content": question}], **more)


def respond(ai: OpenAI, question: str = QUESTION, model: str = "seeds", **more):
    return ai.responses.create(model=model, input=question, **more)


FORMS = pytest.mark.parametrize(
    ("path", "asked"), [("chat/completions", {"messages": ASKED}), ("responses", {"input": QUESTION})]
)
"""Each form in which an answer can be asked for."""


def test_what_the_page_shows_is_the_first_model(ai, url):
    first, *others = ai.models.list().data
    assert (first.id, first.name, others) == ("seeds", "Harbour news", [])
    assert ai.models.retrieve("seeds").id == "seeds"
    with pytest.raises(openai.NotFoundError, match="there is, among others: seeds"):
        ai.models.retrieve("gpt-4")


def test_an_answer_has_its_citations_in_three_forms(ai, pipeline, model):
    said = complete(ai, extra_body={"char_location": True})
    expected = pipeline.answer(QUESTION)
    (choice,) = said.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert choice.message.content == expected.text == f"{ANSWER} [1]"
    assert said.citations == json.loads(json.dumps(expected.to_json()["citations"]))
    (annotation,) = choice.message.annotations
    cited = annotation.url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == "[1]"
    assert cited.title == "Harbour news"
    address, places = cited.url.split("#char=")
    start, end = map(int, places.split(","))
    text = httpx.get(address).text
    assert text == pipeline.index.documents["harbour-news"].text
    assert text[start:end] == expected.citations[0].quote
    assert choice.message.content_blocks == [
        {
            "type": "text",
            "text": ANSWER,
            "citations": [
                {
                    "type": "char_location",
                    "cited_text": expected.citations[0].quote,
                    "document_index": 0,
                    "document_title": "Harbour news",
                    "start_char_index": start,
                    "end_char_index": end,
                    "file_id": None,
                }
            ],
        }
    ]
    assert not hasattr(complete(ai).choices[0].message, "content_blocks")
    assert said.usage.prompt_tokens == len(QUESTION.split())
    assert said.usage.completion_tokens == len(f"{ANSWER} [1]".split())


def test_what_the_article_does_not_say_is_said_without_citations(ai):
    said = complete(ai, "What did Napoleon eat?", extra_body={"char_location": True})
    assert said.choices[0].message.content == NO_ANSWER
    assert (said.citations, said.choices[0].message.annotations) == ([], [])
    assert said.choices[0].message.content_blocks == [{"type": "text", "text": NO_ANSWER, "citations": []}]


def test_a_stream_says_the_same_and_ends_with_the_citations(ai):
    whole = complete(ai, extra_body={"char_location": True})
    more = {"extra_body": {"char_location": True}, "stream_options": {"include_usage": True}}
    first, *pieces, last, usage = complete(ai, stream=True, **more)
    assert first.choices[0].delta.role == "assistant"
    assert "".join(piece.choices[0].delta.content for piece in pieces) == whole.choices[0].message.content
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert last.citations == whole.citations
    told = [annotation.model_dump() for annotation in whole.choices[0].message.annotations]
    assert last.choices[0].delta.annotations == told
    assert last.choices[0].delta.content_blocks == whole.choices[0].message.content_blocks
    assert (usage.choices, usage.usage) == ([], whole.usage)
    assert len({chunk.id for chunk in (first, *pieces, last, usage)}) == 1


def test_a_response_has_the_same_answer_with_the_same_citations(ai):
    completed, said = (ask(ai, extra_body={"char_location": True}) for ask in (complete, respond))
    message = completed.choices[0].message
    Response.model_validate(said.to_dict())  # the client itself looks at nothing
    (output,) = said.output
    (text,) = output.content
    assert (said.status, said.store, said.error) == ("completed", False, None)
    assert (output.type, output.role, output.status) == ("message", "assistant", "completed")
    assert said.output_text == text.text == message.content == f"{ANSWER} [1]"
    assert said.citations == completed.citations
    assert [one.to_dict() for one in text.annotations] == [
        {"type": "url_citation", **one.url_citation.to_dict()} for one in message.annotations
    ]
    assert text.annotations
    assert output.content_blocks == message.content_blocks
    assert (said.usage.input_tokens, said.usage.output_tokens, said.usage.total_tokens) == (
        completed.usage.prompt_tokens,
        completed.usage.completion_tokens,
        completed.usage.total_tokens,
    )
    assert not hasattr(respond(ai).output[0], "content_blocks")


def test_a_response_says_without_citations_that_the_article_does_not_say(ai):
    said = respond(ai, "What did Napoleon eat?")
    assert said.output_text == NO_ANSWER
    assert (said.citations, said.output[0].content[0].annotations) == ([], [])


def test_a_streamed_response_has_the_events_of_openai_and_ends_with_the_response(ai):
    whole = respond(ai)
    events = list(respond(ai, stream=True))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for event in events:
        type(event).model_validate(event.to_dict())
    last = events[-1].response
    assert last.output_text == whole.output_text == events[6].text
    assert last.citations == whole.citations
    (output,) = last.output
    (text,) = output.content
    assert [text.annotations, events[7].part, events[8].item] == [whole.output[0].content[0].annotations, text, output]
    assert events[5].annotation.to_dict() == text.annotations[0].to_dict()
    assert {event.response.id for event in (*events[:2], events[-1])} == {last.id}


@pytest.mark.parametrize("question", [QUESTION, "What did Napoleon eat?"])
def test_the_client_puts_a_streamed_response_together(ai, question):
    with ai.responses.stream(model="seeds", input=question) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    whole = respond(ai, question)
    assert snapshots[-1] == final.output_text == whole.output_text
    assert final.citations == whole.citations
    assert final.output[0].content[0].annotations == whole.output[0].content[0].annotations


def test_an_earlier_response_is_history_when_its_output_is_sent_again(ai, pipeline):
    asked, follow_up = [{"role": "user", "content": QUESTION}], "When did it move to Basel?"
    first = ai.responses.create(model="seeds", input=asked, instructions="Answer in verse.")
    said = respond(ai, [*asked, *first.output, {"role": "user", "content": follow_up}])
    expected = pipeline.answer(follow_up, [Turn(QUESTION, pipeline.answer(QUESTION).spoken)])
    assert expected.standalone_question != follow_up
    assert said.citations == json.loads(json.dumps(expected.to_json()["citations"]))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("changed", "param", "code", "said"),
    [
        (
            {"previous_response_id": "resp_1"},
            "previous_response_id",
            "previous_response_not_found",
            "nothing is kept here; leave previous_response_id out, and send what was said before in input",
        ),
        ({"conversation": "conv_1"}, "conversation", "unsupported_value", "leave conversation out"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format", "unsupported_value", "answers are text"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input", None, "in place of its item_reference"),
        ({"input": []}, "input", None, "last message must be the user's"),
        ({"input": " "}, "input", None, "there is no question"),
    ],
)
def test_what_no_response_can_be_asked_is_refused_in_one_line(ai, changed, param, code, said, stream):
    with pytest.raises(openai.BadRequestError, match=said) as refused:
        ai.responses.create(**{"model": "seeds", "input": QUESTION, "stream": stream, **changed})
    assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.body["type"] == "invalid_request_error"


def test_nothing_is_streamed_that_is_not_checked(settings, article):
    gated = GatedModel("Napoleon founded the maritime museum in 1911.")
    with served(pipeline_over(settings, article, model=gated)) as url, client(url) as ai:
        chunks = complete(ai, stream=True)
        assert next(chunks).choices[0].delta.content == ""
        assert gated.begun.wait(60)  # nothing is said yet: what comes next comes after the model was let
        gated.gate.set()
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said.startswith("“Clara Lindt founded the maritime museum in 1911.” [1]")
    assert "Napoleon" not in said
    gated = GatedModel("Napoleon founded the maritime museum in 1911.")
    with served(pipeline_over(settings, article, model=gated)) as url, client(url) as ai:
        events = respond(ai, stream=True)
        assert [next(events).type for _ in range(2)] == ["response.created", "response.in_progress"]
        assert gated.begun.wait(60)
        gated.gate.set()
        assert next(events).type == "response.output_item.added"
        assert [*events][-1].response.output_text == said


def test_earlier_messages_are_the_history(ai, pipeline):
    earlier, follow_up = pipeline.answer(QUESTION), "When did it move to Basel?"
    messages = [
        {"role": "system", "content": "Answer in verse."},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": earlier.text},
        {"role": "user", "content": follow_up},
    ]
    said = ai.chat.completions.create(model="seeds", messages=messages)
    expected = pipeline.answer(follow_up, [Turn(QUESTION, earlier.spoken)])
    assert expected.standalone_question != follow_up
    assert said.citations == json.loads(json.dumps(expected.to_json()["citations"]))
    assert any("moved to Basel" in cited["quote"] for cited in said.citations)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("changed", "param", "said"),
    [
        ({"messages": []}, "messages", "last message must be the user's"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages", "there is no question"),
        ({"messages": [{"role": "user", "content": "x" * 1001}]}, "messages", "1001 characters"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages", "'image_url'"),
        ({"messages": [*ASKED, {"role": "assistant", "content": "Yes."}]}, "messages", "last message must be"),
        ({"messages": [{"role": "poet", "content": "?"}]}, "messages", "no role 'poet'"),
        ({"n": 2}, "n", "one answer"),
        ({"response_format": {"type": "json_object"}}, "response_format", "answers are text"),
        ({"extra_body": {"char_location": "yes"}}, "char_location", "not true or false"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(ai, changed, param, said, stream):
    with pytest.raises(openai.BadRequestError, match=said) as refused:
        ai.chat.completions.create(**{"model": "seeds", "messages": ASKED, "stream": stream, **changed})
    assert refused.value.param == param
    assert refused.value.body["type"] == "invalid_request_error"


def test_every_refusal_has_the_form_of_the_api(url):
    def error(status: int, method: str = "POST", path: str = "chat/completions", **sent):
        answer = httpx.request(method, f"{url}/v1/{path}", **sent)
        assert (answer.status_code, answer.json()["error"].keys()) == (status, {"message", "type", "param", "code"})
        return answer.json()["error"]

    assert error(400, content=b"{")["message"].startswith("not JSON")
    assert error(400, json={"messages": ASKED})["param"] == "model"
    assert error(404, json={"model": "gpt-4", "messages": ASKED})["code"] == "model_not_found"
    assert "1 MB" in error(413, content=b" " * (LONGEST_REQUEST + 1))["message"]
    assert "POST /v1/embeddings is not here" in error(404, path="embeddings")["message"]
    assert "GET /v1/responses/resp_1 is not here" in error(404, "GET", "responses/resp_1")["message"]
    assert error(404, path="responses", json={"model": "gpt-4", "input": "why?"})["code"] == "model_not_found"
    error(405, "GET")
    error(404, "GET", "articles/seeds/another")
    error(400, "GET", "models", headers={"Host": "evil.example"})
    error(403, json={"model": "seeds", "messages": ASKED}, headers={"Origin": "https://evil.example"})
    error(403, content=b"{}", headers={"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"})


def test_a_question_waits_in_the_line_of_the_page_and_is_refused_where_that_is_full(pipeline):
    chat = Chat()
    with served(pipeline, chat=chat) as url, client(url) as ai, ThreadPoolExecutor(1) as elsewhere:
        with ExitStack() as line:
            for number in range(MOST_IN_LINE - 1):
                line.enter_context(chat.place(f"{number}"))
            chunks = complete(ai, stream=True)
            next(chunks)  # it has the last place
            for ask, stream in product((complete, respond), (False, True)):
                with pytest.raises(openai.RateLimitError, match="too many questions are waiting") as busy:
                    ask(ai, stream=stream)
                assert busy.value.code == "rate_limit_exceeded"
                assert busy.value.response.headers["retry-after"] == str(RETRY_SECONDS)
            rest = elsewhere.submit(list, chunks)
            assert not rest.done()
        assert rest.result(60)[-1].choices[0].finish_reason == "stop"
        assert not chat.is_busy()


@pytest.mark.parametrize("stream", [False, True])
@FORMS
def test_what_takes_too_long_is_stopped_and_refused(settings, article, path, asked, stream):
    gated = GatedModel(ANSWER)
    articles = Articles(ServedCollection(pipeline_over(settings, article, model=gated), "seeds"))
    app = TestClient(api_app(articles, Chat().place, seconds=0.2))
    response = app.post(f"/{path}", json={"model": "seeds", **asked, "stream": stream})
    assert "it took too long and was stopped" in response.text
    assert response.status_code == (200 if stream else 504)  # a stream has begun by then
    assert not gated.begun.is_set() or gated.was_stopped.wait(60)


def test_the_deadline_never_cuts_into_who_reads_slowly(settings, article):
    """It ends what computes the answer; a stream is then told so, however late it is read."""
    gated, told = GatedModel(ANSWER), []
    articles = Articles(ServedCollection(pipeline_over(settings, article, model=gated), "seeds"))
    app = api_app(articles, Chat().place, seconds=0.2)
    sent = [
        {"type": "http.request", "body": json.dumps({"model": "seeds", "messages": ASKED, "stream": True}).encode()}
    ]

    async def receive():
        await asyncio.sleep(0 if sent else 3600)
        return sent.pop()

    async def send(message):
        told.append(message.get("body", b"").decode())
        await asyncio.sleep(0.3)

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "asgi": {"spec_version": "2.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"}
    scope |= {"path": "/chat/completions", "root_path": "", "query_string": b"", "headers": headers}
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, receive, send)).result(60)
    assert "it took too long and was stopped" in "".join(told)
    assert told[-1] == ""
    assert not gated.begun.is_set() or gated.was_stopped.wait(60)


@FORMS
def test_who_hangs_up_stops_the_model_and_lets_the_next_question_in(settings, article, path, asked):
    chat = Chat()
    for stream in (False, True):
        gated = GatedModel(ANSWER)
        with served(pipeline_over(settings, article, model=gated), chat=chat) as url:
            parts = urlsplit(url)
            sent = json.dumps({"model": "seeds", **asked, "stream": stream}).encode()
            with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
                head = f"POST /v1/{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(sent)}"
                connection.sendall(head.encode() + b"\r\n\r\n" + sent)
                assert gated.begun.wait(60)
            assert gated.was_stopped.wait(60)
            gated.gate.set()
            with client(url) as ai:
                assert complete(ai).choices[0].message.content.endswith("[1]")


class Broken(ScriptedModel):
    def generate(self, *_, **__):
        raise RuntimeError("the model fell over")


def test_a_model_that_fails_is_told_in_the_answer_or_in_the_stream(settings, article, caplog):
    with served(pipeline_over(settings, article, model=Broken())) as url, client(url) as ai:
        for ask in (complete, respond):
            with pytest.raises(openai.InternalServerError, match="the terminal says what"):
                ask(ai)
            with pytest.raises(openai.APIError, match="the terminal says what"):
                list(ask(ai, stream=True))
        streamed = httpx.post(f"{url}/v1/responses", json={"model": "seeds", "input": QUESTION, "stream": True}).text
        name, data = streamed.split("\n\n")[-2].split("\n")
        told = ResponseErrorEvent.model_validate_json(data.removeprefix("data: "))
        assert (name, told.sequence_number) == ("event: error", 2)
        assert "the terminal says what" in told.message
        assert complete(ai, "What did Napoleon eat?").choices[0].message.content == NO_ANSWER
    assert "the model fell over" in caplog.text


def test_open_webui_finds_what_it_reads(url):
    """Its server reads `data` of /models, each with an `id` and perhaps a `name`; of a stream the lines that begin with
    "data:", in them `choices[0].delta.content` and the `url_citation`s of `delta.annotations`, whose order must be that
    of the numbers; of an error the object `error`. Its earlier pages drop what stands beside `citations`.
    """
    headers = {"Content-Type": "application/json"}
    listed = httpx.get(f"{url}/v1/models", headers=headers).json()
    assert [(model["id"], model["name"]) for model in listed["data"]] == [("seeds", "Harbour news")]
    asked = {"model": "seeds", "messages": ASKED, "stream": True, "stream_options": {"include_usage": True}, "seed": 1}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=asked, headers=headers) as answer:
        assert "text/event-stream" in answer.headers["content-type"]
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith(("data: ", ": ")) for line in lines)
    *data, done = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert done == "[DONE]"
    chunks = [json.loads(line) for line in data]
    assert all("error" not in chunk for chunk in chunks)
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert said == f"{ANSWER} [1]"
    sources = [
        annotation["url_citation"]
        for chunk in chunks
        if chunk["choices"]
        for annotation in chunk["choices"][0]["delta"].get("annotations", [])
        if annotation["type"] == "url_citation"
    ]
    assert [source["title"] for source in sources] == ["Harbour news"]
    assert httpx.get(sources[0]["url"]).is_success
    assert not any(chunk["choices"][0]["delta"].get("content") for chunk in chunks if "citations" in chunk)
    assert chunks[-1]["usage"]["total_tokens"] > 0
    task = [{"role": "user", "content": "### Task:\nGenerate a title. " * 200}]
    refused = httpx.post(f"{url}/v1/chat/completions", json={**asked, "stream": False, "messages": task})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages")  # it then makes its own title


def test_without_accounts_a_program_needs_no_key_and_gets_no_cookie(url):
    answer = httpx.get(f"{url}/v1/models", headers={"Accept": "text/html"})
    assert answer.is_success
    assert "set-cookie" not in answer.headers


def test_where_accounts_are_a_key_says_whose_articles_can_be_asked(settings, pipeline):
    shelf, accounts = shelf_in(settings), Accounts({"ann": "correct horse", "bob": "pa:ss"})
    with served(pipeline, shelf=shelf, accounts=accounts, keys=Keys({"ann": ANN, "bob": BOB})) as url:
        pasted = {"title": "Dam", "text": "The northern dam was built by Otto Brandt in 1902."}
        httpx.post(f"{url}/own/articles/paste", json=pasted, auth=("ann", "correct horse")).raise_for_status()
        with client(url, ANN) as ann, client(url, BOB) as bob:
            shared, own = ann.models.list().data
            assert (shared.id, own.name) == ("seeds", "Dam")
            said = complete(ann, "Who built the northern dam?", own.id)
            assert "Otto Brandt" in said.choices[0].message.content
            link = said.choices[0].message.annotations[0].url_citation.url
            assert httpx.get(link, headers={"Authorization": f"Bearer {ANN}"}).text == pasted["text"]
            assert httpx.get(link, headers={"Authorization": f"Bearer {BOB}"}).status_code == 404
            assert httpx.get(link, auth=("ann", "correct horse")).text == pasted["text"]
            assert [model.id for model in bob.models.list().data] == ["seeds"]
            with pytest.raises(openai.NotFoundError):
                complete(bob, "Who built the northern dam?", own.id)
            assert respond(ann, "Who built the northern dam?", own.id).output_text == said.choices[0].message.content
            with pytest.raises(openai.NotFoundError):
                respond(bob, "Who built the northern dam?", own.id)
        for wrong in ("any", ANN[:-1], f"{ANN}x", ANN.upper(), "ann", "correct horse"):
            with (
                client(url, wrong) as nobody,
                pytest.raises(openai.AuthenticationError, match="a key") as refused,
            ):
                complete(nobody)
            assert refused.value.code == "invalid_api_key"
            with client(url, wrong) as nobody, pytest.raises(openai.AuthenticationError, match="a key"):
                respond(nobody)
        unnamed = httpx.get(f"{url}/v1/models")
        assert (unnamed.status_code, unnamed.json()["error"]["code"]) == (401, "invalid_api_key")
        basic = base64.b64encode(b"bob:pa:ss").decode()
        assert httpx.get(f"{url}/v1/models", headers={"Authorization": f"Basic {basic}"}).is_success
        assert httpx.get(f"{url}/articles", headers={"Authorization": f"Bearer {ANN}"}).status_code == 401  # the page


def test_where_accounts_are_and_no_keys_none_is_accepted(pipeline):
    with (
        served(pipeline, accounts=Accounts({"ann": "correct horse"})) as url,
        client(url, ANN) as ai,
        pytest.raises(openai.AuthenticationError, match="--api-key-file"),
    ):
        complete(ai)


def test_keys_are_asked_for_without_accounts_too(pipeline):
    with served(pipeline, keys=Keys({"ann": ANN})) as url, client(url, ANN) as ann, client(url) as nobody:
        assert complete(ann).choices[0].message.content == f"{ANSWER} [1]"
        with pytest.raises(openai.AuthenticationError):
            nobody.models.list()
        assert httpx.get(f"{url}/alive").is_success  # the page needs none


@FORMS
def test_what_has_answered_is_told_so_that_it_can_be_read(pipeline, path, asked):
    answered: list[Pipeline] = []
    app = TestClient(api_app(Articles(ServedCollection(pipeline, "seeds")), Chat().place, answered.append))
    for stream in (False, True):
        assert app.post(f"/{path}", json={"model": "seeds", **asked, "stream": stream}).is_success
    assert answered == [pipeline, pipeline]


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The standard writer, on the article that comes with the program."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(Path(__file__).parent.parent.parent / "seeds", home / "seeds")
    settings = Settings(home=home, llm=STANDARD.name, threads=2)
    if find(STANDARD, settings) is None:
        assert not os.environ.get("CI"), "the standard writer is not here: run `article-chat download`"
        pytest.skip("the standard writer is not here: run `article-chat download`")
    return build_pipeline(Library(settings).open(), settings)


@pytest.mark.e2e
def test_the_standard_writer_answers_the_real_client(standard):
    text = standard.index.documents["hanoi-summit"].text
    with served(standard) as url, client(url) as ai:
        said = complete(ai, "why did the talks end?")
        *_, last = complete(ai, "why did the talks end?", stream=True)
    assert "sanctions" in said.choices[0].message.content
    assert said.citations
    assert all(text[cited["start"] : cited["end"]] == cited["quote"] for cited in (*said.citations, *last.citations))
