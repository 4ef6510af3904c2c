"""Retry, edit, copy, what the browser keeps, and exports: in a real browser, over deterministic fakes."""

import json
import re
from pathlib import Path

import pytest
from fakes import GatedModel
from pages import (
    PATIENCE,
    ask,
    begin,
    current_mark,
    open_page,
    pipeline_over,
    press,
    served,
    status_of,
    text_of,
)
from playwright.sync_api import expect

from rag import NOTHING_ELSE, Document

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

QUESTION = "Who founded the maritime museum?"
MOVED = "Where did the museum of the war move?"
KEPT = """() => Object.entries(localStorage).filter(([key]) => key.startsWith("article-chat:conversation:"))
    .map(([, value]) => JSON.parse(value).exchanges.map(({ answer }) => answer.question))"""


def group_of(page, question):
    return page.get_by_role("group", name=f"Answer to: {question}", exact=True)


def kept_by(page) -> list[list[str]]:
    return sorted(page.evaluate(KEPT))


def test_retry_answers_from_other_quotes_until_there_are_none(visit, article):
    page = visit(article)
    seen = set()
    group = ask(page, MOVED)
    while True:
        quotes = set(group.locator("blockquote").all_inner_texts())
        assert quotes
        assert not quotes & seen
        seen |= quotes
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_have_text(group.locator("blockquote").first.inner_text())
        press(page, "Retry")
        expect(group.locator("blockquote").filter(has_text=min(quotes))).to_have_count(0, timeout=PATIENCE)
        expect(group).to_have_class(re.compile("answered|abstained"), timeout=PATIENCE)
        if group.get_by_text(NOTHING_ELSE).count():
            break
    expect(status_of(page)).to_contain_text(NOTHING_ELSE)
    expect(page.get_by_role("button", name="Retry", exact=True)).to_have_count(0)
    earlier = page.get_by_role("group", name=f"Earlier answer to: {MOVED}").last
    earlier.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(earlier.locator("blockquote").first.inner_text())
    page.reload()
    expect(group.get_by_text(NOTHING_ELSE)).to_be_visible(timeout=PATIENCE)
    earlier.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(earlier.locator("blockquote").first.inner_text(), timeout=PATIENCE)


def test_the_last_question_can_be_asked_in_other_words(visit, article):
    page = visit(article)
    ask(page, "What will the repairs cost?")
    ask(page, QUESTION)
    box = page.get_by_label("Your question")
    expect(page.get_by_role("button", name="Edit", exact=True)).to_have_count(1)
    press(page, "Edit")
    expect(box).to_have_value(QUESTION)
    expect(status_of(page)).to_contain_text("Editing")
    box.press("Escape")
    expect(box).to_have_value("")
    expect(group_of(page, QUESTION)).to_be_visible()
    press(page, "Edit")
    expect(box).to_have_value(QUESTION)
    expect(box).to_be_focused()
    group = ask(page, "Where did the museum move?")
    expect(page.locator(".exchange")).to_have_count(2)
    expect(group_of(page, QUESTION)).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("moved to Basel")
    group_of(page, "What will the repairs cost?").get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("40 million")


