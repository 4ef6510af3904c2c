"""Bring your own article, in a real browser over deterministic fakes: add, paste, choose, remove; each owner alone."""

import json
import re
from contextlib import ExitStack
from dataclasses import replace

import pytest
from fakes import GatedEmbedder, GatedModel
from files import PAGE, PARAGRAPHS, book, nav_entry, pages, paper, zipped
from pages import (
    PATIENCE,
    FixedReader,
    ask,
    begin,
    current_mark,
    open_page,
    pipeline_over,
    press,
    serious_violations,
    served,
    shelf_in,
    status_of,
    text_of,
)
from playwright.sync_api import expect

from ui.owners import Accounts

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

OWLS = "The vault under the mill holds seven owls."
QUESTION = "How many owls does the vault under the mill hold?"
MUSEUM = "Who founded the maritime museum?"
HARBOUR = "The harbour was quiet, and nobody on the ferry said a word about the weather."
TALK = f"""\
WEBVTT

00:00:01.000 --> 00:00:03.000
{HARBOUR}

00:12:03.000 --> 00:12:05.000
Now listen.

00:12:05.000 --> 00:12:09.000
{OWLS}
"""
BOOK = book(
    *(f"<p>{HARBOUR}</p>", f"<p>{OWLS}</p>", "<p>b</p>"),
    title="Night",
    nav=nav_entry("1.xhtml", "Of &lt;b&gt;owls&lt;/b&gt; &amp; more"),
)
WEB_PAGE = PAGE.format(charset="utf-8").replace("Clara Lindt founded the maritime museum in 1911.", OWLS)
HOSTILE = """\
<p>The harbour <script>window.hacked = 1</script> report &lt;script&gt;window.hacked = 2&lt;/script&gt; begins here, and
it is long enough to be an article, with many words about the sea and the weather on it.</p>
<p>The pilot said &lt;img src="http://evil.example/a.png" onerror="window.hacked = 3"&gt; twice to the whole council.
![x](http://evil.example/b.png) [link](javascript:window.hacked=4) ${window.hacked=5} **bold**</p>
<img src="http://evil.example/c.png" onerror="window.hacked = 6"><iframe src="http://evil.example"></iframe>
"""


@pytest.fixture
def serve(settings, article):
    """Serves the article, and the visitors' own from the home folder."""
    with ExitStack() as stack:
        yield lambda *, model=None, reader=None, shelf=None, **options: stack.enter_context(
            served(
                pipeline_over(settings, article, model=model, reader=reader),
                shelf=shelf or shelf_in(settings),
                **options,
            )
        )


@pytest.fixture
def site(page, serve):
    """Opens the page, and leaves it before the server ends."""

    def site(**options):
        open_page(page, serve(**options))
        return page

    yield site
    for tab in page.context.pages:
        tab.goto("about:blank")


def add(page, data, name="owls.txt"):
    data = data if isinstance(data, bytes) else data.encode()
    page.get_by_label("Add an article").set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})


