import logging
import threading
from pathlib import Path

import pytest
from fakes import FakeEmbedder, GatedEmbedder
from filelock import FileLock
from files import PAGE, PARAGRAPHS, paper

from rag.errors import CollectionError, IndexDamagedError, IndexUnreadableError
from rag.library import storage
from rag.library.collections import SEEDS, Library
from rag.library.index import PassageIndex
from rag.library.manifest import Manifest, sha256
from rag.settings import Settings
from rag.types import Document


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_seeds_are_indexed_on_first_use_and_only_once(library: Library, embedder: FakeEmbedder) -> None:
    first = library.open()
    assert [d.source for d in first.documents.values()] == ["seeds/harbour-news.txt"]
    embedder.embedded.clear()
    again = library.open()
    assert embedder.embedded == []
    assert again.passages == first.passages


def test_changed_added_and_deleted_seeds_are_picked_up(library: Library, home: Path, embedder: FakeEmbedder) -> None:
    library.open()
    write(home / "seeds", "second.md", "# A second one\n\nIt is short.")
    assert list(library.open().documents) == ["harbour-news", "second"]
    embedder.embedded.clear()
    write(home / "seeds", "second.md", "# Changed\n\nIt is longer now.")
    index = library.open()
    assert index.documents["second"].title == "Changed"
    assert all("ferry" not in text for text in embedder.embedded)
    (home / "seeds" / "harbour-news.txt").unlink()
    assert list(library.open().documents) == ["second"]


def test_seeds_may_be_web_pages_and_pdf_files(library: Library, home: Path) -> None:
    (home / "seeds" / "ice.pdf").write_bytes(paper(PARAGRAPHS * 8))
    (home / "seeds" / "saved.html").write_text(PAGE.format(charset="utf-8"), encoding="utf-8")
    for _ in range(2):
        documents = library.open().documents
        assert [document.title for document in documents.values()] == [
            "Harbour news",
            "Ice in the harbour",
            "Harbour museum reopens",
        ]
        assert [len(document.places) for document in documents.values()] == [0, 2, 0]


def test_a_bad_seed_is_left_out_with_a_warning(library: Library, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "seeds" / "bad.txt").write_bytes(b"\xff\x00")
    with caplog.at_level(logging.WARNING):
        assert list(library.open().documents) == ["harbour-news"]
    assert "bad.txt" in caplog.text


def test_no_seeds_is_an_error_that_says_where_to_put_them(settings: Settings, home: Path) -> None:
    (home / "seeds" / "harbour-news.txt").unlink()
    with pytest.raises(CollectionError, match=r"put a file there \(\.txt, \.md, "):
        Library(settings, FakeEmbedder()).open()


def test_damaged_seeds_are_built_again(library: Library, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = library.open().passages
    next((home / "indexes" / "seeds").rglob("documents/*.txt")).write_text("tampered")
    assert library.open().passages == expected
    assert "damaged" in caplog.text


def test_adding_refreshing_and_removing(library: Library, tmp_path: Path, embedder: FakeEmbedder) -> None:
    one = write(tmp_path / "x", "news.txt", "The mill burned down. Nobody was hurt.")
    two = write(tmp_path / "y", "news.txt", "The choir won a prize in Oslo.")
    assert library.add([one, two], "mine").added == ("news", "news-2")
    write(tmp_path / "x", "news.txt", "The mill burned down. Two were hurt.")
    embedder.embedded.clear()
    change = library.add([one, two], "mine")
    assert (change.added, change.updated, change.unchanged) == ((), ("news",), ("news-2",))
    assert embedder.embedded == ["The mill burned down. Two were hurt."]
    assert library.open("mine").documents["news"].text.endswith("Two were hurt.")
    library.remove("mine", "news")
    assert list(library.open("mine").documents) == ["news-2"]
    assert "mill" not in "".join(
        p.read_text(errors="ignore") for p in (tmp_path / "indexes" / "mine").rglob("*") if p.is_file()
    )
    library.remove("mine", "news-2")
    with pytest.raises(CollectionError, match="no collection 'mine'"):
        library.open("mine")


def test_a_folder_is_searched_and_bad_files_are_reported(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "x" / "deep", "a.md", "# A\n\nText.")
    write(tmp_path / "x", "ignored.xlsx", "not looked at")
    (tmp_path / "x" / "bad.txt").write_bytes(b"\xff")
    change = library.add([tmp_path / "x"], "mine")
    assert change.added == ("a",)
    assert ["bad.txt" in str(error) for error in change.failed] == [True]
    assert library.add([tmp_path / "x" / "bad.txt"], "other").added == ()
    assert [info.name for info in library.collections()] == ["mine"]


def test_seeds_are_changed_through_their_folder_only(library: Library, tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "Text.")
    library.open()
    with pytest.raises(CollectionError, match="put files there"):
        library.add([path], SEEDS)
    with pytest.raises(CollectionError, match="delete the file there"):
        library.remove(SEEDS, "harbour-news")
    library.remove(SEEDS)
    assert library.open().documents


def test_its_version_tells_whether_a_collection_has_changed(library: Library, home: Path, tmp_path: Path) -> None:
    assert library.version(SEEDS) is None
    library.open()
    version = library.version(SEEDS)
    library.open()
    assert library.version(SEEDS) == version is not None
    write(home / "seeds", "second.md", "It is short.")
    library.open()
    assert library.version(SEEDS) not in {version, None}
    library.remove(SEEDS)
    assert library.version(SEEDS) is None
    assert library.version(f"../indexes/{SEEDS}") is None
    (tmp_path / "indexes" / "loop").symlink_to("loop")
    with pytest.raises(IndexUnreadableError, match="cannot be read now"):
        library.version("loop")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 64, "-x"])
