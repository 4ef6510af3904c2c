"""The page: its components, and what happens on each of its events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import gradio as gr

from rag import ArticleChatError, Examples, Pipeline
from ui.chat import Chat, View, sentence
from ui.exchanges import Conversation, Documents, restored
from ui.owners import owner_of
from ui.rendering import EXAMPLES, SOURCE, TOOLS, conversation_html, introduction_html, status_html
from ui.waiting import LOADING

EDITING = "Editing your last question: Ask replaces its answer."
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
Updates: TypeAlias = dict[Any, Any]
PipelineOf: TypeAlias = Callable[[Any, str], Pipeline]
"""The pipeline over the articles that `Conversation.article` names, and no others, for whoever sent the request; raises
ArticleChatError where one of them is not theirs or gone."""
WithNext: TypeAlias = Callable[[Any, Conversation], Conversation]
"""The conversation with what whoever sent the request can ask next, as far as that is found."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The components; those from `saved` on are hidden, and used by the page's script."""

    conversation: gr.State
    editing: gr.State
    introduction: gr.Markdown
    answers: gr.Markdown
    status: gr.Markdown
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    cancel: gr.Button
    saved: gr.Textbox
    restore: gr.Button
    retry: gr.Button
    edit: gr.Button
    suggest: gr.Button

    def show(self, view: View, documents: Documents) -> Updates:
        """The view in the components; the conversation is kept once nothing runs any more."""
        shown = {
            self.answers: conversation_html(view.conversation, documents),
            self.status: status_html(view.status),
            self.stop: gr.Button(interactive=view.running),
        }
        return shown if view.running else {**shown, self.conversation: view.conversation}

    def edits(self, editing: bool) -> Updates:
        """Whether the question's box asks instead of the last question, or anew."""
        return {self.editing: editing, self.cancel: gr.Button(visible=editing)}

    def all(self) -> list[Any]:
        """What an event on the conversation may change."""
        return [
            *(self.conversation, self.editing, self.introduction, self.answers, self.status),
            *(self.question, self.stop, self.cancel),
        ]


def build_app(pipeline_of: PipelineOf, chat: Chat, examples: Examples, titles: list[str], version: str) -> gr.Blocks:
    """The page's components and events; it begins with the shared articles, which have the titles in that version.

    The conversation lives in the server's state of each visit, and names its article. The browser keeps a copy and
    hands it back after a reload, or when another article is chosen: it is checked against that article, and the article
    against its owner, before it is shown. Nothing else that the browser sends but questions is used.
    """

    def with_next(request: Any, conversation: Conversation) -> Conversation:
        try:
            found = examples.after(pipeline_of(request, conversation.article), conversation.answers())
        except ArticleChatError:
            found = ()  # there is nothing to ask any more
        return conversation.with_next(found)

    app: gr.Blocks
    with gr.Blocks(title=f"{titles[0]} · article-chat", analytics_enabled=False, fill_width=True) as app:
        parts = _components(titles, version)
        _answer(parts, app, chat, pipeline_of, with_next)
        _edit(parts, chat)
        _restore(parts, chat, pipeline_of, with_next)
        _suggest(parts, chat, pipeline_of, with_next)
        if chat.loads():
            _say_what_loads(parts, app, chat)
    return app


def _components(titles: list[str], version: str) -> _Parts:
    begun = Conversation(version=version)
    conversation, editing = gr.State(begun), gr.State(value=False)
    with gr.Row(elem_id="page"):
        with gr.Column(elem_id="chat", min_width=0, scale=6):
            introduction = _markdown(introduction_html(titles), elem_id="introduction")
            _markdown(TOOLS, elem_id="toolbar")
            _markdown(EXAMPLES, elem_id="examples")
            answers = _markdown(conversation_html(begun, {}), elem_id="conversation")
            status = _markdown("", elem_id="status")
            with gr.Row(elem_id="ask"):
                question = gr.Textbox(
                    label="Your question",
                    placeholder="Ask a question…",
                    lines=1,
                    max_lines=4,
                    autofocus=True,
                    scale=8,
                    min_width=0,
                )
                stop = gr.Button("Stop", interactive=False, scale=0, min_width=72)
                ask = gr.Button("Ask", variant="primary", scale=0, min_width=72)
                cancel = gr.Button("Cancel", visible=False, scale=0, min_width=72, elem_id="cancel-edit")
            with gr.Row(elem_id="hidden"):
                saved = gr.Textbox(elem_id="saved-conversation", label="Saved conversation", lines=2)
                restore = gr.Button("Restore", elem_id="restore")
                retry = gr.Button("Retry", elem_id="retry")
                edit = gr.Button("Edit", elem_id="edit")
                suggest = gr.Button("Suggest", elem_id="suggest")
        with gr.Column(elem_id="article-panel", min_width=0, scale=5):
            _markdown(SOURCE, elem_id="article-box")
    return _Parts(
        conversation=conversation,
        editing=editing,
        introduction=introduction,
        answers=answers,
        status=status,
        question=question,
        ask=ask,
        stop=stop,
        cancel=cancel,
        saved=saved,
        restore=restore,
        retry=retry,
        edit=edit,
        suggest=suggest,
    )


