import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEmbedder, GatedEmbedder
from files import PARAGRAPHS, pages_at

import rag
from rag.errors import ArticleChatError, CollectionError, IndexDamagedError, IndexUnreadableError
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.library.shelf import OPEN_INDEXES, Shelf
from rag.models.embeddings import TextsDone
from rag.settings import Settings
from rag.types import Document, FloatArray, Place

ANN, BOB = "a" * 32, "b" * 32
SECRET = "The vault under the mill holds seven owls."


def document(text: str = SECRET, title: str = "The vault", places: tuple[Place, ...] = ()) -> Document:
    return Document("vault", title, text, "vault.pdf", places)


@pytest.fixture
def shelf(library: Library, settings: Settings) -> Shelf:
    return Shelf(library, settings)


def places(home: Path, text: str = "seven owls") -> list[Path]:
    """Every file under the home folder that has the words, in whatever encoding of ours."""
    return [path for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def files(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.is_file()}


def test_what_is_added_is_listed_opened_and_there_after_a_restart(
    shelf: Shelf, library: Library, settings: Settings
) -> None:
    told: list[tuple[int, int]] = []
    article = shelf.add(ANN, document(places=pages_at(0, 10)), lambda *done: told.append(done))
    assert told[-1] == (1, 1)
    assert (article.title, article.source, article.characters) == ("The vault", "vault.pdf", 42)
    assert article.places == pages_at(0, 10)
    second = shelf.add(ANN, document("Another text altogether.", "Another"))
    for one in (shelf, Shelf(library, settings)):
        assert one.articles(ANN) == (article, second)
        (stored,) = one.open(ANN, article.id).documents.values()
        assert stored == replace(document(places=pages_at(0, 10)), id=article.id)
    assert library.collections() == []  # the command line's collections are others


def test_owners_share_nothing(shelf: Shelf) -> None:
    article = shelf.add(ANN, document())
    assert shelf.articles(BOB) == ()
    for action in (shelf.open, shelf.remove):
        with pytest.raises(CollectionError, match="not, or no longer, among yours"):
            action(BOB, article.id)
    own = shelf.add(BOB, document())
    shelf.remove(BOB, own.id)
    assert list(shelf.open(ANN, article.id).documents) == [article.id]


@pytest.mark.parametrize("owner", ["", "..", "a" * 31, "A" * 32, "a" * 32 + "\n", "../" + "a" * 29])
def test_an_owner_is_a_key(shelf: Shelf, owner: str) -> None:
    for action in (lambda: shelf.articles(owner), lambda: shelf.add(owner, document()), lambda: shelf.open(owner, "a")):
        with pytest.raises(ValueError, match="hexadecimal"):
            action()


@pytest.mark.parametrize("article", ["", ".", "..", "../seeds", "%2e%2e", "0" * 200, "\0"])
def test_what_is_no_id_is_no_article(shelf: Shelf, library: Library, home: Path, article: str) -> None:
    library.open()
    shelf.add(ANN, document())
    before = files(home)
    for action in (shelf.open, shelf.remove):
        with pytest.raises(CollectionError, match="not, or no longer, among yours"):
            action(ANN, article)
    assert files(home) == before


def test_removing_leaves_nothing(shelf: Shelf, home: Path) -> None:
    before = files(home)
    article = shelf.add(ANN, document())
    index = shelf.open(ANN, article.id)
    assert places(home)
    shelf.remove(ANN, article.id)
    assert files(home) == before
    assert places(home) == []
    assert index.search_lexical("owls", 1)  # an answer that is being given ends undisturbed
    with pytest.raises(CollectionError):
        shelf.open(ANN, article.id)


def test_the_same_text_again_is_the_same_article(shelf: Shelf) -> None:
    article = shelf.add(ANN, document())
    assert shelf.add(ANN, document(title="Another name")) == article
    assert shelf.add(BOB, document()).id != article.id
    assert len(shelf.articles(ANN)) == 1


def test_the_nearest_duplicate_is_one_that_the_owner_added_before(shelf: Shelf, home: Path) -> None:
    text = " ".join(PARAGRAPHS)
    first, second = (shelf.add(ANN, document(one, f"{len(one)}")) for one in (text, f"{text} Nobody was surprised."))
    other = shelf.add(BOB, document(text))
    assert shelf.nearest_duplicate(ANN, second.id) == (first, 100)
    assert shelf.nearest_duplicate(ANN, first.id) is shelf.nearest_duplicate(BOB, other.id) is None
    next(home.glob(f"indexes/_owners/{ANN}/{first.id}/manifest.json")).write_bytes(b"{}")
    assert shelf.nearest_duplicate(ANN, second.id) is None  # as the first cannot be read
    shelf.remove(ANN, second.id)
    assert shelf.nearest_duplicate(ANN, second.id) is None


def test_many_at_once_all_arrive(shelf: Shelf) -> None:
    texts = [f"The mill number {i % 6} burned down." for i in range(12)]
    threads = [threading.Thread(target=shelf.add, args=(ANN, document(text))) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {next(iter(shelf.open(ANN, a.id).documents.values())).text for a in shelf.articles(ANN)}
    assert found == set(texts)
    assert len(shelf.articles(ANN)) == 6


def test_opening_what_is_being_removed_works_or_says_that_it_is_gone(shelf: Shelf, home: Path) -> None:
    for number in range(10):
        article = shelf.add(ANN, document(f"{SECRET} {number}"))
        said: list[str] = []

        def read(article: str = article.id, said: list[str] = said) -> None:
            try:
                said.append(next(iter(shelf.open(ANN, article).documents)))
            except CollectionError as error:
                said.append(str(error))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        shelf.remove(ANN, article.id)
        for thread in threads:
            thread.join()
        gone = "this article is not, or no longer, among yours; add it again or choose another"
        assert len(said) == 4
        assert set(said) <= {article.id, gone}
        assert places(home) == []


def test_there_is_room_for_so_many_and_so_much(library: Library, settings: Settings, home: Path) -> None:
    shelf = Shelf(library, replace(settings, max_articles=2, max_articles_mb=0.002))
    shelf.add(ANN, document("One."))
    with pytest.raises(CollectionError, match=r"would hold 0\.0 MB of text, .* remove one"):
        shelf.add(ANN, document("word " * 500))
    assert places(home, "word word") == []
    shelf.add(ANN, document("Two."))
    with pytest.raises(CollectionError, match=r"you have 2 articles, .* remove one"):
        shelf.add(ANN, document("Three."))
    shelf.add(BOB, document("Three."))
    shelf.remove(ANN, shelf.articles(ANN)[0].id)
    shelf.add(ANN, document("Three."))
    assert len(shelf.articles(ANN)) == 2


class Broken(FakeEmbedder):
    def embed(self, texts: list[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        raise OSError(28, "No space left on device")


def test_what_fails_leaves_nothing(settings: Settings, home: Path) -> None:
    before = files(home)
    with pytest.raises(OSError, match="No space left"):
        Shelf(Library(settings, Broken()), settings).add(ANN, document())
    assert files(home) == before


class UntilClosed(FakeEmbedder):
    """Embeds on until the shelf is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.closed = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        self.begun.set()
        assert self.closed.wait(60)
        return super().embed(texts, query=query, progress=progress)


def test_what_fails_or_was_removed_leaves_no_folder(settings: Settings, shelf: Shelf, library: Library) -> None:
    with pytest.raises(OSError, match="No space left"):
        Shelf(Library(settings, Broken()), settings).add(ANN, document())
    assert list((settings.indexes / "_owners").iterdir()) == []
    shelf.remove(ANN, shelf.add(ANN, document()).id)
    Shelf(library, settings)
    assert list((settings.indexes / "_owners").iterdir()) == []


def test_closing_ends_what_is_indexed_and_what_waits_before_it_returns(settings: Settings, home: Path) -> None:
    embedder = UntilClosed()
    shelf = Shelf(Library(settings, embedder), settings)
    shelf._closed = embedder.closed
    before = files(home)
    errors: list[str] = []

    def add(text: str) -> None:
        try:
            shelf.add(ANN, document(text))
        except ArticleChatError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=add, args=(text,)) for text in ("One.", "Two.")]
    for thread in threads:
        thread.start()
    assert embedder.begun.wait(60)
    shelf.close()
    assert len(embedder.embedded) == 1  # no native code runs on, in which a process that ends would crash
    assert files(home) == before
    for thread in threads:
        thread.join()
    assert errors == ["the server is stopping; add the article again when it is back"] * 2


def test_owners_take_turns_and_each_hears_its_place(settings: Settings) -> None:
    embedder = GatedEmbedder()
    shelf = Shelf(Library(settings, embedder), settings)
    heard: dict[str, list[int]] = {}
    places: dict[str, threading.Event] = {}

    def add(owner: str, text: str) -> threading.Thread:
        heard[text], places[text] = [], threading.Event()

        def waits(before: int) -> None:
            heard[text].append(before)
            places[text].set()

        thread = threading.Thread(target=shelf.add, args=(owner, document(text)), kwargs={"waits": waits})
        thread.start()
        assert (places[text] if len(heard) > 1 else embedder.begun).wait(60)
        return thread

    threads = [add(ANN, f"Ann {n}.") for n in range(4)] + [add(BOB, f"Bob {n}.") for n in range(2)]
    embedder.let.set()
    for thread in threads:
        thread.join()
    turns = ["Ann 0.", "Bob 0.", "Ann 1.", "Bob 1.", "Ann 2.", "Ann 3."]
    assert [text for text in embedder.embedded if text in turns] == turns
    assert heard["Ann 0."] == []
    assert (heard["Bob 0."][0], heard["Bob 1."][0]) == (1, 3)


def test_what_the_listeners_raise_gives_up_the_place_or_the_indexing(settings: Settings, home: Path) -> None:
    embedder = GatedEmbedder()
    shelf = Shelf(Library(settings, embedder), settings)
    before = files(home)

    def give_up(*_: int) -> None:
        raise ArticleChatError("given up")

    first = threading.Thread(target=shelf.add, args=(ANN, document("First.")))
    first.start()
    assert embedder.begun.wait(60)
    with pytest.raises(ArticleChatError, match="given up"):
        shelf.add(BOB, document("Second."), waits=give_up)
    embedder.let.set()
    first.join()
    shelf.remove(ANN, shelf.articles(ANN)[0].id)
    with pytest.raises(ArticleChatError, match="given up"):
        shelf.add(BOB, document("Second."), progress=give_up)
    assert files(home) == before


def test_an_article_of_too_many_passages_is_refused_before_any_model_sees_it(
    settings: Settings, home: Path, embedder: FakeEmbedder
) -> None:
    shelf = Shelf(Library(settings, embedder), replace(settings, max_passages=2))
    with pytest.raises(
        CollectionError, match=r"^this article is too long: 2 passages are allowed, .* split it, or raise"
    ):
        shelf.add(ANN, document("owls " * 500))
    with pytest.raises(CollectionError, match=r"has at least 3; split it"):
        shelf.add(ANN, document("The seven owls under the mill sleep. " * 45))  # of which two passages would hold 44
    assert embedder.embedded == []
    assert places(home) == []
    shelf.add(ANN, document("The seven owls under the mill sleep. " * 20))


class Counting(FakeEmbedder):
    """Lists the texts whose pieces it counted, which comes after a text is cut into sentences."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[str] = []

    def count_pieces(self, texts: Sequence[str]) -> list[int]:
        self.counted += texts
        return super().count_pieces(texts)


def test_closing_ends_the_search_for_the_sentences_of_a_text_without_marks(settings: Settings) -> None:
    embedder = Counting()
    library = Library(settings, embedder)
    told: list[tuple[int, int]] = []

    def closed(done: int, total: int) -> None:
        told.append((done, total))
        raise ArticleChatError("the server is stopping")

    with pytest.raises(ArticleChatError, match="stopping"):
        library.put([document("the mill burned down and nobody was hurt " * 40)], "mine", closed)
    assert (told, embedder.counted) == ([(0, 0)], [])


def test_an_article_is_loaded_once_for_all_who_ask_at_once(shelf: Shelf) -> None:
    article = shelf.add(ANN, document())
    together = threading.Barrier(8)
    opened: list[PassageIndex] = []

    def read() -> None:
        together.wait(60)
        opened.append(shelf.open(ANN, article.id))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8
    assert len(set(map(id, opened))) == 1


def test_a_bounded_number_is_kept_in_memory(shelf: Shelf) -> None:
    articles = [shelf.add(ANN, document(f"Text {i}.")) for i in range(OPEN_INDEXES + 2)]
    first = shelf.open(ANN, articles[0].id)
    assert shelf.open(ANN, articles[0].id) is first
    for article in articles[1:]:
        shelf.open(ANN, article.id)
    assert shelf.open(ANN, articles[0].id) is not first


def test_what_a_killed_server_left_is_swept(shelf: Shelf, library: Library, settings: Settings, home: Path) -> None:
    kept = shelf.add(ANN, document("Kept."))
    before = files(home)
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(rag.__file__).parent.parent)]!r}
from pathlib import Path
from fakes import FakeEmbedder, GatedEmbedder
from rag import Document, Library, Settings, Shelf
from rag.library import storage
storage._sync_tree = lambda new: os.kill(os.getpid(), signal.SIGKILL)
settings = Settings(home=Path({str(home)!r}))
Shelf(Library(settings, FakeEmbedder()), settings).add({ANN!r}, Document("d", "D", {SECRET!r}, "d.txt"))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    assert places(home)
    assert Shelf(library, settings).articles(ANN) == (kept,)
    assert files(home) == before


def test_a_damaged_article_says_so_and_can_be_removed(shelf: Shelf, home: Path) -> None:
    article = shelf.add(ANN, document())
    next(home.rglob("_owners/*/*/*/documents/*.txt")).write_text("tampered")
    with pytest.raises(IndexDamagedError, match="remove it, and add it again"):
        shelf.open(ANN, article.id)
    next(home.rglob("_owners/*/*/manifest.json")).write_text("{")
    (listed,) = shelf.articles(ANN)
    assert (listed.id, listed.title) == (article.id, "A damaged article")
    shelf.remove(ANN, article.id)
    assert shelf.articles(ANN) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="a file whose reading fails")