def test_names_that_could_leave_the_folder_are_refused(library: Library, tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "a.txt", "Text.")
    for action in (
        lambda: library.add([path], name),
        lambda: library.open(name),
        lambda: library.remove(name),
    ):
        with pytest.raises(CollectionError, match="cannot be a collection's name"):
            action()


def test_a_damaged_collection_is_refused_or_built_again(library: Library, tmp_path: Path) -> None:
    library.add([write(tmp_path, "a.txt", "The mill burned down.")], "mine")
    expected = library.open("mine").passages
    next((tmp_path / "indexes" / "mine").rglob("index.faiss")).write_bytes(b"garbage")
    assert library.open("mine").passages == expected
    next((tmp_path / "indexes" / "mine").rglob("documents/*.txt")).write_text("tampered")
    with pytest.raises(IndexDamagedError, match="does not match its checksum"):
        library.open("mine")
    library.remove("mine")
    assert library.collections() == []


def test_another_embedder_builds_the_index_again(library: Library, settings: Settings, tmp_path: Path) -> None:
    library.add([write(tmp_path, "a.txt", "The mill burned down.")], "mine")
    other = FakeEmbedder(name="other", dimension=64)
    assert Library(settings, other).open("mine").vectors.shape == (1, 64)
    assert other.embedded == ["The mill burned down."]


def test_other_weights_build_the_index_again(
    library: Library, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.add([write(tmp_path, "a.txt", "The mill burned down.")], "mine")
    weights = tmp_path / "newer.safetensors"
    weights.write_bytes(b"another reader")
    weights.with_name("newer.safetensors.sha256").write_text(f"{sha256(b'another reader')}  newer.safetensors\n")
    with monkeypatch.context() as patched:
        patched.setattr("rag.models.reader.weights.WEIGHTS", weights)
        newer = FakeEmbedder()
        Library(settings, newer).open("mine")
        Library(settings, newer).open("mine")
    assert newer.embedded == ["The mill burned down."]  # once


def test_an_index_is_read_while_another_is_written(library: Library, settings: Settings, tmp_path: Path) -> None:
    library.add([write(tmp_path, "a.txt", "The mill burned down.")], "mine")
    library.open()
    for name in ("mine", SEEDS):
        with FileLock(settings.indexes / f".{name}.lock"):  # as another process that indexes holds it
            opened: list[PassageIndex] = []
            reader = threading.Thread(target=lambda o=opened, n=name: o.append(library.open(n)), daemon=True)
            reader.start()
            reader.join(30)
            assert len(opened) == 1


def test_who_finds_the_index_swapped_or_gone_looks_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change comes between the reading of the manifest and that of its files."""
    file = write(tmp_path, "a.txt", "The mill burned down.")
    changes = [
        lambda: library.put([Document("a", "A", "The mill was saved.", str(file.resolve()))], "mine"),
        lambda: library.remove("mine"),
    ]
    library.add([file], "mine")
    real = storage.read_manifest

    def changed_after(folder: Path) -> Manifest:
        manifest = real(folder)
        if changes:
            monkeypatch.undo()
            changes.pop(0)()
        return manifest

    monkeypatch.setattr(storage, "read_manifest", changed_after)
    assert library.open("mine").documents["a"].text == "The mill was saved."
    monkeypatch.setattr(storage, "read_manifest", changed_after)
    with pytest.raises(CollectionError, match="no collection 'mine'"):
        library.open("mine")


def test_what_waited_for_another_process_to_index_does_not_index_again(
    library: Library, settings: Settings, embedder: FakeEmbedder
) -> None:
    gated = GatedEmbedder()
    first = threading.Thread(target=Library(settings, gated).open)
    first.start()
    assert gated.begun.wait(60)
    second = threading.Thread(target=library.open)
    second.start()
    gated.let.set()
    first.join()
    second.join()
    assert embedder.embedded == []


def test_an_unknown_document_is_an_error_that_names_the_known(library: Library, tmp_path: Path) -> None:
    library.add([write(tmp_path, "a.txt", "Text.")], "mine")
    with pytest.raises(CollectionError, match="no document 'b'; it has a"):
        library.remove("mine", "b")
