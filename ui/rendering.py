"""Questions and answers -> the HTML that the page shows: everything escaped; pure functions.

Each exchange is one line of HTML inside a Markdown component: line breaks and Markdown's own characters are written as
character references, so no text can end the HTML, start Markdown or be taken for a formula. The page's script places
the marks in the article; it gets their offsets from the buttons' values, counted in UTF-16 units as JavaScript counts.
Each complete exchange carries its record, which the script keeps, copies and exports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rag import NONE_SAYS_MORE, NOTHING_ELSE, Answer, Citation, Document, RetrievedPassage, Span
from ui.exchanges import Conversation, Documents, Exchange, record
from ui.paragraphs import utf16_length
from ui.pins import pin_json

SHOWN_PASSAGES = 3
MOST_NAMED = 5
"""Articles asked together, at most, of which those are named that no quote is from."""
LONGEST_TITLE = 80
"""Characters of a title beside a quote; the page's heading and the article have all of it."""
OUTDATED = "The article has changed since: what no longer stands in it is left out here. Ask again."
UNREADABLE = {
    "removed": (
        "This article is gone",
        "What you asked about it can still be read here. To ask on, choose another article.",
    ),
    "damaged": (
        "This article cannot be read",
        "It was damaged on the disk: remove it, and add it again. What you asked about it can still be read here.",
    ),
}
"""The heading and the line below it, where `Conversation.unreadable` says that there is no article to show."""
UNREADABLE_TOGETHER = {
    "removed": (
        "One of these articles is gone",
        "What you asked about them can still be read here. To ask on, choose those that are left.",
    ),
    "damaged": (
        "One of these articles cannot be read",
        "It was damaged on the disk: choose it alone to remove it. What you asked can still be read here.",
    ),
}
"""The same where it was one of several."""

_TRANSCRIPT = re.compile(r"[^\W\d_][\w\s]*")
_REFERENCES = str.maketrans({c: f"&#{ord(c)};" for c in "&<>\"'`*_[]()!\\${}~|#:\t\n"})


def escape(text: str) -> str:
    """The text as HTML on one line that shows exactly this text, in content and in a quoted attribute."""
    return text.translate(_REFERENCES)


def introduction_html(titles: Sequence[str], unreadable: str = "", *, several: bool = False) -> str:
    """The page's heading, made of the articles' titles, and a line on what this is, or why one is `unreadable`."""
    about = (
        "Ask about the article. Every answer comes with the words that it rests on, "
        "and where the article does not say, you are told so."
    )
    if len(titles) > 1:
        about = (
            f"Ask about these {len(titles)} articles. Every answer names the article that it rests on, with the words, "
            "and where none of them says, you are told so."
        )
    heading, about = (UNREADABLE_TOGETHER if several else UNREADABLE).get(unreadable) or (titles[0], about)
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    return f'<h1>{escape(heading)}{more}</h1>\n\n<p class="about">{escape(about)}</p>'


TOOLS = (
    '<div id="tools"><button type="button" value="new">New conversation</button>'
    '<details class="menu"><summary>Conversations</summary><div id="history" class="list"></div></details>'
    '<details class="menu"><summary>Export</summary><div class="list">'
    '<button type="button" value="markdown">Export as Markdown</button>'
    '<button type="button" value="json">Export as JSON</button>'
    '<button type="button" value="annotations" title="For programs that annotate: W3C Web Annotations, JSON-LD">'
    "Export as Web Annotations</button></div></details>"
    '<button type="button" value="clear" title="Delete this conversation">Clear</button></div>'
)
"""What can be done with the conversation; the page's script does it, and lists the conversations that are kept."""
SOURCE = (
    '<div id="library"></div><div id="search"></div><p id="study"></p><div id="reading">'
    '<div id="article" role="region" tabindex="0" title="Article"></div><div id="strip"></div></div>'
)
"""The choice of articles and the source panel, empty; the page's script fills them."""
EXAMPLES = '<div id="questions"></div>'
"""The place of the example questions; the page's script fetches them."""


def status_html(message: str) -> str:
    """One line on what is going on."""
    return f"<p>{escape(message)}</p>" if message else ""


def conversation_html(conversation: Conversation, documents: Documents) -> str:
    """The conversation, one block for each exchange, so that only changed ones are drawn again; first its id, that
    of its article, called by why that is unreadable where it is, and the version.
    """
    article = conversation.unreadable or "article"
    names = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (
            ("conversation", conversation.id),
            (article, conversation.article),
            ("version", conversation.version),
        )
    )
    return "\n\n".join([names, *(exchange_html(exchange, documents) for exchange in conversation.exchanges)])