def add_owls(page):
    add(page, OWLS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Owls", timeout=PATIENCE)


def choice(page):
    return page.get_by_role("button", name=re.compile("^Choose articles: "))


def pick(page, title):
    choice(page).click()
    page.get_by_role("group", name="Articles", exact=True).get_by_role("button", name=title, exact=True).click()


def listed(page):
    return page.locator("#articles li button")


def chosen(page):
    return text_of(choice(page)).removeprefix("Choose articles: ")


def shown_text(page):
    return "".join(page.locator("#article p").evaluate_all("ps => ps.map(p => p.textContent)"))


def expect_article(page, title):
    """The title, the choice, the panel and the tab say the same."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=PATIENCE)
    expect(page.get_by_role("region", name=f"Article: {title}")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_title(f"{title} · article-chat")
    assert chosen(page) == title


def files_with(home, text):
    return [path for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_the_articles_in_a_zip_file_are_added_and_what_was_not_is_told(site):
    page = site()
    add(page, zipped({"birds/owls.txt": OWLS, "bee.md": "# The bee\n\nIt hums.", "photo.jpg": ""}), "papers.zip")
    expect(page.get_by_role("heading", level=1)).to_have_text("Owls", timeout=PATIENCE)
    expect(listed(page)).to_have_text(["Harbour news", "The bee", "Owls"])
    said = "2 articles were added. papers.zip: left out what cannot be read as an article: photo.jpg"
    expect(page.locator(".notices .message")).to_have_text(said)
    expect(status_of(page)).to_contain_text(said)
    group = ask(page, QUESTION)
    expect(group.locator(".place").first).to_contain_text("Owls · 0 % in")


@pytest.mark.parametrize(
    ("data", "name", "title", "place", "places"),
    [
        (OWLS, "the-owls.txt", "The owls", "The owls · 0 % in", []),
        (f"# About owls 😀\n\n{OWLS}", "x.md", "About owls 😀", "About owls 😀 · ", []),
        (WEB_PAGE, "saved.html", "Harbour museum reopens", "Harbour museum reopens · ", []),
        (
            *(pages(HARBOUR, f"{OWLS} They sleep.", PARAGRAPHS[2]), "night-owls.pdf", None, " · page 2 · "),
            ["page 1", "page 2", "page 3"],
        ),
        (TALK, "talk.vtt", "Talk", "Talk · at 00:12:05 · ", ["at 00:00:01", "at 00:12:03"]),
        (
            *(BOOK, "night.epub", "Night", "Night · “Of <b>owls</b> & more” · "),
            ["chapter 1", "“Of <b>owls</b> & more”"],
        ),
    ],
    ids=["txt", "md", "html", "pdf", "vtt", "epub"],
)
def test_an_article_of_each_format_is_added_and_asked(site, data, name, title, place, places):
    page = site()
    add(page, data, name)
    expect(status_of(page)).to_contain_text("was added", timeout=PATIENCE)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Harbour news", timeout=PATIENCE)
    expect_article(page, title or page.get_by_role("heading", level=1).inner_text())
    group = ask(page, QUESTION)
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
    assert text_of(current_mark(page)) == OWLS
    expect(group.locator(".place").first).to_contain_text(place)
    shown = page.locator("#article .place").evaluate_all("marks => marks.map(mark => mark.dataset.place)")
    assert shown == places


@pytest.mark.parametrize(
    ("data", "name", "line"),
    [
        (f"# About owls 😀\n{OWLS}", "x.md", "# About owls 😀"),
        (WEB_PAGE, "saved.html", "Harbour museum reopens"),
        (paper(PARAGRAPHS * 8), "paper.pdf", "Ice in the harbour"),
    ],
    ids=["md", "html", "pdf"],
)
def test_a_title_that_the_text_begins_with_is_shown_once_and_can_be_quoted(site, data, name, line):
    page = site(reader=FixedReader((line.startswith("#") * 2, len(line))))
    add(page, data, name)
    title = line.removeprefix("# ")
    expect_article(page, title)
    heading = page.get_by_role("region", name=f"Article: {title}").get_by_role("heading", level=2)
    expect(heading).to_have_text(line)
    before = shown_text(page)
    assert before.startswith(line)
    ask(page, QUESTION).get_by_role("button", name="Source 1").click()
    expect(heading.locator('mark[aria-current="true"]')).to_have_text(title)
    expect(page.locator("#article").get_by_text(title)).to_have_count(1)
    assert shown_text(page) == before


def test_pasted_text_is_an_article(site):
    page = site()
    press(page, "Paste text")
    form = page.get_by_role("form", name="Paste text")
    form.get_by_role("button", name="Add this text").click()
    expect(page.locator("#library .message")).to_have_text("The text: it is empty; there is nothing to ask about")
    form.get_by_label("Title").fill("Night <b>birds</b>")
    form.get_by_label("Text").fill(f"{OWLS}\n\n{HARBOUR}")
    form.get_by_role("button", name="Add this text").click()
    expect_article(page, "Night <b>birds</b>")
    expect(form).to_be_hidden()
    assert shown_text(page) == f"{OWLS}\n\n{HARBOUR}"
    ask(page, QUESTION).get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(OWLS)
    press(page, "Paste text")
    expect(form.get_by_label("Text")).to_have_value("")


def test_a_file_that_is_chosen_before_the_limits_are_known_is_left_to_the_server(page, serve):
    held = []

    def hold_the_first(route):
        if route.request.method == "GET" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/own/articles", hold_the_first)
    page.goto(serve())
    expect(page.get_by_label("Add an article")).to_be_attached(timeout=PATIENCE)
    add(page, OWLS, name="owls.xlsx")
    expect(page.locator("#library .message")).to_contain_text("owls.xlsx: only .txt, .md, ", timeout=PATIENCE)
    add_owls(page)
    assert held
    held[0].continue_()
    page.goto("about:blank")


def test_the_address_of_a_web_page_can_be_pasted_where_the_server_fetches_pages(site, settings):
    page = site()
    press(page, "Paste text")
    form = page.get_by_role("form", name="Paste text")
    box = form.get_by_label("Text, or the address of a web page")
    box.fill(" http://localhost:9/owls ")
    press(page, "Add this page")
    line = page.locator("#library .message")
    expect(line).to_contain_text("http://localhost:9/owls: there is no public server of that name", timeout=PATIENCE)
    box.fill("http://localhost:9/owls is no address alone")
    expect(form.get_by_role("button", name="Add this text")).to_be_visible()
    page.goto("about:blank")
    page = site(shelf=shelf_in(replace(settings, web_pages=False)))
    press(page, "Paste text")
    form.get_by_label("Text", exact=True).fill("http://localhost:9/owls")
    expect(form.get_by_role("button", name="Add this text")).to_be_visible()


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"%PDF-1.4 rubbish", "a.pdf", "a.pdf: the file is damaged, or not what its name says; "),
        (b"caf\xe9", "a.txt", "a.txt: byte 3 (0xe9) is not valid UTF-8; "),
        (b"", "<img src=x onerror=window.hacked=1>.txt", "<img src=x onerror=window.hacked=1>.txt: it is empty"),
        (b"word", "a.xlsx", "a.xlsx: only .txt, .md, "),
        (b"word " * 3000, "a.txt", "a.txt: 0.0 MB is more than the 0.01 MB allowed."),
        (b"%PDF " * 7000, "a.pdf", "a.pdf: 0.0 MB is more than the 0.02 MB allowed."),
    ],
)
def test_a_bad_file_is_told_and_changes_nothing(site, settings, home, data, name, says):
    page = site(shelf=shelf_in(replace(settings, max_document_mb=0.01, max_file_mb=0.02)))
    group = ask(page, MUSEUM)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    add(page, data, name)
    expect(page.locator("#library .message")).to_contain_text(says, timeout=PATIENCE)
    expect(status_of(page)).to_contain_text(says)
    assert page.evaluate("window.hacked") is None
    assert bool(sent) == (len(data) < 10_000 and not name.endswith("xlsx"))
    expect_article(page, "Harbour news")
    expect(group).to_be_visible()
    assert listed(page).count() == 1
    assert [path for path in (home / "indexes").rglob("*") if path.is_file()] == []
    press(page, "Close")
    expect(page.locator("#library .hint")).to_be_visible()


def test_progress_is_shown_and_announced_and_moves_nothing(site, settings):
    embedder = GatedEmbedder()
    page = site(shelf=shelf_in(settings, embedder))
    top = page.locator("#article").bounding_box()["y"]
    add(page, f"{OWLS} {HARBOUR}")
    bar = page.get_by_role("progressbar", name="Adding the article")
    expect(bar).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#library .progress")).to_contain_text("Indexing owls.txt… 0 of 1 passages", timeout=PATIENCE)
    expect(status_of(page)).to_have_text("Indexing owls.txt…")
    assert bar.evaluate("bar => bar.value / bar.max") == 0
    assert page.locator("#article").bounding_box()["y"] == top
    add(page, HARBOUR, "second.txt")  # waits until the first is there
    group = ask(page, MUSEUM)  # which is not kept waiting
    expect(group).to_have_class(re.compile("answered"))
    embedder.let.set()
    expect_article(page, "Second")
    expect(status_of(page)).to_have_text("“Second” was added. Ask about it.")
    expect(page.locator("#library .hint")).to_be_visible()
    assert listed(page).all_text_contents() == ["Harbour news", "Owls", "Second"]
    assert page.locator("#article").bounding_box()["y"] == top


def test_what_is_on_its_way_tells_its_place_and_can_be_given_up_also_after_a_reload(browser, serve, settings):
    embedder = GatedEmbedder()
    url = serve(shelf=shelf_in(settings, embedder))
    ann, bob = (browser.new_context(reduced_motion="reduce").new_page() for _ in range(2))
    for page in (ann, bob):
        open_page(page, url)
    add(ann, OWLS)
    progress = ann.locator("#library .progress")
    expect(progress).to_contain_text("Indexing owls.txt… 0 of 1 passages", timeout=PATIENCE)
    add(bob, HARBOUR, "bobs.txt")
    expect(bob.locator("#library .progress")).to_contain_text(
        "bobs.txt waits for 1 article before it…", timeout=PATIENCE
    )
    expect(status_of(bob)).to_have_text("bobs.txt waits for 1 article before it…")
    press(bob, "Stop adding")
    expect(status_of(bob)).to_have_text("bobs.txt was not added.", timeout=PATIENCE)
    expect(bob.locator("#library .hint")).to_be_visible()
    ann.reload()
    expect(progress).to_contain_text("Indexing owls.txt… 0 of 1 passages", timeout=PATIENCE)
    with ann.expect_response(lambda response: response.request.method == "DELETE"):
        press(ann, "Stop adding")
    embedder.let.set()
    expect(ann.locator("#library .hint")).to_be_visible(timeout=PATIENCE)
    for page in (ann, bob):
        expect(listed(page)).to_have_count(1)
        page.goto("about:blank")
        page.context.close()
    assert not list(settings.indexes.rglob("*.txt"))


def test_an_article_that_arrives_during_an_answer_waits_for_its_end(site):
    model = GatedModel("Clara Lindt founded the maritime museum.")
    page = site(model=model)
    group = begin(page, MUSEUM)
    expect(status_of(page)).to_contain_text("Writing", timeout=PATIENCE)
    expect(choice(page)).to_be_disabled()
    add(page, OWLS)
    expect(listed(page).filter(has_text="Owls")).to_have_count(1, timeout=PATIENCE)
    expect(status_of(page)).to_contain_text("“Owls” was added. It is shown when this answer is complete.")
    expect(group).to_have_class(re.compile("running"))
    model.gate.set()
    expect_article(page, "Owls")
    pick(page, "Harbour news")
    expect(group).to_have_class(re.compile("answered"), timeout=PATIENCE)


DROP = """([text, name]) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name));
    const target = document.getElementById("article");
    for (const type of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


def test_a_file_is_dropped_on_the_panel(site):
    page = site()
    page.evaluate(DROP, [OWLS, "owls.txt"])
    expect_article(page, "Owls")


def test_each_article_has_its_own_conversations(site):
    page = site()
    ask(page, MUSEUM)
    add_owls(page)
    expect(page.locator(".exchange")).to_have_count(0)
    ask(page, QUESTION)
    pick(page, "Harbour news")
    expect_article(page, "Harbour news")
    expect(page.get_by_role("group", name=f"Answer to: {MUSEUM}", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".exchange")).to_have_count(1)
    page.get_by_text("Conversations", exact=True).click()
    expect(page.locator("#history .date")).to_contain_text(["Owls", "Harbour news"])
    page.locator("#history .open").filter(has_text=QUESTION).click()
    expect_article(page, "Owls")
    follow_up = ask(page, "How many owls are there?")
    follow_up.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(OWLS)
    press(page, "New conversation")
    expect(page.locator(".exchange")).to_have_count(0)
    expect_article(page, "Owls")
    page.reload()
    expect_article(page, "Owls")
    expect(page.locator(".exchange")).to_have_count(0)
    for title in ("Harbour news", "Owls", "Harbour news"):  # faster than the server
        pick(page, title)
    expect_article(page, "Harbour news")
    expect(page.get_by_role("group", name=f"Answer to: {MUSEUM}", exact=True)).to_be_visible()


def test_examples_are_those_of_the_article(site):
    page = site()
    add(page, "Ms Okafor said the dam was safe. Mr Lund said the bridge was closed.", "dam.txt")
    expect_article(page, "Dam")
    page.get_by_role("button", name="What did Ms Okafor say?").click()
    group = page.get_by_role("group", name="Answer to: What did Ms Okafor say?")
    expect(group.locator("blockquote").first).to_have_text("Ms Okafor said the dam was safe.", timeout=PATIENCE)
    pick(page, "Harbour news")
    expect_article(page, "Harbour news")
    expect(page.get_by_role("button", name="What did Ms Okafor say?")).to_have_count(0)


def test_two_tabs_can_be_about_different_articles(site):
    page = site()
    add_owls(page)
    other = page.context.new_page()
    open_page(other, page.url)
    expect_article(other, "Owls")
    pick(other, "Harbour news")
    expect_article(other, "Harbour news")
    ask(other, MUSEUM)
    ask(page, QUESTION).get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(OWLS)
    for tab, title, question in ((page, "Owls", QUESTION), (other, "Harbour news", MUSEUM)):
        tab.reload()
        expect_article(tab, title)
        expect(tab.get_by_role("group", name=f"Answer to: {question}", exact=True)).to_be_visible(timeout=PATIENCE)


def test_remove_deletes_the_article_and_leaves_its_conversation_to_be_read(site, home):
    page = site()
    add_owls(page)
    ask(page, QUESTION)
    assert files_with(home, "seven owls")
    press(page, "Remove")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Remove", exact=True)).to_be_focused()
    expect_article(page, "Owls")
    press(page, "Remove")
    press(page, "Remove it")
    expect_article(page, "Harbour news")
    expect(status_of(page)).to_have_text("“Owls” was removed.")
    assert files_with(home, "seven owls") == []
    assert [path for path in (home / "indexes" / "_owners").rglob("*") if path.is_file()] == []
    assert listed(page).count() == 1
    page.get_by_text("Conversations", exact=True).click()
    expect(page.locator("#history .date")).to_contain_text("Owls (removed)")
    for _ in range(2):
        page.locator("#history .open").first.evaluate("button => button.click()")
        expect(page.get_by_role("heading", level=1)).to_have_text("This article is gone", timeout=PATIENCE)
        group = page.get_by_role("group", name=f"Answer to: {QUESTION}", exact=True)
        expect(group.locator("blockquote").first).to_have_text(OWLS)
        expect(page.locator("#article")).to_have_text("The text of this article is gone.")
        page.reload()
        expect(group.locator("blockquote").first).to_have_text(OWLS, timeout=PATIENCE)
        page.get_by_text("Conversations", exact=True).click()
        expect(page.locator("#history .open")).to_have_count(1)
    page.keyboard.press("Escape")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        press(page, "Export as Markdown")
    assert download.value.suggested_filename == "Owls.md"
    assert download.value.path().read_text().startswith("# Owls\n")
    begin_box = page.get_by_label("Your question")
    begin_box.fill("And now?")
    press(page, "Ask")
    expect(status_of(page)).to_contain_text("This article is not, or no longer, among yours")
    expect(begin_box).to_have_value("And now?")
    press(page, "New conversation")
    expect_article(page, "Harbour news")


def test_a_damaged_article_says_so_and_leads_to_its_removal(browser, serve, settings, home):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    open_page(page, serve())
    add_owls(page)
    ask(page, QUESTION)
    next(home.rglob("_owners/*/*/*/documents/*.txt")).write_text("tampered")
    page.goto(serve())  # who has just started holds no copy of it
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour news", timeout=PATIENCE)
    pick(page, "Owls")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("This article cannot be read", timeout=PATIENCE)
    expect(page.locator("#introduction")).to_contain_text("damaged on the disk: remove it, and add it again")
    expect(page.locator("#article p")).to_have_text("The text of this article cannot be read.")
    press(page, "Remove this article")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_focused()
    press(page, "Remove it")
    expect_article(page, "Harbour news")
    assert listed(page).count() == 1
    add_owls(page)
    expect(ask(page, QUESTION)).to_have_class(re.compile("answered"))
    context.close()


def test_an_article_that_another_tab_removes_is_told(site):
    page = site()
    add_owls(page)
    other = page.context.new_page()
    open_page(other, page.url)
    expect_article(other, "Owls")
    press(other, "Remove")
    press(other, "Remove it")
    expect_article(other, "Harbour news")
    page.get_by_label("Your question").fill(QUESTION)
    press(page, "Ask")
    expect(status_of(page)).to_contain_text("This article is not, or no longer, among yours", timeout=PATIENCE)
    expect(page.get_by_label("Your question")).to_have_value(QUESTION)


def test_a_reload_and_a_restart_bring_back_article_and_conversation(browser, serve, settings, article):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    with served(pipeline_over(settings, article), shelf=shelf_in(settings)) as url:
        open_page(page, url)
        add_owls(page)
        ask(page, QUESTION)
        page.reload()
        expect_article(page, "Owls")
    expect(page.get_by_role("alert").filter(has_text="The server is not answering")).to_be_visible(timeout=PATIENCE)
    serve(port=int(url.rsplit(":", 1)[1]))
    expect_article(page, "Owls")
    group = page.get_by_role("group", name=f"Answer to: {QUESTION}", exact=True)
    expect(group).to_be_visible(timeout=PATIENCE)
    group.get_by_role("button", name="Source 1").click()
    expect(current_mark(page)).to_have_text(OWLS, timeout=PATIENCE)
    expect(page.locator(".outdated")).to_have_count(0)
    context.close()


def test_two_owners_at_once_see_nothing_of_each_other(browser, site, serve):
    ann = site()
    add_owls(ann)
    group = ask(ann, QUESTION)
    expect(group.locator("blockquote").first).to_have_text(OWLS)
    article = ann.locator("#articles li input").last.input_value()
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    bob = context.new_page()
    open_page(bob, ann.url)
    assert listed(bob).count() == 1
    add(bob, f"Ravens sleep in the bell tower. {HARBOUR}", "ravens.txt")
    expect_article(bob, "Ravens")
    ask(bob, "Where do ravens sleep?")
    expect(ann.locator("#library")).not_to_contain_text("Ravens")

    for path in (f"own/articles/{article}", f"articles/{article}"):
        assert context.request.get(ann.url + path).status == 404
    assert context.request.get(f"{ann.url}examples?about={article}").json() == []
    assert context.request.delete(f"{ann.url}own/articles/{article}").status == 404
    # Gradio's own interface, with the article's id: it gives its owner the title, and others nothing.
    kept = json.dumps({"id": "x", "article": article, "exchanges": []})
    config = bob.evaluate("window.gradio_config")
    button = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "restore")
    event = next(e["id"] for e in config["dependencies"] if [button, "click"] in [list(t) for t in e["targets"]])
    for tab, sees in ((ann, True), (bob, False)):
        body = {"data": [kept], "fn_index": event, "session_hash": "anything"}
        answer = tab.context.request.post(ann.url + "gradio_api/run/predict", data=body)
        assert answer.status == 200
        assert ("<h1>Owls</h1>" in answer.text()) is sees
        assert OWLS not in answer.text()
    # The page's own hidden components, filled in by hand.
    bob.locator("#saved-conversation textarea").evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', { bubbles: true })) }", kept
    )
    bob.locator("#restore").evaluate("button => button.click()")
    expect(bob.get_by_role("heading", level=1)).to_have_text("This article is gone")
    bob.get_by_label("Your question").fill(QUESTION)
    press(bob, "Ask")
    expect(status_of(bob)).to_contain_text("not, or no longer, among yours")
    expect(bob.locator("body")).not_to_contain_text("owls.txt")
    expect(bob.locator("#conversation")).not_to_contain_text(OWLS)
    expect_article(ann, "Owls")
    bob.goto("about:blank")
    context.close()


