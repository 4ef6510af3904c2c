"""Fixtures on a home folder of each test's own, with deterministic fakes in place of the models."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from fakes import FakeEmbedder, OverlapChecker, OverlapReader, ScriptedModel

from rag.answer.pipeline import Pipeline
from rag.library.collections import Library
from rag.library.index import Chunking, PassageIndex
from rag.settings import Settings
from rag.types import Document

# The gate looks at the same examples each time; `--hypothesis-profile=soak` at many more, and at others each time.
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.register_profile("soak", deadline=None, database=None, max_examples=3000)
hypothesis.settings.load_profile("gate")

ARTICLE = """\
The ferry to Aland was two hours late on Monday. A spokeswoman said the harbour pilot had fallen ill.

Clara Lindt founded the maritime museum in 1911. The museum moved to Basel after the war. It shows forty model ships.

Repairs to the northern dam will cost 40 million crowns. The water board borrows the money from a bank in Oslo.
"""


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No `ARTICLE_CHAT_*` and no fetched model of the developer's reaches a test; what a test sets is gone after it."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("ARTICLE_CHAT_"):
            del os.environ[name]
    monkeypatch.setattr("rag.settings.user_cache_path", lambda *_, **__: tmp_path / "cache")
    os.environ["ARTICLE_CHAT_MODEL_CACHE"] = str(tmp_path / "cache" / "models")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def article() -> Document:
    """A short article of three paragraphs."""
    return Document(id="harbour-news", title="Harbour news", text=ARTICLE, source="seeds/harbour-news.txt")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder whose `seeds/` holds the article as `harbour-news.txt`."""
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "harbour-news.txt").write_text(ARTICLE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def settings(home: Path) -> Settings:
    """The defaults in that home folder, without a language model."""
    return Settings(home=home, llm="none", threads=1)


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def model() -> ScriptedModel:
    """A language model without replies; append to `model.replies`."""
    return ScriptedModel()


@pytest.fixture
def library(settings: Settings, embedder: FakeEmbedder) -> Library:
    return Library(settings, embedder)


@pytest.fixture
def index(article: Document, embedder: FakeEmbedder) -> PassageIndex:
    """The index of the article alone, in passages of at most 40 words."""
    return PassageIndex.build([article], embedder=embedder, chunking=Chunking(40, 15))


@pytest.fixture
def pipeline(index: PassageIndex, settings: Settings, model: ScriptedModel) -> Pipeline:
    """The pipeline over that index, drafting with `model`."""
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)


@pytest.fixture
def nothing_to_collect() -> None:
    """What earlier tests left is collected now: at the bottom of a deep recursion, a warning of it would fail."""
    gc.collect()
