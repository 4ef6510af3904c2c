"""A collection that is changed while it is served, through the real library."""

from __future__ import annotations

import errno
import gc
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import GatedModel, OverlapChecker, OverlapReader

from rag.answer.background import Articles, Background
from rag.answer.pipeline import Pipeline
from rag.api.served import ServedCollection
from rag.errors import CollectionError, IndexUnreadableError
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.library.shelf import Shelf
from rag.settings import Settings
from rag.types import Document

MAY, JULY = "The mill in Ost burned down in May.", "The mill in Ost burned down in July."
WHEN = "When did the mill in Ost burn down?"
ANN = "a" * 32


@pytest.fixture
def write(library: Library, tmp_path: Path) -> Callable[..., None]:
    """Puts the text into the collection, as another process does."""

    def write(text: str, name: str = "mill") -> None:
        file = tmp_path / f"{name}.txt"
        file.write_text(text)
        library.add([file], "mine")

    return write


@pytest.fixture
def served(library: Library, settings: Settings, write: Callable[..., None]) -> ServedCollection:
    """The collection, in which the mill burned down in May."""
    write(MAY)
    return ServedCollection(over(library.open("mine"), settings), "mine", library)


def over(index: PassageIndex, settings: Settings, model: GatedModel | None = None) -> Pipeline:
    return Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), model=model, settings=settings)


def quote(pipeline: Pipeline) -> str:
    return pipeline.answer(WHEN).citations[0].quote


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_next_question_is_answered_from_the_collection_as_it_is_now(
    served: ServedCollection, write: Callable[..., None]
) -> None:
    before = served.pipeline()
    assert quote(before) == MAY
    assert served.pipeline() is before
    write(JULY)
    assert quote(served.pipeline()) == JULY
    assert served.pipeline() is served.pipeline()
    write("Seven owls.", "owls")
    assert set(served.documents) == {"mill"}  # which looks at nothing
    assert set(served.pipeline().index.documents) == {"mill", "owls"}


def test_an_answer_that_is_being_made_ends_with_the_index_that_it_began_with(
    library: Library, settings: Settings, write: Callable[..., None]
) -> None:
    write(MAY)
    model = GatedModel("The mill burned down in May.")
    served = ServedCollection(over(library.open("mine"), settings, model), "mine", library)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(served.pipeline().answer, WHEN)
        assert model.begun.wait(60)
        write(JULY)
        after = served.pipeline()
        assert after.index.documents["mill"].text == JULY
        model.gate.set()
        assert [cited.quote for cited in running.result(60).citations] == [MAY]
    assert quote(after) == JULY