def test_with_a_login_the_page_says_who_keeps_it(browser, serve):
    url = serve(accounts=Accounts({"ann": "a", "bob": "b"}))
    for name, password, count in (("ann", "a", 2), ("bob", "b", 1), ("ann", "a", 2)):
        context = browser.new_context(http_credentials={"username": name, "password": password})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        open_page(page, url)
        expect(page.locator("#library .hint")).to_contain_text(f"for your login, {name}, alone")
        if name == "ann":
            add_owls(page)
        assert listed(page).count() == count
        page.goto("about:blank")
        context.close()


def test_everything_is_done_with_the_keyboard(site):
    page = site()
    page.on("filechooser", lambda chooser: None)  # from the start: it is listened to before the key is pressed
    keyboard = page.keyboard
    add_owls(page)

    def tab_to(locator):
        for _ in range(60):
            keyboard.press("Tab")
            if locator.evaluate("node => node === document.activeElement"):
                return
        raise AssertionError(f"Tab does not reach {locator}")

    tab_to(choice(page))
    keyboard.press("Enter")
    keyboard.press("ArrowUp")
    keyboard.press("Enter")
    expect_article(page, "Harbour news")
    tab_to(page.get_by_label("Add an article"))
    expect(page.get_by_label("Add an article")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files({"name": "ravens.txt", "mimeType": "text/plain", "buffer": b"Ravens sleep in the tower."})
    expect_article(page, "Ravens")
    tab_to(page.get_by_role("button", name="Paste text"))
    keyboard.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    keyboard.press("Escape")
    expect(page.get_by_role("button", name="Paste text")).to_be_focused()
    keyboard.press("Enter")
    keyboard.type("Toads")
    keyboard.press("Tab")
    keyboard.type("Toads sleep under the stones of the old well.")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect_article(page, "Toads")
    tab_to(page.get_by_role("button", name="Remove", exact=True))
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_focused()
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    expect_article(page, "Harbour news")
    expect(choice(page)).to_be_focused()
    assert listed(page).all_text_contents() == ["Harbour news", "Owls", "Ravens"]


def test_axe_finds_nothing_serious(browser, serve, settings):
    embedder = GatedEmbedder()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)  # axe is put into the page
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    open_page(page, serve(shelf=shelf_in(settings, embedder)))
    serious = []

    def check(state):
        serious.extend(serious_violations(page, state))

    check("choice")
    press(page, "Paste text")
    check("paste")
    page.keyboard.press("Escape")
    add(page, b"%PDF rubbish", "a.pdf")
    expect(page.locator("#library .message")).to_be_visible(timeout=PATIENCE)
    check("failure")
    add(page, pages(f"{OWLS} {HARBOUR}", HARBOUR), "a.pdf")
    expect(page.locator("#library .progress")).to_contain_text("Indexing", timeout=PATIENCE)
    check("progress")
    embedder.let.set()
    expect(status_of(page)).to_contain_text("was added", timeout=PATIENCE)
    ask(page, QUESTION).get_by_role("button", name="Source 1").click()
    press(page, "Remove")
    check("question")
    choice(page).click()
    page.get_by_role("checkbox").first.check()
    check("list")
    page.set_viewport_size({"width": 390, "height": 844})
    check("phone")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    choice(page).click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    press(page, "Paste text")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert serious == []
    page.goto("about:blank")
    context.close()


