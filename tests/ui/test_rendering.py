import html
import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rag import NO_ANSWER, NOTHING_ELSE, Answer, Citation, Document, Passage, RetrievedPassage, Span, Statement
from ui.exchanges import Conversation, Exchange
from ui.rendering import (
    OUTDATED,
    UNREADABLE,
    conversation_html,
    escape,
    exchange_html,
    introduction_html,
    place,
)

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> ![i](http://evil.example/i.png) [l](javascript:alert(3)) "
    "${alert(4)} {{x}} $\\frac{1}{2}$ `code` **bold** </fieldset></p>\"'\t\x0b\x85\u2028\u202e\n\n# heading\n\n- item"
)


PASSAGES = (RetrievedPassage(Passage("harbour", Span(0, 9), "The ferry"), 0.4),)


class Shown(HTMLParser):
    """Collects the text, the tags and the attributes of a piece of HTML as a browser would read them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def document(text: str) -> Document:
    return Document(id="harbour", title="Harbour <b>news</b>", text=text, source="harbour.txt")


def citation(doc: Document, quote: str, number: int = 1, highlight: str | None = None) -> Citation:
    start = doc.text.index(quote)
    inner = None
    if highlight is not None:
        at = start + quote.index(highlight)
        inner = Span(at, at + len(highlight))
    return Citation(number, doc.id, doc.title, start, start + len(quote), quote, 0.5, inner)


def answer(question: str, text: str, *citations: Citation, **fields) -> Answer:
    """An answer of one statement that cites [1], or none where there is no text."""
    statements = (Statement(text, (1,), fields.pop("verbatim", False)),) if text else ()
    return Answer(question, question, statements, citations=citations, **fields)


def refused(refusal: str = NO_ANSWER, question: str = "cost?", **fields) -> Answer:
    return Answer(question, question, refusal=refusal, **fields)


def shown(exchange: Exchange, doc: Document) -> Shown:
    return Shown(exchange_html(exchange, {doc.id: doc}))


@pytest.mark.parametrize("text", [HOSTILE, "", "plain words", "cafe\u0301 😀 \u200d é"])
def test_escaped_text_is_one_line_that_reads_as_the_text(text):
    escaped = escape(text)
    assert html.unescape(escaped) == text
    assert not set(escaped) & set("<>\"'`*_[]()$\\{}\n\t")


def test_everything_of_an_exchange_is_text_whatever_it_says():
    doc = document(f"Before. {HOSTILE} After.")
    cited = citation(doc, HOSTILE, highlight="**bold**")
    hostile = answer(HOSTILE, HOSTILE, cited, model={"llm": HOSTILE}, timings_ms={"write": 1.0})
    rendered = exchange_html(Exchange(hostile, earlier=(hostile,)), {doc.id: doc})
    assert "\n" not in rendered
    result = Shown(rendered)
    assert {tag for tag, _ in result.tags} == {
        "div", "p", "span", "fieldset", "legend", "button", "blockquote", "strong", "input", "details", "summary",
        "table", "tr", "th", "td",
    }  # fmt: skip
    allowed = {"class", "role", "type", "name", "value", "title", "aria-pressed"}
    assert all(set(attributes) <= allowed for _, attributes in result.tags)
    # The question, the group's name, the answer and its card, the model; the group's name, answer and card before it.
    assert result.text.count(HOSTILE) == 8
    (kept,) = [json.loads(a["value"]) for tag, a in result.tags if tag == "input" and a["name"] == "record"]
    assert kept["answer"] == kept["earlier"][0] == hostile.to_json()


def test_the_group_is_named_after_the_question_and_holds_its_sources():
    doc = document("The ferry was late. The pilot had fallen ill.")
    rendered = shown(Exchange(answer("why?", "Ill.", citation(doc, "The pilot had fallen ill."))), doc)
    assert ("fieldset", {"role": "group", "class": "answer answered"}) in rendered.tags
    assert "Answer to: why?" in rendered.text
    assert rendered.text.count("Source 1") == 1
    assert rendered.text.count("Quote 1") == 1


def test_a_quote_that_the_text_does_not_cite_has_its_source_button_in_its_card():
    doc = document("The ferry was late. The pilot had fallen ill.")
    two = (citation(doc, "The ferry was late."), citation(doc, "The pilot had fallen ill.", 2))
    assert "Source 2" in shown(Exchange(answer("why?", "Late.", *two)), doc).text
    running = shown(Exchange(answer("why?", "", *two), running=True), doc)
    assert "Source 1" in running.text
    assert "Source 2" in running.text


def test_a_card_has_what_is_kept_of_its_quote_when_that_is_pinned():
    doc = document(f"{'😀' * 40}The ferry was late.{HOSTILE}")
    exchange = Exchange(answer("why?", "Late.", citation(doc, "The ferry was late.")))
    (button,) = [a for tag, a in shown(exchange, doc).tags if a.get("class") == "pin"]
    assert button["aria-pressed"] == "false"
    kept = json.loads(button["value"])
    assert (kept["question"], kept["document_id"], kept["title"], kept["place"]) == ("why?", doc.id, doc.title, None)
    assert doc.text[kept["start"] : kept["end"]] == kept["quote"] == "The ferry was late."
    assert (kept["prefix"], kept["suffix"]) == ("😀" * 32, HOSTILE[:32])
    (button,) = [a for tag, a in Shown(exchange_html(exchange, {})).tags if a.get("class") == "pin"]
    assert json.loads(button["value"]) == {**kept, "prefix": "", "suffix": ""}


def test_a_marker_of_the_articles_own_is_text_and_no_button():
    doc = document("The museum [2] was founded in 1911. A bank paid for it.")
    cited = (citation(doc, "The museum [2] was founded in 1911."), citation(doc, "A bank paid for it.", 2))
    rendered = exchange_html(Exchange(answer("when?", cited[0].quote, *cited, verbatim=True)), {doc.id: doc})
    paragraph = Shown(re.search('<p class="text">.*?</p>', rendered)[0])
    assert paragraph.text == "“The museum [2] was founded in 1911.” Source 1"
    assert [tag for tag, _ in paragraph.tags] == ["p", "button", "span"]


def test_a_statement_has_a_button_for_each_of_its_citations():
    doc = document("The ferry was late. The pilot had fallen ill.")
    cited = (citation(doc, "The ferry was late."), citation(doc, "The pilot had fallen ill.", 2))
    both = Answer("why?", "why?", (Statement("The pilot was ill, so it was late.", (2, 1)),), citations=cited)
    text = shown(Exchange(both), doc).text
    assert "so it was late. Source 2Source 1" in text
    assert text.count("Quote") == 2


def test_the_short_answer_is_bold_and_the_quote_complete():
    doc = document("The museum was founded in 1911 by Clara 😀 Lindt.")
    cited = citation(doc, doc.text, highlight="Clara 😀 Lindt")
    rendered = exchange_html(Exchange(answer("who?", "", cited)), {doc.id: doc})
    assert "<strong>Clara 😀 Lindt</strong>" in rendered
    assert doc.text in Shown(rendered).text


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("It was 1911 <b>.", ["1911"]),
        ("1911 it was, not 1912 or 1911.", []),
        ("In nineteen eleven.", []),
    ],
)
def test_the_answer_has_the_words_that_answer_in_bold_where_they_stand_once(text, bold):
    doc = document("It was 1911 <b>.")
    shown_answer = answer("when?", text, citation(doc, "It was"), short_answer="1911")
    rendered = exchange_html(Exchange(shown_answer), {doc.id: doc})
    assert re.findall("<strong>(.*?)</strong>", rendered) == bold
    assert text in Shown(rendered).text


@pytest.mark.parametrize("before", ["", "plain ", "😀🏴‍☠️ ", unicodedata.normalize("NFC", "cafe\u0301 \u1e9b\u0323 ")])
def test_offsets_count_utf16_units_as_the_script_does(before):
    doc = document(f"{before}the 😀 quote, and after")
    rendered = shown(Exchange(answer("what?", "", citation(doc, "the 😀 quote"))), doc)
    value = next(attributes["value"] for tag, attributes in rendered.tags if tag == "button")
    name, start, end = value.split()
    units = doc.text.encode("utf-16-le")
    assert name == doc.id
    assert units[2 * int(start) : 2 * int(end)].decode("utf-16-le") == "the 😀 quote"


def test_an_abstention_looks_different_and_offers_passages_as_such():
    doc = document("The ferry was late.")
    rendered = shown(Exchange(refused(passages=PASSAGES)), doc)
    assert ("fieldset", {"role": "group", "class": "answer abstained"}) in rendered.tags
    assert "details" in [tag for tag, _ in rendered.tags]
    assert "Passage 1" in rendered.text
    assert "Source" not in rendered.text


def test_exchanges_are_blocks_of_their_own():
    doc = document("The ferry was late.")
    two = (Exchange(answer("one?", "")), Exchange(answer("two?", ""), running=True))
    blocks = conversation_html(Conversation("abc", two, version="1f"), {doc.id: doc}).split("\n\n")
    assert len(blocks) == 3
    assert Shown(blocks[0]).tags == [
        ("input", {"type": "hidden", "name": "conversation", "value": "abc"}),
        ("input", {"type": "hidden", "name": "article", "value": ""}),
        ("input", {"type": "hidden", "name": "version", "value": "1f"}),
    ]
    assert len(conversation_html(Conversation(), {doc.id: doc}).split("\n\n")) == 1


def test_only_a_complete_exchange_can_be_kept_copied_and_tried_again():
    doc = document("The ferry was late.")
    one = answer("why?", "Late.", citation(doc, "The ferry was late."))
    buttons = [a["value"] for tag, a in shown(Exchange(one), doc).tags if tag == "button"][3:]
    assert buttons == ["copy", "retry", "edit"]
    running = shown(Exchange(one, running=True), doc)
    assert [a.get("name") for tag, a in running.tags if tag == "input"] == ["passages"]
    assert "Retry" not in running.text
    assert "Retry" not in shown(Exchange(refused()), doc).text


def test_how_it_was_answered_is_told_on_demand():
    doc = document("The ferry was late.")
    timings = {"retrieve": 12.3, "read": 345.6, "total": 1357.9}
    rendered = shown(Exchange(refused(question="why?", timings_ms=timings, model={"reader": "r1"})), doc)
    assert "How this was answeredsearch0.01 sread0.35 sr1in all1.36 s" in rendered.text


def test_who_stood_in_for_a_model_server_is_said_with_the_answer():
    doc = document("The ferry was late.")
    failed = "the model server http://localhost:8080/v1 does not answer (<refused>)"
    told = {"llm": "SmolLM2", "instead_of": failed}
    one = answer("why?", "Late.", citation(doc, "The ferry was late."), model=told)
    assert f"T{failed[1:]}: SmolLM2 stood in for it." in shown(Exchange(one), doc).text
    none = shown(Exchange(replace(one, model={**told, "llm": "none"})), doc)
    assert f"T{failed[1:]}: so only quotes are shown." in none.text
    assert "stood in" not in shown(Exchange(replace(one, model={"llm": "SmolLM2"})), doc).text


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (["Harbour"], None),
        (["Harbour", "O<b>wls</b>"], "No quote is from “O<b>wls</b>”. Ask it alone to see what it says."),
        (["Owls", "Harbour", "Toads"], "No quote is from “Owls”, “Toads”. Ask one alone to see what it says."),
        (["Harbour", "A", "B", "C", "D", "E"], None),
    ],
)
def test_of_a_few_articles_those_that_no_quote_is_from_are_named(chosen, line):
    documents = {title: Document(title, title, "The pilot had fallen ill.", f"{title}.txt") for title in chosen}
    quoted = answer("why?", "Ill.", citation(documents["Harbour"], "fallen ill"))

    def unquoted(exchange: Exchange) -> list[str]:
        rendered = exchange_html(exchange, documents)
        return [Shown(part).text for part in re.findall(r'<p class="unquoted">.*?</p>', rendered)]

    assert unquoted(Exchange(quoted)) == [line] * (line is not None)
    assert unquoted(Exchange(quoted, running=True)) == []
    assert unquoted(Exchange(refused())) == []


def test_a_quote_is_folded_where_the_text_above_says_it():
    doc = document("The ferry was late. The pilot had fallen ill.")
    cards = [citation(doc, "The pilot had fallen ill."), citation(doc, "The ferry was late.", 2)]
    for verbatim, folded in ((True, [True, False]), (False, [True, True])):
        rendered = shown(Exchange(answer("why?", "The pilot had fallen ill.", *cards, verbatim=verbatim)), doc)
        classes = [a["class"].split() for tag, a in rendered.tags if tag == "div" and "card" in a["class"].split()]
        assert ["folded" in names for names in classes] == folded


def test_earlier_answers_are_folded_and_named_so():
    doc = document("The ferry was late. The pilot had fallen ill.")
    first = answer("why?", "Late.", citation(doc, "The ferry was late."))
    second = answer("why?", "Ill.", citation(doc, "The pilot had fallen ill."))
    rendered = shown(Exchange(second, (first,)), doc)
    assert rendered.text.index("Answer to: why?") < rendered.text.index("Earlier answer to: why?")
    nothing = refused(NOTHING_ELSE, passages=PASSAGES)
    tags = shown(Exchange(nothing, (first,)), doc).tags
    assert ("details", {"open": None}) in tags
    assert "What the article does say nearby" not in shown(Exchange(nothing, (first,)), doc).text


def test_what_no_longer_matches_the_article_is_said():
    doc = document("The ferry was late.")
    assert OUTDATED in shown(Exchange(answer("why?", ""), outdated=True), doc).text
    assert OUTDATED not in shown(Exchange(answer("why?", "")), doc).text


def test_passages_are_places_for_the_script():
    doc = document("😀 The ferry was late.")
    tags = shown(Exchange(refused(passages=PASSAGES)), doc).tags
    assert [a["value"] for tag, a in tags if tag == "input" and a["name"] == "passages"] == ["harbour 0 10"]


def test_the_introduction_has_the_title_as_text():
    assert Shown(introduction_html(["Harbour <b>news</b>"])).text.startswith("Harbour <b>news</b>")
    assert "and 2 more" in introduction_html(["A", "B", "C"])


def test_a_place_is_said_in_per_cent_and_characters():
    assert place(Span(1000, 1200), None, document("x" * 4000)) == "25 % in · characters 1,000–1,200"
    assert place(Span(1000, 1200), "page 3", document("x" * 4000)) == "page 3 · 25 % in · characters 1,000–1,200"
    assert place(Span(1000, 1200), "page 3", None) == "page 3 · characters 1,000–1,200"


def test_a_citation_of_an_article_that_is_gone_is_no_button():
    doc = document("The ferry was late. The pilot had fallen ill.")
    one = answer("why?", "Late.", citation(doc, "The ferry was late."), passages=PASSAGES)
    conversation = Conversation("abc", (Exchange(one),), article="0123456789ab", unreadable="removed")
    rendered = Shown(conversation_html(conversation, {}))
    assert ("input", {"type": "hidden", "name": "removed", "value": "0123456789ab"}) in rendered.tags
    assert "source" not in [a.get("class") for tag, a in rendered.tags if tag == "button"]
    assert "characters 0–19 · score 0.50" in rendered.text
    assert UNREADABLE["removed"][0] in introduction_html([], "removed")


@pytest.mark.parametrize(("quote", "bare"), [("mr kim left early", 1), ("Mr. Trump stayed", 0), ("he did, too", 0)])
def test_the_look_of_a_transcript_is_told_from_that_of_other_text(quote: str, bare: int) -> None:
    doc = document("mr kim left early and Mr. Trump stayed as he did, too")
    said = Answer("q?", "q?", statements=(Statement(quote, (1,), verbatim=True),), citations=(citation(doc, quote),))
    shown = exchange_html(Exchange(said), {doc.id: doc})
    assert (shown.count('class="quote bare"'), shown.count('class="text bare"')) == (bare, bare)


def test_of_several_articles_each_quote_names_its_own():
    doc, other = document("The ferry was late."), Document(id="owls", title="Owls", text="Seven.", source="")
    exchange = Exchange(answer("why?", "Late.", citation(doc, "The ferry was late.")))
    assert 'class="of"' not in exchange_html(exchange, {doc.id: doc})
    both = Shown(exchange_html(exchange, {doc.id: doc, other.id: other}))
    assert "1Harbour <b>news</b>The ferry was late.Harbour <b>news</b> · 0 % in" in both.text
    assert "these 2 articles" in introduction_html(["A", "B"])
    for unreadable in UNREADABLE:
        assert "One of these articles" in introduction_html([], unreadable, several=True)


def test_what_can_be_asked_next_is_a_group_of_buttons_that_are_text():
    doc = document("The ferry was late.")
    rendered = shown(Exchange(refused(), next=("When?", HOSTILE)), doc)
    assert [tag for tag, _ in rendered.tags[-4:]] == ["legend", "button", "button", "input"]
    assert "Ask nextWhen?" + HOSTILE in rendered.text
    assert "Ask next" not in shown(Exchange(refused()), doc).text