def test_while_the_new_index_is_read_the_old_one_answers(
    served: ServedCollection, library: Library, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let, opened, opens = threading.Event(), threading.Event(), library.open, []

    def gated(name: str) -> PassageIndex:
        opens.append(name)
        begun.set()
        assert let.wait(60)
        return opened(name)

    monkeypatch.setattr(library, "open", gated)
    write(JULY)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(served.pipeline)
        assert begun.wait(60)
        assert quote(served.pipeline()) == MAY
        let.set()
        assert quote(first.result(60)) == JULY
    assert quote(served.pipeline()) == JULY
    assert opens == ["mine"]


def test_a_look_at_what_has_not_changed_reads_nothing(
    served: ServedCollection, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "open", None)
    monkeypatch.setattr(Path, "open", None)
    assert served.now() is served.now()


def test_where_the_new_index_is_damaged_the_old_one_answers_until_it_is_mended(
    served: ServedCollection,
    library: Library,
    settings: Settings,
    write: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(JULY)
    (text,) = (settings.indexes / "mine").glob("*/documents/mill.txt")
    text.write_text("burned")
    for _ in range(3):
        assert quote(served.pipeline()) == MAY
    (told,) = warnings(caplog)
    assert told.startswith("mine is answered from as it was before: the index in ")
    assert "\n" not in told
    library.remove("mine")
    write(JULY)
    assert quote(served.pipeline()) == JULY


def test_what_cannot_be_read_now_is_tried_again_and_told_once(
    served: ServedCollection,
    library: Library,
    write: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def busy(*_: object) -> None:
        raise IndexUnreadableError("too many open files")

    write(JULY)
    for method in ("open", "version"):
        with monkeypatch.context() as patched:
            patched.setattr(library, method, busy)
            for _ in range(2):
                assert quote(served.pipeline()) == MAY
    assert warnings(caplog) == ["mine is answered from as it was before: too many open files"]
    assert quote(served.pipeline()) == JULY


def test_a_full_disk_is_no_reason_to_stop(
    served: ServedCollection, library: Library, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(JULY)
    monkeypatch.setattr(library, "open", full)
    assert quote(served.pipeline()) == MAY


def test_a_removed_collection_is_gone_in_one_line_until_it_is_there_again(
    served: ServedCollection, library: Library, settings: Settings, write: Callable[..., None]
) -> None:
    shelf, told = Shelf(library, settings), list[tuple[str, object]]()
    served.changed = lambda before, now: told.append((before.documents["mill"].text, now))
    library.remove("mine")
    assert served.now() is None
    assert served.index() is None
    assert not served.documents
    assert told == [(MAY, None)]
    with pytest.raises(CollectionError, match=r"^the articles that could be asked here were removed;"):
        served.pipeline()
    own = shelf.add(ANN, Document("x", "Ann's", "Ann sailed to Oslo in June.", ""))
    alone = served.over(shelf.together(ANN, [own.id], served.index()))
    assert alone.answer("Who sailed to Oslo?").citations
    write(JULY)
    assert quote(served.pipeline()) == JULY
    assert len(told) == 1  # nothing was in its place


def test_between_the_look_and_the_reading_it_may_be_removed(
    served: ServedCollection, library: Library, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed_meanwhile(name: str) -> PassageIndex:
        library.remove(name)
        return Library.open(library, name)

    write(JULY)
    monkeypatch.setattr(library, "open", removed_meanwhile)
    assert served.now() is None
    assert served.now() is None


def test_a_file_in_seeds_is_followed(library: Library, settings: Settings, home: Path) -> None:
    served = ServedCollection(over(library.open(), settings), "seeds", library)
    before = served.now()
    assert served.now() is before
    (home / "seeds" / "mill.txt").write_text(MAY)
    assert quote(served.pipeline()) == MAY
    (home / "seeds" / "mill.txt").write_text(JULY)
    assert quote(served.pipeline()) == JULY
    assert served.pipeline() is served.pipeline()
    (home / "seeds" / "mill.txt").unlink()
    assert set(served.pipeline().index.documents) == {"harbour-news"}
    (home / "seeds" / "harbour-news.txt").unlink()
    assert served.now() is None


def test_the_old_index_is_let_go(served: ServedCollection, write: Callable[..., None]) -> None:
    old = weakref.ref(served.pipeline().index)
    write(JULY)
    served.now()
    gc.collect()
    assert old() is None


def test_a_choice_is_made_anew_of_what_has_changed_and_holds_nothing_of_the_rest(
    served: ServedCollection, library: Library, settings: Settings, write: Callable[..., None]
) -> None:
    write("Seven owls.", "owls")
    shelf, index = Shelf(library, settings), served.pipeline().index
    chosen = shelf.together(ANN, ["mill"], index)
    assert shelf.together(ANN, ["mill"], index) is chosen
    old = weakref.ref(index)
    del index
    write(JULY)
    assert shelf.together(ANN, ["mill"], served.index()).documents["mill"].text == JULY
    gc.collect()
    assert old() is None
    library.remove("mine")
    with pytest.raises(CollectionError):
        shelf.together(ANN, ["mill"], served.index())


def test_after_it_is_closed_it_looks_no_more(served: ServedCollection, write: Callable[..., None]) -> None:
    served.close()
    write(JULY)
    assert quote(served.pipeline()) == MAY


def test_what_never_was_on_the_disk_stays(library: Library, index: PassageIndex, settings: Settings) -> None:
    for served in (
        ServedCollection(over(index, settings), "news", library),
        ServedCollection(over(index, settings), "n"),
    ):
        assert served.pipeline().index is index


def test_the_same_texts_have_the_same_version(library: Library, write: Callable[..., None]) -> None:
    write(MAY)
    first = library.open("mine")
    write("Seven owls.", "owls")
    second = library.open("mine")
    assert second.version != first.version
    assert second.part("mill").version == first.version
    write(JULY)
    assert library.open("mine").version != second.version


def test_only_what_has_changed_is_found_out_anew(
    served: ServedCollection, settings: Settings, write: Callable[..., None]
) -> None:
    write("Seven owls.", "owls")
    whole = served.pipeline()
    found: Background[str] = Background("test", lambda articles, pipeline: found.note(articles, "found"), "")
    mill, owls = (whole.over(whole.index.part(name)) for name in ("mill", "owls"))
    for pipeline in (whole, mill, owls):
        found.of(pipeline)
    found._worker.submit(lambda: None).result(60)
    write(JULY)
    now = served.pipeline()
    found.renew(whole.index, now.index)
    assert [found.of(pipeline) for pipeline in (owls, whole, mill)] == ["found", "", ""]
    assert Articles.of(now) != Articles.of(whole)
    found.stop()
