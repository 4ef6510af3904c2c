import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEmbedder
from files import pages_at
from manifests import resealed

from rag.errors import IndexDamagedError, IndexUnreadableError, StorageError
from rag.library import storage
from rag.library.collections import Library
from rag.library.index import Chunking, PassageIndex
from rag.library.manifest import read_manifest, sha256
from rag.library.storage import load_index, save_index
from rag.types import Document

CHUNKING = Chunking(40, 15)


def build(*texts: str) -> PassageIndex:
    documents = [Document(f"d{i}", f"Title {i}", text, f"/x/{i}.txt") for i, text in enumerate(texts)]
    return PassageIndex.build(documents, embedder=FakeEmbedder(), chunking=CHUNKING)


def loaded(folder: Path) -> PassageIndex:
    stored = load_index(folder, embedder=FakeEmbedder(), chunking=CHUNKING)
    assert stored.index is not None
    return stored.index


def generation(folder: Path) -> Path:
    return folder / read_manifest(folder).generation


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    index = build("The ferry was late. 😀 “Quoted”.\n", "  The dam will cost 40 million.\u2028Done.")
    save_index(index, tmp_path / "c")
    again = loaded(tmp_path / "c")
    assert dict(again.documents) == dict(index.documents)
    assert again.passages == index.passages
    np.testing.assert_array_equal(again.vectors, index.vectors)
    for question in ("why was the ferry late?", "what will the dam cost?"):
        assert again.search_dense(question, 5) == index.search_dense(question, 5)
        assert again.search_lexical(question, 5) == index.search_lexical(question, 5)


def test_pages_are_kept(tmp_path: Path) -> None:
    document = Document("d", "D", "One. Two.", "d.pdf", pages_at(0, 5))
    index = PassageIndex.build([document], embedder=FakeEmbedder(), chunking=CHUNKING)
    save_index(index, tmp_path / "c")
    assert loaded(tmp_path / "c").documents["d"] == document


def test_a_person_can_open_the_folder(tmp_path: Path) -> None:
    save_index(build("The ferry was late."), tmp_path / "c")
    folder = generation(tmp_path / "c")
    assert (folder / "documents" / "d0.txt").read_text(encoding="utf-8") == "The ferry was late."
    assert json.loads((folder / "passages.jsonl").read_text().splitlines()[0]) == {
        "document_id": "d0", "start": 0, "end": 19, "sentences": [[0, 19]],
    }  # fmt: skip
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    assert manifest["embedder"] == {"name": "fake-bag-of-words", "dimension": 256}
    assert manifest["chunking"] == {"max_pieces": 40, "overlap_pieces": 15, "boundaries": ""}
    assert not list(tmp_path.rglob("*.pkl"))