def test_an_edit_ends_with_its_conversation(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    press(page, "Edit")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    press(page, "New conversation")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    ask(page, "What will the repairs cost?")
    ask(page, "Which bank lends it?")
    assert kept_by(page) == [["What will the repairs cost?", "Which bank lends it?"], [QUESTION]]


def test_an_edit_that_cannot_be_asked_changes_nothing(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    press(page, "Edit")
    expect(page.get_by_label("Your question")).to_have_value(QUESTION)
    page.get_by_label("Your question").fill("x" * 1001)
    press(page, "Ask")
    expect(status_of(page)).to_contain_text("1001 characters", timeout=PATIENCE)
    expect(group_of(page, QUESTION)).to_be_visible()
    ask(page, "Where did the museum move?")
    expect(page.locator(".exchange")).to_have_count(1)


def test_an_answer_is_copied_with_its_quotes(visit, article):
    page = visit(article)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, QUESTION)
    press(page, "Copy")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("“Clara Lindt founded the maritime museum in 1911.” [1]\n\n[1] “Clara Lindt founded")
    start = article.text.index("Clara Lindt")
    assert f"(Harbour news, characters {start}–{start + 48})" in copied


def test_conversations_are_kept_listed_switched_and_deleted(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    press(page, "New conversation")
    expect(page.locator(".exchange")).to_have_count(0)
    ask(page, "What will the repairs cost?")
    ask(page, "Which bank lends it?")
    expected = [["What will the repairs cost?", "Which bank lends it?"], [QUESTION]]
    assert kept_by(page) == expected
    page.reload()
    expect(page.locator(".exchange")).to_have_count(2, timeout=PATIENCE)
    menu = page.get_by_text("Conversations", exact=True)
    menu.click()
    expect(page.locator("#history li")).to_have_count(2)
    page.locator("#history").get_by_role("button", name=re.compile(re.escape(QUESTION))).first.click()
    group = group_of(page, QUESTION)
    expect(group).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".exchange")).to_have_count(1)
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("Clara Lindt")
    follow_up = ask(page, "when did she?")
    expect(follow_up.locator(".card").first).to_contain_text("1911")
    assert kept_by(page) == [expected[0], [QUESTION, "when did she?"]]
    menu.click()
    page.get_by_role("button", name="Delete: What will the repairs cost?").click()
    expect(page.locator("#history li")).to_have_count(1)
    expect(page.locator(".exchange")).to_have_count(2)
    page.keyboard.press("Escape")
    press(page, "Clear")
    expect(page.locator(".exchange")).to_have_count(0)
    assert kept_by(page) == []
    page.reload()
    expect(page.locator("#article p").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".exchange")).to_have_count(0)


FILL = """record => { for (let i = 0; i < 60; i++) localStorage.setItem("article-chat:conversation:old-" + i,
    JSON.stringify({ id: "old-" + i, time: i, stamp: "s", exchanges: [record] })) }"""
FULL = "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') } }"


def test_the_oldest_conversations_make_room_and_a_full_browser_is_said(visit, article):
    page = visit(article)
    page.evaluate(FILL, {"answer": {"question": "old?", "passages": []}, "earlier": []})
    ask(page, QUESTION)
    assert len(kept_by(page)) == 50
    assert [QUESTION] in kept_by(page)
    page.evaluate(FULL)
    ask(page, "What will the repairs cost?")
    expect(status_of(page)).to_contain_text("no room to keep")


def test_conversations_are_kept_where_the_page_is_another_computers_over_plain_http(page, visit, article):
    page.add_init_script("delete Crypto.prototype.randomUUID")  # browsers have it for secure pages only
    visit(article)
    ask(page, QUESTION)
    assert kept_by(page) == [[QUESTION]]