def exchange_html(exchange: Exchange, documents: Documents) -> str:
    """A question, the group that holds its answer with the quotes as cards, and folded what a retry replaced."""
    answer = exchange.answer
    status = "running" if exchange.running else "abstained" if answer.abstained else "answered"
    inner = f'<p class="outdated">{escape(OUTDATED)}</p>' if exchange.outdated else ""
    inner += _shown(answer, documents) + _instead(answer)
    kept = ""
    if not exchange.running:
        inner += _unquoted(answer, documents) + _actions(exchange) + _how(answer)
        kept = escape(json.dumps(record(exchange), ensure_ascii=False))
        kept = f'<input type="hidden" name="record" value="{kept}">'
    return (
        f'<div class="exchange"><p class="question"><span class="unseen">You asked&#58; </span>'
        f"{escape(answer.question)}</p>{_group('Answer to', answer, status, inner, documents)}"
        f"{_earlier(exchange, documents)}{_next(exchange)}{kept}</div>"
    )


def _group(name: str, answer: Answer, status: str, inner: str, documents: Documents) -> str:
    places = " ".join(
        range_value(documents[found.passage.document_id], found.passage.span)
        for found in answer.passages
        if found.passage.document_id in documents
    )
    return (
        f'<fieldset role="group" class="answer {status}"><legend class="unseen">{name}&#58; {escape(answer.question)}'
        f'</legend>{inner}<input type="hidden" name="passages" value="{places}"></fieldset>'
    )


def _earlier(exchange: Exchange, documents: Documents) -> str:
    """The answers that a retry replaced, the latest first; open where there was nothing else to answer."""
    groups = "".join(
        _group("Earlier answer to", answer, "earlier", _shown(answer, documents), documents)
        for answer in reversed(exchange.earlier)
    )
    state = "<details open>" if exchange.answer.abstained else "<details>"
    return f"{state}<summary>Earlier answer</summary>{groups}</details>" if groups else ""


def _next(exchange: Exchange) -> str:
    """The group of what can be asked next, which the page shows under the last answer only."""
    buttons = "".join(f'<button type="button">{escape(question)}</button>' for question in exchange.next)
    return f'<fieldset role="group" class="next"><legend>Ask next</legend>{buttons}</fieldset>' if buttons else ""


def _shown(answer: Answer, documents: Documents) -> str:
    """The answer's text and its quotes, folded where the text says it; where it abstained, the nearest passages."""
    bare = _bare(answer.statements[0].text) if answer.statements and answer.statements[0].verbatim else ""
    text = f'<p class="text{bare}">{_cited(answer, documents)}</p>' if answer.text else ""
    if answer.abstained:
        return text + ("" if answer.refusal in (NOTHING_ELSE, NONE_SAYS_MORE) else _nearest(answer.passages, documents))
    return text + "".join(_card(citation, answer, documents) for citation in answer.citations)


def _unquoted(answer: Answer, documents: Documents) -> str:
    """From which of a few articles no quote is, where there are some; that need not mean that they say nothing."""
    quoted = {citation.document_id for citation in answer.citations}
    others = [document.title for document in documents.values() if document.id not in quoted]
    if not quoted or not others or len(documents) > MOST_NAMED:
        return ""
    titles = ", ".join(f"“{_title(title)}”" for title in others)
    alone = "Ask it alone to see what it says." if len(others) == 1 else "Ask one alone to see what it says."
    return f'<p class="unquoted">No quote is from {titles}. {alone}</p>'


def _actions(exchange: Exchange) -> str:
    """Buttons under an answer; the page shows Retry and Edit under the last one only."""
    more = not exchange.answer.abstained and not exchange.outdated
    return (
        '<p class="actions"><button type="button" value="copy" title="Copy the answer with its quotes">Copy</button>'
        + (
            '<button type="button" value="retry" title="Answer from the next best quotes">Retry</button>'
            if more
            else ""
        )
        + '<button type="button" value="edit" title="Ask this question in other words">Edit</button></p>'
    )


def _instead(answer: Answer) -> str:
    """That a model server failed, where one did, and who wrote in its stead."""
    failed = answer.model.get("instead_of", "")
    who = answer.model.get("llm", "none")
    stood_in = f"{who} stood in for it" if who != "none" else "so only quotes are shown"
    return f'<p class="outdated">{escape(f"{failed[:1].upper()}{failed[1:]}: {stood_in}.")}</p>' if failed else ""


def _how(answer: Answer) -> str:
    """How long each step of the answer took, and with which model, folded."""
    steps = [
        ("search", "retrieve", "embedder"),
        ("read", "read", "reader"),
        ("write", "write", "llm"),
        ("cite", "attribute", ""),
        ("check", "check", ""),
    ]
    rows = "".join(
        f"<tr><th>{step}</th><td>{answer.timings_ms[stage] / 1000:.2f} s</td>"
        f"<td>{escape(answer.model.get(role, ''))}</td></tr>"
        for step, stage, role in [*steps, ("in all", "total", "")]
        if answer.timings_ms.get(stage)
    )
    return f'<details class="how"><summary>How this was answered</summary><table>{rows}</table></details>'