def test_saving_again_leaves_one_generation(tmp_path: Path) -> None:
    save_index(build("One."), tmp_path / "c")
    save_index(build("Two."), tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir() if path.is_dir()] == [generation(tmp_path / "c").name]
    assert loaded(tmp_path / "c").documents["d0"].text == "Two."


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    save_index(build("The ferry was late. The dam will cost 40 million."), folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 8
    for path in files:
        data = path.read_bytes()
        for position in {0, len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            if path.name == "manifest.json" or path.parent.name == "documents":
                with pytest.raises(IndexDamagedError, match=f"damaged: .*{path.name}"):
                    load_index(folder, embedder=FakeEmbedder(), chunking=CHUNKING)
            else:
                stored = load_index(folder, embedder=FakeEmbedder(), chunking=CHUNKING)
                assert stored.index is None, path
                assert stored.rebuild_because is not None
                assert path.name in stored.rebuild_because
        path.write_bytes(data)
    assert loaded(folder).documents


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    save_index(build("One."), tmp_path / "c")
    (generation(tmp_path / "c") / "index.faiss").unlink()
    stored = load_index(tmp_path / "c", embedder=FakeEmbedder(), chunking=CHUNKING)
    assert stored.index is None
    (generation(tmp_path / "c") / "documents" / "d0.txt").unlink()
    with pytest.raises(IndexDamagedError, match="article-chat remove --collection c"):
        load_index(tmp_path / "c", embedder=FakeEmbedder(), chunking=CHUNKING)


@contextmanager
def no_more_files() -> Iterator[None]:
    """The system opens no file more for this process, as where it has too many open."""
    next_free = os.open(os.devnull, os.O_RDONLY)
    os.close(next_free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_too_many_open_files_are_no_damage(tmp_path: Path) -> None:
    save_index(build("One."), tmp_path / "c")
    loaded(tmp_path / "c")  # what it imports is imported
    with no_more_files(), pytest.raises(IndexUnreadableError, match=r"Too many open files.*try again") as caught:
        loaded(tmp_path / "c")
    assert "\n" not in str(caught.value)
    assert "damaged" not in str(caught.value)
    assert "article-chat remove" not in str(caught.value)
    assert loaded(tmp_path / "c").documents


@pytest.mark.skipif(sys.platform != "linux", reason="a file whose reading fails")
@pytest.mark.parametrize("name", ["documents/d0.txt", "index.faiss"])
def test_a_reading_error_of_the_disk_is_no_damage(tmp_path: Path, name: str) -> None:
    save_index(build("One."), tmp_path / "c")
    path = generation(tmp_path / "c") / name
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading its first bytes is an input/output error
    with pytest.raises(IndexUnreadableError, match=f"{path.name} cannot be read now .Input/output error.*try again"):
        loaded(tmp_path / "c")


PASSAGE = {"document_id": "d0", "start": 0, "end": 4, "sentences": [[0, 4]]}


@pytest.mark.usefixtures("nothing_to_collect")
@pytest.mark.parametrize(
    ("name", "forged"),
    [
        ("passages.jsonl", b""),  # no passage, but a vector
        ("passages.jsonl", b"{"),
        ("passages.jsonl", b"\xff"),
        ("passages.jsonl", b"[" * 100_000),
        ("passages.jsonl", b"[]"),
        ("passages.jsonl", json.dumps({**PASSAGE, "document_id": "d1"}).encode()),
        ("passages.jsonl", json.dumps({**PASSAGE, "end": 4000}).encode()),
        ("passages.jsonl", json.dumps({**PASSAGE, "start": "0"}).encode()),
        ("passages.jsonl", json.dumps({**PASSAGE, "sentences": [[0]]}).encode()),
        ("index.faiss", b"garbage"),
        ("bm25/params.index.json", b"{"),
        ("bm25/params.index.json", b"[" * 100_000),
        ("bm25/params.index.json", b"[]"),
        ("bm25/vocab.index.json", b"[]"),
        ("bm25/data.csc.index.npy", b""),
        ("bm25/data.csc.index.npy", b"\x93NUMPY"),
    ],
)
def test_an_index_of_forged_files_is_built_again(tmp_path: Path, name: str, forged: bytes) -> None:
    folder = tmp_path / "c"
    save_index(build("One."), folder)
    (generation(folder) / name).write_bytes(forged)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert name in manifest["files"]
    manifest["files"][name] = sha256(forged)
    (folder / "manifest.json").write_bytes(resealed(manifest))
    stored = load_index(folder, embedder=FakeEmbedder(), chunking=CHUNKING)
    assert stored.index is None
    assert stored.rebuild_because is not None
    assert "do not go together" in stored.rebuild_because
    assert [document.text for document in stored.documents] == ["One."]


def test_a_forged_manifest_whose_text_is_not_there_is_damage_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    save_index(build("One."), folder)
    (generation(folder) / "documents" / "d0.txt").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["documents/d0.txt"] = sha256(b"")
    (folder / "manifest.json").write_bytes(resealed(manifest))
    with pytest.raises(IndexDamagedError, match=r"documents/d0\.txt is missing"):
        loaded(folder)


@pytest.mark.parametrize(
    ("embedder", "chunking", "says"),
    [
        (FakeEmbedder(name="other"), CHUNKING, "embedding model fake-bag-of-words"),
        (FakeEmbedder(dimension=64), CHUNKING, "embedding model"),
        (FakeEmbedder(), Chunking(50, 10), "passage settings"),
        (FakeEmbedder(), Chunking(40, 15, "other weights"), "another reader"),
    ],
)
def test_an_index_of_another_kind_is_not_used(
    tmp_path: Path, embedder: FakeEmbedder, chunking: Chunking, says: str
) -> None:
    save_index(build("One."), tmp_path / "c")
    stored = load_index(tmp_path / "c", embedder=embedder, chunking=chunking)
    assert stored.index is None
    assert stored.rebuild_because is not None
    assert says in stored.rebuild_because
    assert [document.text for document in stored.documents] == ["One."]


def test_an_interruption_after_the_swap_leaves_the_new_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_index(build("Old."), tmp_path / "c")

    def interrupted(path: Path) -> None:
        if path == tmp_path / "c":
            raise KeyboardInterrupt

    monkeypatch.setattr(storage, "_sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_index(build("New."), tmp_path / "c")
    assert loaded(tmp_path / "c").documents["d0"].text == "New."


def test_a_full_disk_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_index(build("Old."), tmp_path / "c")
    real = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "index.faiss":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"^the disk is full: free some space"):
        save_index(build("New."), tmp_path / "c")
    monkeypatch.undo()
    assert loaded(tmp_path / "c").documents["d0"].text == "Old."
    assert len([path for path in (tmp_path / "c").iterdir() if path.is_dir()]) == 1


def test_a_full_disk_leaves_no_folder_where_there_was_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"^the disk is full: free some space"):
        save_index(build("New."), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


STEPS = ["_write_files", "_sync_tree", "_written_beside", "rmtree"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_step_the_folder_holds_the_old_or_the_new_index(tmp_path: Path, step: str, moment: str) -> None:
    """Another process saves and kills itself around one step; what it leaves must load."""
    folder = tmp_path / "c"
    save_index(build("Old."), folder)
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(storage.__file__).parents[2])]!r}
from pathlib import Path
from rag.library import storage
from test_storage import build
owner = storage.shutil if {step!r} == "rmtree" else storage
real = getattr(owner, {step!r})
def killed(*args, **kwargs):
    if {moment!r} == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, {step!r}, killed)