def test_two_tabs_that_continue_the_same_conversation_lose_nothing(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    other = page.context.new_page()
    other.goto(page.url)
    expect(group_of(other, QUESTION)).to_be_visible(timeout=PATIENCE)
    ask(other, "What will the repairs cost?")
    page.bring_to_front()
    group = ask(page, "Where did the museum move?")
    assert kept_by(page) == [[QUESTION, "What will the repairs cost?"], [QUESTION, "Where did the museum move?"]]
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("moved to Basel")
    expect(current_mark(other)).to_have_count(0)
    ask(page, "Which bank lends it?")
    assert len(kept_by(page)) == 2
    other.reload()
    expect(group_of(other, "What will the repairs cost?")).to_be_visible(timeout=PATIENCE)
    expect(group_of(other, "Which bank lends it?")).to_have_count(0)


TAMPER = """question => {
    const key = Object.keys(localStorage).find(key => key.startsWith("article-chat:conversation:"));
    const kept = JSON.parse(localStorage.getItem(key));
    const [citation] = kept.exchanges[0].answer.citations;
    citation.quote = citation.quote.replace('founded', 'sank it');
    kept.exchanges[1].answer.question = question;
    localStorage.setItem(key, JSON.stringify(kept));
}"""


def test_what_the_browser_hands_back_is_checked_against_the_article(visit, article):
    page = visit(article)
    ask(page, QUESTION)
    ask(page, "What will the repairs cost?")
    hostile = "<img src=x onerror=window.hacked=1> **cost**?"
    page.evaluate(TAMPER, hostile)
    page.reload()
    first, second = page.locator(".exchange").first, group_of(page, hostile)
    expect(first).to_contain_text("no longer stands in it", timeout=PATIENCE)
    expect(page.locator("#conversation")).not_to_contain_text("sank")
    second.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_contain_text("40 million")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#page img").count() == 0
    for broken in ("{", '{"id": "a", "exchanges": [7]}'):
        page.evaluate("broken => Object.keys(localStorage).forEach(key => localStorage.setItem(key, broken))", broken)
        page.reload()
        expect(page.locator("#article p").first).to_be_visible(timeout=PATIENCE)
    expect(ask(page, QUESTION).get_by_role("button", name="Source 1")).to_be_visible()


def test_a_conversation_is_exported_with_its_quotes_and_offsets(visit):
    text = "The *pilot* <b>said</b> the ferry 😀 was late. Nobody [1] else did."
    page = visit(Document(id="a", title="Ferry # news", text=text, source="a.txt"))
    group = ask(page, "What did the pilot say?")
    ask(page, "Which football team won?")

    def exported(name: str) -> str:
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            press(page, name)
        assert download.value.suggested_filename.startswith("Ferry-news.")
        return Path(download.value.path()).read_text(encoding="utf-8")

    answers = json.loads(exported("Export as JSON"))["answers"]
    assert [answer["question"] for answer in answers] == ["What did the pilot say?", "Which football team won?"]
    assert answers[0]["citations"]
    assert all(text[c["start"] : c["end"]] == c["quote"] for c in answers[0]["citations"])
    assert answers[1]["abstained"]
    lines = exported("Export as Markdown").split("\n")
    assert lines[0] == r"# Ferry \# news"
    assert "## What did the pilot say?" in lines
    assert r"> \[1\] “The \*pilot\* \<b\>said\</b\> the ferry 😀 was late\.”" in lines
    assert rf"> — Ferry \# news, characters 0–{text.index(' Nobody')}" in lines
    assert r"The article does not say\." in lines
    expect(group).to_be_visible()


def test_a_question_that_was_not_answered_survives_a_reload(browser, settings, article):
    model = GatedModel("never written")
    page = browser.new_page()
    with served(pipeline_over(settings, article, model=model)) as url:
        open_page(page, url)
        begin(page, QUESTION)
        expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
        expect(page.get_by_role("button", name="New conversation")).to_be_disabled()
        page.reload()
        expect(page.get_by_label("Your question")).to_have_value(QUESTION, timeout=PATIENCE)
        assert model.was_stopped.wait(PATIENCE / 1000)
        page.close()


def test_the_page_survives_the_servers_restart(browser, settings, article):
    pipeline = pipeline_over(settings, article)
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    with served(pipeline) as url:
        open_page(page, url)
        ask(page, QUESTION)
        page.get_by_label("Your question").fill("when did she?")
    gone = page.get_by_role("alert").filter(has_text="The server is not answering")
    expect(gone).to_be_visible(timeout=PATIENCE)
    press(page, "Ask")
    with served(pipeline, port=int(url.rsplit(":", 1)[1])):
        expect(gone).to_have_count(0, timeout=PATIENCE)
        expect(group_of(page, QUESTION)).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_label("Your question")).to_have_value("when did she?")
        press(page, "Ask")
        group = group_of(page, "when did she?")
        expect(group).to_have_class(re.compile("answered"), timeout=PATIENCE)
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_have_text("Clara Lindt founded the maritime museum in 1911.", timeout=PATIENCE)
        assert text_of(current_mark(page)) in article.text
    context.close()