def test_an_article_that_cannot_be_read_now_is_not_called_damaged(shelf: Shelf, home: Path) -> None:
    article = shelf.add(ANN, document())
    stored = next(home.rglob("_owners/*/*/*/documents/*.txt"))
    text = stored.read_bytes()
    stored.unlink()
    stored.symlink_to("/proc/self/mem")  # reading its first bytes is an input/output error
    with pytest.raises(IndexUnreadableError, match=r"^this article cannot be read now; try again"):
        shelf.open(ANN, article.id)
    stored.unlink()
    stored.write_bytes(text)
    assert shelf.open(ANN, article.id).documents
    manifest = next(home.rglob("_owners/*/*/manifest.json"))
    manifest.unlink()
    manifest.symlink_to("/proc/self/mem")
    assert [listed.title for listed in shelf.articles(ANN)] == ["An article that cannot be read now"]


def test_others_on_the_computer_cannot_look(shelf: Shelf, settings: Settings) -> None:
    shelf.add(ANN, document())
    assert (settings.indexes / "_owners").stat().st_mode & 0o077 == 0


def test_chosen_articles_are_searched_together_and_no_others(
    shelf: Shelf, index: PassageIndex, embedder: FakeEmbedder
) -> None:
    owls = shelf.add(ANN, document())
    toads = shelf.add(ANN, document("Toads sleep under the stones of the old well.", "Toads"))
    embedder.embedded.clear()
    both = shelf.together(ANN, ["harbour-news", owls.id, owls.id], index)
    assert embedder.embedded == []
    assert list(both.documents) == ["harbour-news", owls.id]
    assert {passage.document_id for passage in both.passages} == {"harbour-news", owls.id}
    assert shelf.together(ANN, ["harbour-news", owls.id], index) is both
    assert shelf.together(ANN, [owls.id], index) is shelf.open(ANN, owls.id)
    assert shelf.together(ANN, [owls.id, "harbour-news"], index) is both
    assert set(shelf.together(ANN, [toads.id, owls.id], index).documents) == {toads.id, owls.id}


def test_nobody_joins_what_is_anothers_or_gone(shelf: Shelf, index: PassageIndex) -> None:
    owls, toads = shelf.add(ANN, document()), shelf.add(ANN, document("Toads sleep under the stones.", "Toads"))
    chosen = [owls.id, "harbour-news", toads.id]
    shelf.together(ANN, chosen, index)
    for owner, articles in ((BOB, chosen), (ANN, ["harbour-news", "somewhere"]), (ANN, [owls.id, "../seeds"])):
        with pytest.raises(CollectionError, match="not, or no longer, among yours"):
            shelf.together(owner, articles, index)
    gone = weakref.ref(shelf.together(ANN, chosen, index))
    shelf.remove(ANN, toads.id)
    gc.collect()
    assert gone() is None
    with pytest.raises(CollectionError):
        shelf.together(ANN, chosen, index)
    assert set(shelf.together(ANN, chosen[:2], index).documents) == set(chosen[:2])
