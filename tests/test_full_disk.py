"""A disk that is full, or only read, and folders that others own: what was kept stays whole, and one line says what to
do.

The disks are small ones in memory, which takes the right to mount; who may do anything (root) is nobody for a while.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEmbedder

import rag
from rag.cli import main
from rag.errors import StorageError
from rag.library.collections import Library
from rag.library.shelf import Shelf
from rag.models import states
from rag.settings import Settings
from rag.types import Document

DISK = 2_000_000
PAGE = 4096
OLD, NEW = "The vault holds seven owls.", "The vault holds eight owls and a cat. " * 400
OWNER = "a" * 32
NOBODY = 65534
FULL = re.compile(r"article-chat: error: the disk is full: free some space for \S+, and try again\n")


class Disk:
    """A file system of its own that can be filled and made read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes, but for what the last page has."""
        self.empty()
        free = shutil.disk_usage(self.folder).free
        self._filler.write_bytes(bytes(max(0, free - left)))

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    def only_read(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("a disk in memory is mounted on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "article-chat-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def on_disk(disk: Disk) -> Settings:
    return Settings(home=disk.folder, llm="none", threads=1)


@pytest.fixture
def run(disk: Disk, tmp_path: Path) -> Callable[..., int]:
    """The command line with its home on the disk; articles lie elsewhere."""

    def run(*arguments: str) -> int:
        return main([*arguments, "--home", str(disk.folder), "--llm", "none"], embedder=FakeEmbedder())

    return run


def written(folder: Path, text: str, name: str = "owls.txt") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def texts(settings: Settings, name: str = "mine") -> dict[str, str]:
    """What the collection holds, as it is read, checksums and all, by another process to be."""
    index = Library(settings, FakeEmbedder()).open(name)
    assert len(index.vectors) == len(index.passages) > 0
    return {document.id: document.text.strip() for document in index.documents.values()}


def test_a_collection_that_finds_no_room_leaves_nothing(
    run: Callable[..., int], disk: Disk, on_disk: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    article = written(tmp_path, OLD)
    disk.fill()
    assert run("index", article, "--collection", "mine") == 1
    assert FULL.fullmatch(capsys.readouterr().err)
    assert not (on_disk.indexes / "mine").exists()
    disk.empty()
    assert run("index", article, "--collection", "mine") == 0
    assert texts(on_disk) == {"owls": OLD}


def test_whatever_room_there_is_the_old_article_stays_or_the_new_one_is_there(
    run: Callable[..., int], disk: Disk, on_disk: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", written(tmp_path, OLD), "--collection", "mine")
    article, codes = written(tmp_path, NEW), []
    for left in range(0, 80 * PAGE, PAGE):
        before = texts(on_disk)
        disk.fill(left)
        capsys.readouterr()
        codes.append(run("index", article, "--collection", "mine"))
        err = capsys.readouterr().err
        assert FULL.fullmatch(err) if codes[-1] else not err
        assert texts(on_disk) == (before if codes[-1] else {"owls": NEW.strip()})
        folder = on_disk.indexes / "mine"
        assert len(list(folder.iterdir())) == 2  # the manifest and its generation, no leftovers
        if not codes[-1]:
            break
    assert codes.count(1) > 3
    assert codes[-1] == 0


def test_an_article_is_not_half_removed_and_a_collection_goes_though_the_disk_is_full(
    run: Callable[..., int], disk: Disk, on_disk: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", written(tmp_path, OLD), written(tmp_path, NEW, "cats.txt"), "--collection", "mine")
    disk.fill()
    capsys.readouterr()
    assert run("remove", "cats", "--collection", "mine") == 1
    assert FULL.fullmatch(capsys.readouterr().err)
    assert set(texts(on_disk)) == {"owls", "cats"}
    assert run("remove", "--collection", "mine") == 0
    assert not (on_disk.indexes / "mine").exists()


def test_a_visitor_is_told_without_the_server_s_folders_and_nothing_of_the_article_is_left(
    disk: Disk, on_disk: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(Library(on_disk, FakeEmbedder()), on_disk)
    kept = shelf.add(OWNER, Document("a", "Owls", OLD, "owls.txt"))
    disk.fill()
    with pytest.raises(StorageError, match=r"^the disk of the server is full, or takes nothing; ask whoever runs it"):
        shelf.add(OWNER, Document("a", "Cats", NEW, "cats.txt"))
    assert "the disk is full: free some space for" in caplog.text
    assert shelf.articles(OWNER) == (kept,)
    assert [path.name for path in (on_disk.indexes / "_owners" / OWNER).glob("[!.]*")] == [kept.id]
    assert shelf.open(OWNER, kept.id).documents[kept.id].text == OLD
    disk.empty()
    shelf.add(OWNER, Document("a", "Cats", NEW, "cats.txt"))
    assert len(shelf.articles(OWNER)) == 2


def test_what_a_writer_has_read_is_kept_whole_or_not_at_all(disk: Disk) -> None:
    folder = disk.folder / states.FOLDER
    states.save(folder, "before", b"state" * 1000)
    disk.fill(20 * PAGE)
    states.save(folder, "after", bytes(21 * PAGE))
    assert states.load(folder, "after") is None
    assert [path.name for path in folder.iterdir()] == ["before.state"]
    disk.fill()
    assert states.load(folder, "before") == b"state" * 1000
    disk.empty()
    states.save(folder, "after", bytes(21 * PAGE))
    assert states.load(folder, "after") == bytes(21 * PAGE)


def test_a_disk_that_is_only_read_is_read(
    run: Callable[..., int], disk: Disk, on_disk: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", written(tmp_path, OLD), written(tmp_path, NEW, "cats.txt"), "--collection", "mine")
    on_disk.seeds.mkdir()
    written(on_disk.seeds, OLD)
    library = Library(on_disk, FakeEmbedder())
    library.open()
    shelf = Shelf(library, on_disk)
    kept = shelf.add(OWNER, Document("a", "Owls", OLD, "owls.txt"))
    states.save(on_disk.indexes / "mine" / states.FOLDER, "k", b"state")
    (on_disk.indexes / "mine" / "left-by-a-killed-run").mkdir()
    (on_disk.indexes / "_owners" / OWNER / ("b" * 16)).mkdir()
    disk.only_read()
    capsys.readouterr()

    refused = re.compile(
        r"article-chat: error: \S+ cannot be written \(Read-only file system\): see who may write there, or choose "
        r"another folder with --home\n"
    )
    for arguments in (
        ("index", written(tmp_path, "No owl."), "--collection", "mine"),
        ("index", written(tmp_path, "No owl."), "--collection", "other"),
        ("remove", "cats", "--collection", "mine"),
        ("remove", "--collection", "mine"),
    ):
        assert run(*arguments) == 1
        assert refused.fullmatch(capsys.readouterr().err)
    assert set(texts(on_disk)) == {"owls", "cats"}
    assert list(library.open().documents) == ["owls"]
    shelf = Shelf(library, on_disk)  # as the server is started
    assert shelf.articles(OWNER) == (kept,)
    for change in (
        lambda: shelf.add(OWNER, Document("a", "Cats", NEW, "cats.txt")),
        lambda: shelf.remove(OWNER, kept.id),
    ):
        with pytest.raises(StorageError, match=r"^the disk of the server is full, or takes nothing"):
            change()
    assert shelf.open(OWNER, kept.id).documents[kept.id].text == OLD
    folder = on_disk.indexes / "mine" / states.FOLDER
    assert states.load(folder, "k") == b"state"
    states.save(folder, "new", b"state")
    states.remove(folder, "k")
    states.trim(on_disk.indexes, 0)
    assert [path.name for path in folder.iterdir()] == ["k.state"]


PROGRAM = f"""
import os, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(rag.__file__).parents[1])]!r}
from fakes import FakeEmbedder
from rag.cli import main
if os.geteuid() == 0:  # not before all is imported: nobody may not look into every folder of ours
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
sys.exit(main(sys.argv[1:], embedder=FakeEmbedder()))
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A home folder that everybody can look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody(elsewhere: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as somebody who is not root."""
    if sys.platform == "win32":
        pytest.skip("rights are others there")

    def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, *arguments, "--home", str(elsewhere), "--llm", "none"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return as_nobody


def test_folders_that_others_own_are_read_and_not_changed(
    as_nobody: Callable[..., subprocess.CompletedProcess[str]], elsewhere: Path
) -> None:
    settings = Settings(home=elsewhere, llm="none", threads=1)
    article = Path(written(elsewhere, OLD))
    Library(settings, FakeEmbedder()).add([article], "mine")
    for path in settings.indexes.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    settings.indexes.chmod(0o555)
    article.write_text(NEW)
    refused = re.compile(r"article-chat: error: \S+ cannot be written \(Permission denied\): see who may write .*\n")
    for arguments in (
        ("index", str(article), "--collection", "mine"),
        ("index", str(article), "--collection", "other"),
        ("remove", "--collection", "mine"),
    ):
        done = as_nobody(*arguments)
        assert done.returncode == 1, done
        assert refused.fullmatch(done.stderr), done
    assert "mine\n  owls" in as_nobody("list").stdout
    assert texts(settings) == {"owls": OLD}


def test_a_collection_that_may_not_be_read_is_told_of_and_not_called_damaged(
    as_nobody: Callable[..., subprocess.CompletedProcess[str]], elsewhere: Path
) -> None:
    settings = Settings(home=elsewhere, llm="none", threads=1)
    Library(settings, FakeEmbedder()).add([Path(written(elsewhere, OLD))], "mine")
    (settings.indexes / "mine" / "manifest.json").chmod(0)
    done = as_nobody("ask", "who?", "--collection", "mine")
    assert done.returncode == 1
    said = r"article-chat: error: \S+ cannot be read now \(Permission denied\), .* look at the disk and at who may .*\n"
    assert re.fullmatch(said, done.stderr), done
    assert "cannot be read now" in as_nobody("list").stderr
    (settings.indexes / "mine" / "manifest.json").chmod(0o644)
    assert texts(replace(settings)) == {"owls": OLD}
