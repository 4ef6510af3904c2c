"""The page in a real browser, over deterministic fakes."""

import re
import threading

import pytest
from fakes import GatedModel
from pages import (
    PATIENCE,
    FixedReader,
    ask,
    begin,
    current_mark,
    open_page,
    pipeline_over,
    served,
    status_of,
    text_of,
)
from playwright.sync_api import expect

from rag import NO_ANSWER, Document
from rag.answer.examples import Examples

# Gradio's own statistics, kept after a few answers, use what pandas has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

QUOTE = "A spokeswoman said the harbour pilot had fallen ill."
HOSTILE = """\
Harbour <script>window.hacked = 1</script> report begins here.

The pilot said <img src="http://evil.example/a.png" onerror="window.hacked = 2"> ![x](http://evil.example/b.png) twice.

Costs were ${window.hacked=3} and $\\frac{1}{2}$ [link](javascript:window.hacked=4) <iframe src="http://evil.example"></iframe>.
"""


@pytest.fixture
def long_article() -> Document:
    """So long that a quote near its end is out of sight."""
    filler = "\n\n".join(f"Paragraph {i} tells of nothing but rain over the grey sea." * 3 for i in range(60))
    text = f"Opening words 😀.\n\n{filler}\n\nThe café keeper 😀 Zoë counted seventeen lighthouses.\n\n{filler}"
    return Document(id="long", title="A long article", text=text, source="long.txt")


def test_a_newcomer_sees_what_this_is_about(visit, article):
    page = visit(article)
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour news")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page).to_have_title("Harbour news · article-chat")
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_disabled()
    expect(stop).to_have_css("opacity", "0")
    expect(page.locator("#introduction .about")).to_contain_text("where the article does not say, you are told so")
    assert "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)")) == article.text


def test_the_conversation_has_the_room_once_there_is_one(visit, article):
    page = visit(article)
    box, frame = page.locator("#ask"), page.locator("#chat")

    def room_below() -> float:
        return frame.bounding_box()["height"] - box.bounding_box()["y"] - box.bounding_box()["height"]

    only_then = [page.get_by_text(name, exact=True) for name in ("New conversation", "Export", "Clear")]
    for button in only_then:
        expect(button).to_be_hidden()
    expect(page.get_by_text("Conversations", exact=True)).to_be_visible()
    assert room_below() > 100
    ask(page, "Who founded the maritime museum?")
    for button in only_then:
        expect(button).to_be_visible()
    expect(page.locator("#introduction .about")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert room_below() < 20
    page.get_by_text("Clear", exact=True).click()
    expect(page.locator("#introduction .about")).to_be_visible(timeout=PATIENCE)
    expect(only_then[0]).to_be_hidden()


def test_an_answer_streams_and_its_quotes_come_first(visit, article):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    page = visit(article, model=model)
    group = begin(page, "Who founded the maritime museum?")
    expect(group.get_by_role("button", name="Source 1")).to_be_visible(timeout=PATIENCE)
    expect(group.locator(".card").first).to_contain_text("Clara Lindt founded")
    expect(group.locator(".text")).to_have_count(0)
    expect(status_of(page)).to_contain_text("Writing")
    model.gate.set()
    expect(group.locator(".text")).to_have_text("Clara Lindt founded the maritime museum. Source 1", timeout=PATIENCE)
    expect(status_of(page)).to_contain_text("Answered", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()


def test_a_citation_scrolls_to_its_quote_code_point_for_code_point(visit, long_article):
    page = visit(long_article)
    group = ask(page, "Who counted seventeen lighthouses?")
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
    assert text_of(current_mark(page)) == "The café keeper 😀 Zoë counted seventeen lighthouses."
    expect(current_mark(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(group.get_by_role("button", name="Source 1")).to_be_focused()
    page.locator("#article").evaluate("node => node.scrollTo(0, 0)")
    expect(current_mark(page)).not_to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)


def test_other_quotes_are_marked_without_being_current(visit, article):
    page = visit(article)
    group = ask(page, "Where did the museum of the war move?")
    sources = group.get_by_role("button", name=re.compile("^Source"))
    assert sources.count() > 1
    for number in range(1, sources.count() + 1):
        group.get_by_role("button", name=f"Source {number}", exact=True).click()
        expect(current_mark(page)).to_have_count(1)
        expect(current_mark(page)).to_have_text(group.locator("blockquote").nth(number - 1).inner_text())
        assert page.locator("#article mark:not([aria-current])").count() > 0
    assert "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)")) == article.text


def test_marks_belong_to_the_answer_whose_citation_was_clicked(visit, article):
    page = visit(article)
    first = ask(page, "What did the spokeswoman say about the harbour pilot?")
    second = ask(page, "Who founded the maritime museum?")
    second.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("Clara Lindt")
    first.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(QUOTE)


def test_quotes_may_overlap_and_cross_paragraphs(visit, article):
    ranges = [(10, 140), (90, 200), (20, 30)]
    page = visit(article, reader=FixedReader(*ranges))
    group = ask(page, "When was the ferry late?")
    for number, (start, end) in [*enumerate(ranges, 1), (1, ranges[0])]:
        group.get_by_role("button", name=f"Source {number}", exact=True).click()
        expect(current_mark(page)).to_have_text(article.text[start:end], timeout=PATIENCE)
        expect(current_mark(page)).to_have_count(1)
        assert text_of(current_mark(page)) == article.text[start:end]
        assert "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)")) == article.text