@pytest.mark.parametrize("name", ["hostile.html", "hostile.md"])
def test_a_hostile_article_is_text_and_loads_nothing(site, name):
    title = "</script><script>window.hacked=7</script><b>x"
    data = f"<html><head><title>x</title></head><body><article><h1>{title}</h1>{HOSTILE}</article></body></html>"
    page = site()
    foreign = []
    page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None)
    add(page, data if name.endswith("html") else f"# {title}\n\n{HOSTILE}", name)
    expect(status_of(page)).to_contain_text("was added", timeout=PATIENCE)
    for question in ("What did the pilot say twice?", "pilot <img src=x onerror=window.hacked=8> **council**"):
        group = ask(page, question)
        group.get_by_role("button", name="Source 1").click()
        expect(current_mark(page)).to_be_in_viewport(timeout=PATIENCE)
        assert text_of(current_mark(page)) in shown_text(page)
    assert "onerror" in shown_text(page)
    heading = page.locator("#article").get_by_role("heading", level=2)
    expect(heading).to_contain_text(page.get_by_role("heading", level=1).inner_text())
    if name.endswith("md"):
        expect_article(page, title)
        assert shown_text(page) == f"# {title}\n\n{HOSTILE}"
    press(page, "Remove")
    press(page, "Remove it")
    expect_article(page, "Harbour news")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#page :is(img, iframe, script, a, .katex)").count() == 0
    assert foreign == []