def place(span: Span, label: str | None, document: Document | None) -> str:
    """Where in the document a range lies, in words: "page 3 · 42 % in · characters 3,211-3,305", as far as is known."""
    parts = [label] if label is not None else []
    parts += [f"{round(100 * span.start / len(document.text))} % in"] if document is not None else []
    return " · ".join([*parts, f"characters {span.start:,}–{span.end:,}"])


def _cited(answer: Answer, documents: Documents) -> str:
    """The answer's statements, each with the buttons that show its citations; or its refusal."""
    if answer.refusal is not None:
        return escape(answer.refusal)
    by_number = {citation.number: citation for citation in answer.citations}
    return " ".join(
        _with_bold(statement.shown, answer)
        + " "
        + "".join(_button("Source", by_number[number], documents) for number in statement.citations)
        for statement in answer.statements
    )


def _with_bold(statement: str, answer: Answer) -> str:
    """The statement, in bold the words that answer, where it has them once and as they are."""
    short = " ".join((answer.short_answer or "").split())
    before, found, after = statement.partition(short) if short else (statement, "", "")
    return escape(statement) if short in after else _bold(before, found, after)


def _bold(before: str, words: str, after: str) -> str:
    """The words in bold, where there are any, between the others."""
    return f"{escape(before)}<strong>{escape(words)}</strong>{escape(after)}" if words else escape(before + after)


def _card(citation: Citation, answer: Answer, documents: Documents) -> str:
    """A quote with its place, and before it, where it could be of several articles, the title of its own; its button is
    "Source n" unless the text above has that button. The page's script presses Pin where the quote is pinned.
    """
    said = any(citation.number in statement.citations for statement in answer.statements)
    name = "Quote" if said else "Source"
    folded = " folded" if said or any(not statement.verbatim for statement in answer.statements) else ""
    quote = _bold(*citation.around_highlight())
    article = f'<p class="of">{_title(citation.title)}</p>' if len(documents) > 1 else ""
    where = place(Span(citation.start, citation.end), citation.place, documents.get(citation.document_id))
    pin = escape(json.dumps(pin_json(citation, answer.question, documents), ensure_ascii=False))
    return (
        f'<div class="card{folded}">{_button(name, citation, documents)}{article}{_blockquote(citation.quote, quote)}'
        f'<p class="place">{_title(citation.title)} · {escape(where)} · score {citation.score:.2f}</p>'
        f'<button type="button" class="pin" value="{pin}" aria-pressed="false" title="Keep this quote as a note">Pin'
        f'<span class="unseen"> quote {citation.number}</span></button></div>'
    )


def _blockquote(text: str, html: str) -> str:
    return f'<blockquote class="quote{_bare(text)}">{html}</blockquote>'


def _bare(text: str) -> str:
    """A class for text like a transcript, in small letters without a mark: the style gives it a capital and a stop."""
    return " bare" if _TRANSCRIPT.fullmatch(text) and text == text.lower() else ""


def _title(title: str) -> str:
    """The title, shortened, apart from what stands beside it, which may run in the other direction."""
    short = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…"
    return f'<span class="title">{escape(short)}</span>'


def _nearest(passages: Sequence[RetrievedPassage], documents: Documents) -> str:
    """The nearest passages, folded: offered as what they are, not as an answer."""
    cards = ""
    for number, found in enumerate(passages[:SHOWN_PASSAGES], 1):
        passage = found.passage
        document = documents[passage.document_id]
        value = range_value(document, passage.span)
        where = place(passage.span, document.label_at(passage.span.start), document)
        cards += (
            f'<div class="card"><button type="button" class="source" value="{value}"><span class="unseen">Passage '
            f"</span>{number}</button>{_blockquote(passage.text, escape(passage.text))}"
            f'<p class="place">{_title(document.title)} · {escape(where)}</p></div>'
        )
    who = "the articles do" if len(documents) > 1 else "the article does"
    return f"<details><summary>What {who} say nearby</summary>{cards}</details>" if cards else ""


def _button(name: str, citation: Citation, documents: Documents) -> str:
    """The button that shows the citation; where its article is gone, the number alone."""
    if (document := documents.get(citation.document_id)) is None:
        return f'<span class="source">{citation.number}</span>'
    value = range_value(document, Span(citation.start, citation.end))
    return (
        f'<button type="button" class="source" value="{value}">'
        f'<span class="unseen">{name} </span>{citation.number}</button>'
    )


def range_value(document: Document, span: Span) -> str:
    """The range as the page's script reads it: the document's id and two offsets in UTF-16 units."""
    before = utf16_length(document.text[: span.start])
    inside = utf16_length(document.text[span.start : span.end])
    return f"{escape(document.id)} {before} {before + inside}"
