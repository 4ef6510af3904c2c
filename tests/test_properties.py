"""What holds of any text and any sequence of changes, sought by hypothesis among hostile ones."""

import shutil
import tempfile
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rag.answer.particulars import known, particulars
from rag.answer.pipeline import Pipeline
from rag.errors import ArticleChatError, CollectionError, DocumentError
from rag.ingest.documents import document_from_text
from rag.library.collections import Library
from rag.library.index import Chunking, PassageIndex
from rag.sentences import split_sentences
from rag.settings import Settings
from rag.types import Document
from ui.exchanges import Exchange
from ui.rendering import escape, exchange_html

NAME = "mine"
texts = st.one_of(
    st.text(min_size=1, max_size=300),
    st.lists(
        st.sampled_from(
            [
                "The ferry was late.",
                "Dr. Lindt paid 40 million",
                "(sic)",
                "\n\n",
                "١٢٣",
                "e\u0301",
                "\u202e",
                "😀",
                "\r\n",
                "…",
            ]
        ),
        min_size=1,
        max_size=40,
    ).map(" ".join),
)


def as_document(text: str, title: str = "A title") -> Document:
    """The text as an article, if it is one."""
    try:
        return document_from_text(text, title, Settings())
    except DocumentError:
        assume(False)
        raise


@given(texts)
def test_sentences_hold_every_character_once_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(text[span.start : span.end].strip() == text[span.start : span.end] != "" for span in spans)
    outside = set(range(len(text))) - {place for span in spans for place in range(span.start, span.end)}
    assert not "".join(text[place] for place in outside).strip()


@given(texts)
def test_the_places_of_an_index_are_those_of_its_text(text: str) -> None:
    document = as_document(text)
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    for passage in index.passages:
        assert passage.text == document.text[passage.span.start : passage.span.end]
        assert all(passage.span.contains(sentence) for sentence in passage.sentences)
    assert set(index.sentences[document.id]) == {s for passage in index.passages for s in passage.sentences}


FACTS = (
    "Clara Lindt founded the maritime museum in 1911. The museum moved to Basel after the war. Otto Brandt paid 40 "
    "crowns for the museum."
)
others = st.sampled_from(
    ["Zug", "Maria", "1950", "seven", "Otto Brandt", "40", "Basel", "not", "3.5", "<b>", "who", "1911."]
)
drafts = st.lists(
    st.builds(
        lambda sentence, change, place: " ".join([*sentence[:place], *change, *sentence[place + len(change) :]]),
        st.sampled_from([sentence.split() for sentence in FACTS.split(". ")]),
        st.lists(others, max_size=2),
        st.integers(0, 9),
    ).map(lambda sentence: sentence.rstrip(".") + "."),
    min_size=1,
    max_size=2,
)
questions = st.sampled_from(
    ["Who founded the museum?", "Who moved to Basel?", "What did Maria pay?", "the museum in 1950?"]
)


def test_what_is_written_has_no_name_or_number_that_its_quotes_and_the_question_lack() -> None:
    document = as_document(FACTS)
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    written, refused = [], []

    @given(drafts, questions)
    def holds(drafted: list[str], question: str) -> None:
        model = ScriptedModel([" ".join(drafted)] * 4, reads=True)
        answer = Pipeline(
            index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=Settings(llm="none")
        ).answer(question)
        quotes = {citation.number: citation.quote for citation in answer.citations}
        assert all(document.text[c.start : c.end] == c.quote for c in answer.citations)
        assert answer.abstained == (not answer.statements) == (not answer.citations)
        (refused if answer.abstained else written).append(answer)
        for statement in answer.statements:
            cited = [quotes[number] for number in statement.citations]
            assert cited
            assert particulars(statement.text) <= known([*cited, answer.standalone_question])

    holds()
    assert len([answer for answer in written if not answer.statements[0].verbatim]) > 10
    assert refused


class Markup(HTMLParser):
    """Collects the tags and attributes of a piece of HTML, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


TAGS = set("div p span fieldset legend button input details summary blockquote strong table tr td th".split())
pieces = st.sampled_from(
    ["<script>", "</p>", "<img src=x onerror=a>", "](javascript:a)", "![x](http://e/)", "\n\n#", "`", "**", "&lt;",
     "&#60;", "'", '"', "${a}", "{{a}}", "$$", "<!--", "]]>", "\x00", "\u2028", "\u202e", "Lindt", "1911",
     "</fieldset>", "\n- "]
)  # fmt: skip
hostile = st.lists(st.one_of(pieces, st.text(max_size=5)), min_size=1, max_size=30).map("".join)


@given(hostile, hostile, hostile)
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_no_text_becomes_markup(text: str, title: str, question: str) -> None:
    assert Markup(f"<p>{escape(text)}</p>").tags == {"p"}
    assert not set(escape(text)) & set("<>\"'`*_[]()!\\${}~|\t\n")
    document = as_document(text, title)
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=Chunking(40, 15))
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=Settings(llm="none"))
    try:
        answer = pipeline.answer(question)
    except ArticleChatError:
        assume(False)
        raise
    shown = Markup(exchange_html(Exchange(answer), index.documents))
    plain = Markup(exchange_html(Exchange(pipeline.answer("Lindt 1911?")), index.documents))
    assert shown.tags | plain.tags <= TAGS
    assert not [name for name in shown.attributes | plain.attributes if name.startswith(("on", "src", "href", "style"))]


class ChangingCollection(RuleBasedStateMachine):
    """A collection on the disk beside a dictionary of what it should hold, searched beside a plain dot product."""

    sources = st.sampled_from(["a.txt", "b.txt", "dir/a.txt", "Ä.md"])

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.embedder = FakeEmbedder()
        self.should: dict[str, str] = {}

    @initialize()
    def begin(self) -> None:
        self.library = Library(Settings(home=self.home, llm="none"), self.embedder)

    @rule(source=sources, text=texts)
    def put(self, source: str, text: str) -> None:
        document = as_document(text)
        change = self.library.put([Document(document.id, source, document.text, source)], NAME)
        before = self.should.get(source)
        expected = "added" if before is None else "unchanged" if before == document.text else "updated"
        assert [name for name in ("added", "updated", "unchanged") if getattr(change, name)] == [expected]
        self.should[source] = document.text

    @precondition(lambda self: self.should)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        documents = self.library.open(NAME).documents.values()
        gone = data.draw(st.sampled_from(sorted(documents, key=lambda document: document.source)))
        self.library.remove(NAME, gone.id)
        del self.should[gone.source]

    @rule()
    def start_again(self) -> None:
        self.library = Library(Settings(home=self.home, llm="none"), self.embedder)

    @invariant()
    def holds_what_it_should(self) -> None:
        if not self.should:
            with pytest.raises(CollectionError):
                self.library.open(NAME)
            return
        index = self.library.open(NAME)
        assert {d.source: d.text for d in index.documents.values()} == self.should
        left = [path.name for path in (self.home / "indexes" / NAME).iterdir()]
        assert len(left) == 2, left  # the manifest and one generation
        question = "Was the ferry late?"
        exact = self.embedder.embed([p.text for p in index.passages]) @ self.embedder.embed([question], query=True)[0]
        found = index.search_dense(question, 5)
        np.testing.assert_allclose([score for _, score in found], np.sort(exact)[::-1][:5], atol=1e-5)
        np.testing.assert_allclose([exact[row] for row, _ in found], [score for _, score in found], atol=1e-5)

    def teardown(self) -> None:
        shutil.rmtree(self.home)


TestChangingCollection = ChangingCollection.TestCase
TestChangingCollection.settings = settings(max_examples=15, stateful_step_count=12)
