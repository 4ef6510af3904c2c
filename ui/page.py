"""The page: its components, and what happens on each of its events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import gradio as gr

from rag import Pipeline
from ui.chat import Chat, View
from ui.examples import Examples
from ui.exchanges import Conversation, restored
from ui.rendering import SOURCE, TOOLS, conversation_html, introduction_html, status_html
from ui.waiting import LOADING, Loading

SHOWN_EXAMPLES = 3
EDITING = "Editing your last question: Ask replaces its answer."
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
Updates: TypeAlias = dict[Any, Any]


@dataclass(frozen=True, slots=True)
class _Parts:
    """The components; those from `kept` on are hidden, and used by the page's script."""

    conversation: gr.State
    editing: gr.State
    examples: gr.Row
    example_buttons: tuple[gr.Button, ...]
    answers: gr.Markdown
    status: gr.Markdown
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    leave: gr.Button
    kept: gr.Textbox
    bring_back: gr.Button
    retry: gr.Button
    edit: gr.Button

    def show(self, view: View, pipeline: Pipeline) -> Updates:
        """The view in the components; the conversation is kept once nothing runs any more."""
        shown = {
            self.answers: conversation_html(view.conversation, pipeline.index.documents),
            self.status: status_html(view.status),
            self.stop: gr.Button(interactive=view.running),
            self.examples: gr.Row(visible=not view.conversation.exchanges),
        }
        return shown if view.running else {**shown, self.conversation: view.conversation}

    def edits(self, editing: bool) -> Updates:
        """Whether the question's box asks instead of the last question, or anew."""
        return {self.editing: editing, self.leave: gr.Button(visible=editing)}

    def all(self) -> list[Any]:
        """What an event on the conversation may change."""
        return [
            *(self.conversation, self.editing, self.examples, self.answers, self.status),
            *(self.question, self.stop, self.leave),
        ]


def build_app(pipeline: Pipeline, examples: Examples | None = None, loading: Loading | None = None) -> gr.Blocks:
    """The page's components and events over the pipeline; example questions appear once `examples` has found them.

    The conversation lives in the server's state of each visit. The browser keeps a copy and hands it back after a
    reload: it is checked against the articles before it is shown. Nothing else that the browser sends but questions is
    used.
    """
    titles = [document.title for document in pipeline.index.documents.values()]
    chat = Chat(loading)

    def pipeline_of(_request: gr.Request) -> Pipeline:
        return pipeline

    app: gr.Blocks
    with gr.Blocks(title=f"{titles[0]} · article-chat", analytics_enabled=False, fill_width=True) as app:
        parts = _components(titles)
        _answer(parts, app, chat, pipeline_of)
        _edit(parts, chat)
        _bring_back(parts, chat, pipeline_of)
        if examples is not None or loading is not None:
            _keep_up(parts, app, examples, loading)
    return app


def _components(titles: list[str]) -> _Parts:
    conversation, editing = gr.State(Conversation()), gr.State(value=False)
    with gr.Row(elem_id="page"):
        with gr.Column(elem_id="talk", min_width=0, scale=6):
            _markdown(introduction_html(titles), elem_id="introduction")
            _markdown(TOOLS, elem_id="toolbar")
            with gr.Row(elem_id="examples") as examples:
                buttons = tuple(
                    gr.Button("", visible=False, size="sm", elem_classes="example") for _ in range(SHOWN_EXAMPLES)
                )
            answers = _markdown("", elem_id="conversation")
            status = _markdown("", elem_id="status")
            with gr.Row(elem_id="ask"):
                question = gr.Textbox(
                    label="Your question",
                    placeholder="Why did …?",
                    lines=1,
                    max_lines=4,
                    autofocus=True,
                    scale=8,
                    min_width=0,
                )
                ask = gr.Button("Ask", variant="primary", scale=1, min_width=72)
                stop = gr.Button("Stop", interactive=False, scale=1, min_width=72)
                leave = gr.Button("Cancel", visible=False, scale=1, min_width=72, elem_id="leave")
            with gr.Row(elem_id="hidden"):
                kept = gr.Textbox(elem_id="kept-conversation", label="Kept conversation", lines=2)
                bring_back = gr.Button("Bring back", elem_id="bring-back")
                retry = gr.Button("Retry", elem_id="retry")
                edit = gr.Button("Edit", elem_id="edit")
        with gr.Column(elem_id="source", min_width=0, scale=5):
            _markdown(SOURCE, elem_id="article-box")
    return _Parts(
        conversation=conversation,
        editing=editing,
        examples=examples,
        example_buttons=buttons,
        answers=answers,
        status=status,
        question=question,
        ask=ask,
        stop=stop,
        leave=leave,
        kept=kept,
        bring_back=bring_back,
        retry=retry,
        edit=edit,
    )