def _answer(parts: _Parts, app: gr.Blocks, chat: Chat, pipeline_of: PipelineOf, with_next: WithNext) -> None:
    """Ask, Retry and Stop, which leaving the page is, too."""

    def run(
        start: Callable[..., Iterator[View]],
        before: Conversation,
        request: gr.Request,
        *,
        asked: Updates,
        back: Updates,
    ) -> Iterator[Updates]:
        """The views that `start` gives; with the first comes `asked`, and with one that failed `back`."""
        try:
            pipeline = pipeline_of(request, before.article)
        except ArticleChatError as error:
            yield {parts.status: status_html(sentence(str(error)))}
            return
        who = {"visit": str(request.session_hash), "owner": owner_of(request)}
        for view in start(pipeline=pipeline, conversation=before.as_of(pipeline.index), **who):
            now = view.conversation if view.running else with_next(request, view.conversation)
            shown = parts.show(replace(view, conversation=now), pipeline.index.documents)
            yield shown | (back if view.failed else asked)
            asked = {}

    def answer(text: str, before: Conversation, editing: bool, request: gr.Request) -> Iterator[Updates]:
        asked = {parts.question: "", **parts.edits(False)}
        back = {parts.question: text, **parts.edits(editing)}
        start = partial(chat.ask, question=text, replacing_last=editing)
        yield from run(start, before, request, asked=asked, back=back)

    def answer_again(before: Conversation, request: gr.Request) -> Iterator[Updates]:
        yield from run(chat.retry, before, request, asked={}, back={})

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

    def cancel() -> Updates:
        return {parts.question: "", parts.status: status_html(""), **parts.edits(False)}

    parts.edit.click(edit, [parts.conversation], parts.all(), **_QUIET)
    parts.cancel.click(cancel, None, parts.all(), **_QUIET)


def _restore(parts: _Parts, chat: Chat, pipeline_of: PipelineOf, with_next: WithNext) -> None:
    """A conversation that the browser has saved, checked, with its article; without exchanges it is a new one."""

    def restore(text: str, request: gr.Request) -> Any:
        if chat.is_running(str(request.session_hash)):
            return gr.skip()
        documents: Documents = {}
        version = ""
        status = chat.loads()

        def documents_of(article: str) -> Documents:
            nonlocal documents, version, status
            try:
                index = pipeline_of(request, article).index
            except ArticleChatError as error:
                status = sentence(str(error))
                raise
            documents, version = index.documents, index.version
            return documents

        try:
            found = restored(text, documents_of)
        except ValueError:
            return {parts.status: status_html("What this browser kept of the conversation could not be read.")}
        titles = [document.title for document in documents.values()]
        heading = introduction_html(titles, found.unreadable, several=" " in found.article)
        shown = {parts.introduction: heading, **parts.edits(False)}
        then = with_next(request, replace(found.named(), version=version))
        return parts.show(View(then, status), documents) | shown

    # Whoever goes through the list of articles quickly sees the last one.
    parts.restore.click(restore, [parts.saved], parts.all(), trigger_mode="always_last", **_QUIET)


def _suggest(parts: _Parts, chat: Chat, pipeline_of: PipelineOf, with_next: WithNext) -> None:
    """What can be asked next, where it was found only after the last answer was there."""

    def suggest(now: Conversation, request: gr.Request) -> Any:
        try:
            index = pipeline_of(request, now.article).index
        except ArticleChatError:
            return gr.skip()
        if chat.is_running(str(request.session_hash)):
            return gr.skip()
        then = with_next(request, now.as_of(index))
        return {parts.conversation: then, parts.answers: conversation_html(then, index.documents)}

    parts.suggest.click(suggest, [parts.conversation], [parts.conversation, parts.answers], **_QUIET)


def _say_what_loads(parts: _Parts, app: gr.Blocks, chat: Chat) -> None:
    """Say that the models load, until they are there."""
    clock = gr.Timer(1.0)

    def look(shown: str) -> list[Any]:
        message = chat.loads()
        loads = message == LOADING
        news = status_html(message) if shown == status_html("" if loads else LOADING) else gr.skip()
        return [news, gr.skip() if loads else gr.Timer(active=False)]

    for moment in (clock.tick, app.load):
        moment(look, [parts.status], [parts.status, clock], **_QUIET)


def _markdown(value: str, *, elem_id: str) -> gr.Markdown:
    return gr.Markdown(value, elem_id=elem_id, latex_delimiters=[], container=False)