storage.save_index(build("New."), Path({str(folder)!r}))
"""
    result = subprocess.run([sys.executable, "-c", code], check=False)
    assert result.returncode == -signal.SIGKILL
    swapped = step == "rmtree"
    assert loaded(folder).documents["d0"].text == ("New." if swapped else "Old.")
    save_index(build("Newer."), folder)
    assert loaded(folder).documents["d0"].text == "Newer."
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("step", ["rmtree", "_written_beside"])
def test_what_a_killed_run_left_is_gone_once_the_index_is_opened(library: Library, home: Path, step: str) -> None:
    """The text that was removed, or never got in, does not wait for the next change."""
    (home / "seeds" / "b.txt").write_text("The vault holds seven owls.")
    library.add([home / "seeds" / "harbour-news.txt", home / "seeds" / "b.txt"], "mine")
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(storage.__file__).parents[2])]!r}
from pathlib import Path
from fakes import FakeEmbedder
from rag import Library, Settings
from rag.library import storage
owner = storage.shutil if {step!r} == "rmtree" else storage
setattr(owner, {step!r}, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
library = Library(Settings(home=Path({str(home)!r})), FakeEmbedder())
library.remove("mine", "b")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    folder = home / "indexes" / "mine"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2
    assert list(library.open("mine").documents) == (["harbour-news"] if step == "rmtree" else ["harbour-news", "b"])
    assert [path for path in folder.iterdir() if path.is_dir()] == [generation(folder)]
    assert bool([p for p in folder.rglob("*.txt") if "owls" in p.read_text()]) == (step != "rmtree")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is forced to the disk, in order."""
    paths: list[Path] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


@pytest.mark.skipif(sys.platform != "linux", reason="an open file's name")
def test_a_new_folder_is_on_the_disk_in_each_folder_above_it_that_is_new(tmp_path: Path, synced: list[Path]) -> None:
    save_index(build("One."), tmp_path / "indexes" / "owner" / "c")
    assert {tmp_path, tmp_path / "indexes", tmp_path / "indexes" / "owner"} <= set(synced)
    synced.clear()
    save_index(build("Two."), tmp_path / "indexes" / "owner" / "c")
    assert tmp_path / "indexes" / "owner" not in synced
    assert synced.count(tmp_path / "indexes" / "owner" / "c") == 2  # the new one got there; the old one is gone


@pytest.mark.skipif(sys.platform != "linux", reason="an open file's name")
def test_a_removal_is_on_the_disk_before_it_is_told(library: Library, home: Path, synced: list[Path]) -> None:
    library.add([home / "seeds" / "harbour-news.txt"], "mine")
    synced.clear()
    library.remove("mine")
    assert synced == [home / "indexes" / "mine", home / "indexes"]