def _answer(parts: _Parts, app: gr.Blocks, chat: Chat, pipeline_of: Callable[[gr.Request], Pipeline]) -> None:
    """Ask, the examples, Retry and Stop, which leaving the page is, too."""

    def answer(text: str, before: Conversation, editing: bool, request: gr.Request) -> Iterator[Updates]:
        pipeline = pipeline_of(request)
        asked = {parts.question: "", **parts.edits(False)}
        for view in chat.ask(pipeline, text, before, str(request.session_hash), replacing_last=editing):
            back = {parts.question: text, **parts.edits(editing)}
            yield parts.show(view, pipeline) | (back if view.failed else asked)
            asked = {}

    def answer_example(text: str, before: Conversation, request: gr.Request) -> Iterator[Updates]:
        yield from answer(text, before, False, request)

    def answer_again(before: Conversation, request: gr.Request) -> Iterator[Updates]:
        pipeline = pipeline_of(request)
        for view in chat.retry(pipeline, before, str(request.session_hash)):
            yield parts.show(view, pipeline)

    def stop(request: gr.Request) -> None:
        chat.stop(str(request.session_hash))

    answering: dict[str, Any] = {
        "outputs": parts.all(),
        "trigger_mode": "once",
        "show_progress": "hidden",
        "concurrency_limit": None,  # `chat` answers one at a time, and says who is before whom
        "api_visibility": "private",
    }
    gr.on(
        [parts.question.submit, parts.ask.click],
        answer,
        [parts.question, parts.conversation, parts.editing],
        **answering,
    )
    for button in parts.example_buttons:
        button.click(answer_example, [button, parts.conversation], **answering)
    parts.retry.click(answer_again, [parts.conversation], **answering)
    parts.stop.click(stop, **_QUIET)
    app.unload(stop)


def _edit(parts: _Parts, chat: Chat) -> None:
    """Edit, and Cancel, which leaves the last question as it is."""

    def edit(now: Conversation, request: gr.Request) -> Any:
        if not now.exchanges or chat.is_running(str(request.session_hash)):
            return gr.skip()
        question = now.exchanges[-1].answer.question
        return {parts.question: question, parts.status: status_html(EDITING), **parts.edits(True)}

    def leave() -> Updates:
        return {parts.question: "", parts.status: status_html(""), **parts.edits(False)}

    parts.edit.click(edit, [parts.conversation], parts.all(), **_QUIET)
    parts.leave.click(leave, None, parts.all(), **_QUIET)


def _bring_back(parts: _Parts, chat: Chat, pipeline_of: Callable[[gr.Request], Pipeline]) -> None:
    """A conversation that the browser has kept, checked; without exchanges it is a new one."""

    def bring_back(text: str, request: gr.Request) -> Any:
        if chat.is_running(str(request.session_hash)):
            return gr.skip()
        pipeline = pipeline_of(request)
        try:
            found = restored(text, pipeline.index.documents)
        except ValueError:
            return {parts.status: status_html("What this browser kept of the conversation could not be read.")}
        return parts.show(View(found.named(), chat.loads()), pipeline) | parts.edits(False)

    parts.bring_back.click(bring_back, [parts.kept], parts.all(), **_QUIET)


def _keep_up(parts: _Parts, app: gr.Blocks, examples: Examples | None, loading: Loading | None) -> None:
    """Say that the models load, until they are there, and offer the examples, once they are found."""
    clock = gr.Timer(1.0)

    def keep_up(said: str) -> list[Any]:
        message = loading.message() if loading is not None else ""
        loads = message == LOADING
        news = status_html(message) if said == status_html("" if loads else LOADING) else gr.skip()
        found = examples.questions if examples is not None else ()
        offered = [gr.Button(text, visible=True) for text in found or ()]
        offered += [gr.skip()] * (SHOWN_EXAMPLES - len(offered))
        return [news, *offered, gr.skip() if loads or found is None else gr.Timer(active=False)]

    for moment in (clock.tick, app.load):
        moment(keep_up, [parts.status], [parts.status, *parts.example_buttons, clock], **_QUIET)


def _markdown(value: str, *, elem_id: str) -> gr.Markdown:
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[], container=False)