def test_pages_stand_between_the_text_and_never_in_a_quote(site):
    ranges = [(130, 400), (20, 60), (350, 390)]  # the first one ends on page 3
    page = site(reader=FixedReader(*ranges))
    add(page, pages(*PARAGRAPHS), "a.pdf")
    expect(status_of(page)).to_contain_text("was added", timeout=PATIENCE)
    expect(page.locator("#article .place")).to_have_count(3, timeout=PATIENCE)
    text = shown_text(page)
    assert 130 < text.index("Clara Lindt") < text.index("Repairs") < 350
    group = ask(page, "When was the harbour closed?")
    for number, (start, end) in enumerate(ranges, 1):
        group.get_by_role("button", name=f"Source {number}", exact=True).click()
        expect(current_mark(page)).to_have_text(text[start:end])
        expect(current_mark(page)).to_have_count(1)
        expect(group.locator(".place").nth(number - 1)).to_contain_text(f"page {[1, 1, 3][number - 1]} ·")
        assert text_of(current_mark(page)) == text[start:end]
        assert shown_text(page) == text
        assert page.locator("#article mark .place").count() == 0
        numbers = page.locator("#article .place").evaluate_all("marks => marks.map(mark => mark.dataset.place)")
        assert numbers == ["page 1", "page 2", "page 3"]


def test_a_long_paper_shows_its_pages(site):
    page = site()
    add(page, paper(PARAGRAPHS * 8), "ice.pdf")
    expect_article(page, "Ice in the harbour")
    marks = page.locator("#article .place")
    expect(marks).to_have_count(2)
    assert marks.evaluate_all("marks => marks.map(mark => getComputedStyle(mark, '::before').content)") == [
        '"page 1"',
        '"page 2"',
    ]