def test_stop_ends_the_model_and_shows_the_quote(visit, article):
    model = GatedModel("never written")
    page = visit(article, model=model)
    group = begin(page, "Who founded the maritime museum?")
    expect(page.get_by_role("button", name="Stop")).to_be_enabled(timeout=PATIENCE)
    expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
    page.get_by_role("button", name="Stop").click()
    expect(status_of(page)).to_contain_text("Stopped", timeout=PATIENCE)
    assert model.was_stopped.is_set()
    expect(group.locator(".text")).to_contain_text("Clara Lindt founded")
    model.gate.set()
    expect(ask(page, "What will the repairs cost?").get_by_role("button", name="Source 1")).to_be_visible()


def test_what_the_article_does_not_say_is_said_and_nearby_passages_are_folded(visit, article):
    page = visit(article)
    group = ask(page, "Which football team won the championship?")
    expect(group).to_have_class(re.compile("abstained"))
    expect(group.get_by_text(NO_ANSWER)).to_be_visible()
    expect(status_of(page)).to_contain_text(NO_ANSWER)
    expect(group.get_by_role("button", name=re.compile("^Source"))).to_have_count(0)
    passage = group.get_by_role("button", name="Passage 1", include_hidden=True)
    expect(passage).to_be_hidden()
    group.get_by_text("What the article does say nearby").click()
    passage.click()
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)


def test_a_follow_up_is_understood_from_the_history(visit, article):
    page = visit(article)
    ask(page, "Who founded the maritime museum?")
    group = ask(page, "when did she?")
    expect(group.locator(".card").first).to_contain_text("Clara Lindt founded the maritime museum in 1911.")
    expect(page.locator(".exchange")).to_have_count(2)
    for number in range(4):
        group = ask(page, f"Who founded the maritime museum number {number}?")
        expect(group.locator(".card").last).to_be_in_viewport(ratio=1)


def test_a_question_that_cannot_be_asked_stays_in_the_box(visit, article):
    page = visit(article)
    page.get_by_label("Your question").fill("x" * 1001)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(status_of(page)).to_contain_text("The question has 1001 characters", timeout=PATIENCE)
    expect(page.get_by_label("Your question")).to_have_value("x" * 1001)
    expect(page.locator(".exchange")).to_have_count(0)


def test_an_article_full_of_code_is_text_and_loads_nothing(visit):
    hostile = Document(
        id="hostile", title="</script><script>window.hacked=5</script><b>x", text=HOSTILE, source="h.txt"
    )
    page = visit(hostile)
    foreign = []
    page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None)
    for question in (
        "What did the pilot say twice?",
        "What were the costs?",
        "pilot <img src=x onerror=alert(1)> twice",
    ):
        group = ask(page, question)
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
        assert text_of(current_mark(page)) in HOSTILE
    expect(page.get_by_role("heading", level=1)).to_have_text("</script><script>window.hacked=5</script><b>x")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#page :is(img, iframe, script, a, .katex)").count() == 0
    assert "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)")) == HOSTILE
    assert foreign == []


def test_examples_appear_when_they_are_found_and_can_be_clicked(page, settings, article):
    text = "Ms Okafor said the dam was safe. Mr Lund said the bridge was closed."
    doc = Document(id="a", title="A", text=text, source="a.txt")
    pipeline = pipeline_over(settings, doc)
    waits = threading.Event()
    with served(pipeline, Examples(busy=lambda: not waits.is_set())) as url:
        open_page(page, url)
        expect(page.locator("#questions button")).to_have_count(0)
        waits.set()
        page.get_by_role("button", name="What did Ms Okafor say?").click()
        group = page.get_by_role("group", name="Answer to: What did Ms Okafor say?")
        expect(group.locator(".card").first).to_contain_text("Ms Okafor said the dam was safe.", timeout=PATIENCE)
        expect(page.locator("#questions")).to_be_hidden()


def test_two_articles_are_each_shown_when_cited(visit, article):
    other = Document(id="other", title="Other", text="Seventeen owls nest in the tower.", source="o.txt")
    page = visit(article, other)
    group = ask(page, "How many owls nest in the tower?")
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text("Seventeen owls nest in the tower.")
    expect(page.get_by_role("region", name="Article: Other")).to_be_visible()
