"""A collection follows a folder: real files, and a folder that changes whenever the follower pauses."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder
from files import PARAGRAPHS, paper, zipped

import rag.cli.commands
from rag.answer.pipeline import Pipeline
from rag.api.articles import Articles
from rag.api.served import ServedCollection
from rag.cli import main
from rag.errors import CollectionError, IndexDamagedError, IndexUnreadableError, StorageError
from rag.library import collections
from rag.library.changes import Followed
from rag.library.collections import Library
from rag.library.following import MOST_LOOKS, RETRY_SECONDS, SECONDS, follow
from rag.settings import Settings

News = list[Followed | Exception | None]


class EndedError(Exception):
    """The follower has paused once more than there were changes."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    papers = tmp_path / "papers"
    (papers / "2020").mkdir(parents=True)
    (papers / "bee.txt").write_text("A bee visits two thousand flowers.")
    (papers / "2020" / "dam.md").write_text("# The dam\n\nThe dam holds nine lakes of water.")
    return papers


def followed(library: Library, folder: Path, *changes: Callable[[], object], pauses: list[float] | None = None) -> News:
    """What the follower tells while the changes are made, one in each of its pauses; it looks twice more."""
    left = [*changes, lambda: None, lambda: None]
    news: News = []

    def pause(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)
        if not left:
            raise EndedError
        left.pop(0)()

    with pytest.raises(EndedError):
        news.extend(_each(follow(library, folder, "mine", pause=pause), news))
    return news


def _each(found, news: News):  # type: ignore[no-untyped-def]
    for one in found:
        news.append(one)
        yield from ()


def steps(one: object) -> list[tuple[str, str]]:
    assert isinstance(one, Followed)
    return [(step.what, step.id) for step in one.steps]


def test_the_collection_has_the_articles_of_the_folder_and_then_what_becomes_of_them(
    library: Library, folder: Path, embedder: FakeEmbedder
) -> None:
    def change() -> None:
        (folder / "owl.txt").write_text("Seven owls sleep under the mill.")
        (folder / "bee.txt").write_text("A bee visits three thousand flowers.")
        (folder / "2020" / "dam.md").rename(folder / "lakes.md")

    def again() -> None:
        embedder.embedded.clear()
        (folder / "owl.txt").unlink()

    begun, changed, removed = followed(library, folder, change, lambda: None, again)
    assert steps(begun) == [("added", "dam"), ("added", "bee")]
    assert steps(changed) == [("added", "owl"), ("updated", "bee"), ("moved", "dam")]
    assert isinstance(changed, Followed)
    assert changed.steps[2].before == str(folder / "2020" / "dam.md")
    assert changed.steps[2].source == str(folder / "lakes.md")
    assert steps(removed) == [("removed", "owl")]
    assert isinstance(removed, Followed)
    assert removed.articles == 2
    index = library.open("mine")
    assert {document.id: document.source for document in index.documents.values()} == {
        "bee": str(folder / "bee.txt"),
        "dam": str(folder / "lakes.md"),
    }
    assert index.documents["bee"].text == "A bee visits three thousand flowers."
    assert embedder.embedded == []


def test_nothing_is_embedded_again_that_has_not_changed(library: Library, folder: Path, embedder: FakeEmbedder) -> None:
    followed(library, folder)
    assert any("nine lakes" in text for text in embedder.embedded)
    embedder.embedded.clear()
    (again,) = followed(library, folder)  # as after a restart
    assert steps(again) == []
    followed(library, folder, lambda: (folder / "2020").rename(folder / "later"))
    (folder / "bee.txt").write_text("Another text altogether.")
    followed(library, folder)
    assert [text for text in embedder.embedded if text.strip()] == ["Another text altogether."]


def test_a_burst_of_changes_is_one_update(library: Library, folder: Path) -> None:
    def write(n: int) -> Callable[[], object]:
        return lambda: (folder / f"{n}.txt").write_text(f"Article {n}.")

    news = followed(library, folder, *map(write, range(9)))
    assert [len(steps(one)) for one in news] == [2, 9]


def test_what_changes_without_end_is_not_waited_for(library: Library, folder: Path) -> None:
    log = folder / "log.txt"
    log.write_text("Line.\n")

    def grow() -> None:
        log.write_text(log.read_text() + "Line.\n")

    news = followed(library, folder, *[grow] * (MOST_LOOKS + 1))
    assert [steps(one) for one in news[1:]] == [[("updated", "log")]] * 2


def test_a_file_that_cannot_be_read_is_told_once_and_stays_as_it_was(library: Library, folder: Path) -> None:
    ice = folder / "ice.pdf"
    ice.write_bytes(paper(PARAGRAPHS))
    begun, broken, whole = followed(
        library,
        folder,
        lambda: ice.write_bytes(paper(PARAGRAPHS)[:200]),
        lambda: None,
        lambda: (folder / "bad.txt").write_bytes(b"\xff"),
        lambda: ice.write_bytes(paper(PARAGRAPHS[:1])),
    )
    assert steps(begun) == [("added", "dam"), ("added", "bee"), ("added", "ice")]
    assert isinstance(broken, Followed)
    assert steps(broken) == []
    assert [str(error).split(": ")[0] for error in broken.failed] == [str(ice)]
    assert isinstance(whole, Followed)
    assert steps(whole) == [("updated", "ice")]
    assert [str(error).split(": ")[0] for error in whole.failed] == [str(folder / "bad.txt")]


def test_articles_of_a_zip_file_follow_it(library: Library, folder: Path) -> None:
    whole = folder / "papers.zip"
    whole.write_bytes(zipped({"owl.txt": "Seven owls.", "ice.txt": "Ice."}))
    news = followed(
        library,
        folder,
        lambda: whole.write_bytes(zipped({"birds/owl.txt": "Seven owls.", "hen.txt": "A hen."})),
        lambda: None,
        lambda: whole.write_bytes(b"PK, but no ZIP file"),
        lambda: None,
        whole.unlink,
    )
    assert steps(news[0])[2:] == [("added", "ice"), ("added", "owl")]
    assert steps(news[1]) == [("added", "hen"), ("moved", "owl"), ("removed", "ice")]
    assert steps(news[2]) == []
    assert steps(news[3]) == [("removed", "owl"), ("removed", "hen")]


def test_articles_from_elsewhere_hidden_files_and_the_indexes_are_left_alone(
    library: Library, home: Path, tmp_path: Path
) -> None:
    other = tmp_path.parent / f"{tmp_path.name}-elsewhere.txt"
    other.write_text("From elsewhere.")
    library.add([other], "mine")
    for name in (".hidden.txt", "~$bee.docx", ".git/readme.md"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("Nothing for anybody.")
    begun, gone = followed(library, home, (home / "seeds" / "harbour-news.txt").unlink)
    assert steps(begun) == [("added", "harbour-news")]
    assert steps(gone) == [("removed", "harbour-news")]
    assert [document.text for document in library.open("mine").documents.values()] == ["From elsewhere."]


def test_what_goes_while_it_is_looked_at_is_looked_for_again(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, gone = Library.files, [FileNotFoundError(2, "No such file or directory")] * 2

    def files(self: Library, *arguments: Any) -> Iterator[Path]:
        if gone:
            raise gone.pop()
        return real(self, *arguments)

    monkeypatch.setattr(Library, "files", files)
    (begun,) = followed(library, folder)
    assert gone == []
    assert steps(begun) == [("added", "dam"), ("added", "bee")]


def test_a_folder_that_is_gone_changes_nothing_until_it_is_back(library: Library, folder: Path) -> None:
    away = folder.with_name("away")
    begun, gone, back = followed(
        library, folder, lambda: folder.rename(away), lambda: None, lambda: shutil.copytree(away, folder)
    )
    assert gone is None
    assert len(steps(begun)) == 2
    assert steps(back) == []
    assert len(library.open("mine").documents) == 2


def test_a_collection_without_articles_is_no_more_and_comes_back(library: Library, folder: Path) -> None:
    news = followed(
        library,
        folder,
        lambda: [path.unlink() for path in folder.rglob("*.*")],
        lambda: None,
        lambda: (folder / "owl.txt").write_text("Seven owls."),
        lambda: None,
        lambda: library.remove("mine"),
        lambda: (folder / "hen.txt").write_text("A hen."),
    )
    assert [steps(one) for one in news] == [
        [("added", "dam"), ("added", "bee")],
        [("removed", "dam"), ("removed", "bee")],
        [("added", "owl")],
        [("added", "hen"), ("added", "owl")],
    ]


def test_what_cannot_be_looked_into_is_told_and_its_articles_stay(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing: list[Path] = []
    scandir = os.scandir

    def guarded(path: int | str | os.PathLike[str] = ".") -> object:
        if not isinstance(path, int) and Path(path) in refusing:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)  # whoever runs this may be allowed everything

    def lock() -> None:
        refusing.append(folder / "2020")
        (folder / "bee.txt").write_text("A bee visits three thousand flowers.")

    def unlock() -> None:
        refusing.clear()
        (folder / "2020" / "dam.md").unlink()

    first, locked, unlocked = followed(library, folder, lock, lambda: None, lambda: None, unlock)
    assert len(steps(first)) == 2
    assert steps(locked) == [("updated", "bee")]
    assert isinstance(locked, Followed)
    [told] = locked.failed
    assert str(told).startswith(f"{folder / '2020'}: cannot be looked at: Permission denied")
    assert steps(unlocked) == [("removed", "dam")]


def test_a_collection_that_cannot_be_looked_at_now_is_tried_again(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, failing = library.version, [True]

    def guarded(name: str) -> object:
        if failing:
            failing.pop()
            raise IndexUnreadableError("the disk is away")
        return version(name)

    news = followed(
        library,
        folder,
        lambda: monkeypatch.setattr(library, "version", guarded),
        (folder / "bee.txt").unlink,
        lambda: None,
        lambda: None,
        lambda: None,
    )
    first, error, last = news
    assert len(steps(first)) == 2
    assert isinstance(error, IndexUnreadableError)
    assert steps(last) == [("removed", "bee")]


def test_an_error_that_may_pass_is_told_once_and_tried_again(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collections.save_index
    full = StorageError("the disk is full")

    def fails(*_: object) -> None:
        raise full

    monkeypatch.setattr(collections, "save_index", fails)
    pauses: list[float] = []
    mended = lambda: monkeypatch.setattr(collections, "save_index", whole)  # noqa: E731
    news = followed(library, folder, lambda: None, mended, lambda: None, pauses=pauses)
    assert news[0] is full
    assert steps(news[1]) == [("added", "dam"), ("added", "bee")]
    assert len(news) == 2
    assert [seconds >= RETRY_SECONDS for seconds in pauses[:4]] == [True, True, False, False]
    assert min(pauses) >= SECONDS


def test_what_does_not_pass_ends_it(library: Library, folder: Path, settings: Settings) -> None:
    for name, says in (("seeds", "follows the folder"), ("a/b", "cannot be a collection's name")):
        with pytest.raises(CollectionError, match=says):
            next(follow(library, folder, name))
    followed(library, folder)
    (settings.indexes / "mine" / "manifest.json").write_text("{")
    with pytest.raises(IndexDamagedError):
        next(follow(library, folder, "mine"))


def test_programs_are_answered_from_the_folder_as_it_is_now(library: Library, folder: Path, pipeline: Pipeline) -> None:
    followed(library, folder)
    served = Articles(ServedCollection(pipeline.over(library.open("mine")), "mine", library), library=library)
    assert [named.name for named in served.named()] == ["mine", "mine:dam", "mine:bee"]
    followed(library, folder, (folder / "bee.txt").unlink, lambda: (folder / "owl.txt").write_text("Seven owls."))
    assert set(served.pipeline("mine").index.documents) == {"dam", "owl"}


def test_the_command_tells_line_by_line_and_ends_with_ctrl_c(
    home: Path,
    folder: Path,
    embedder: FakeEmbedder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[Callable[[], object]] = [
        lambda: (folder / "bad.txt").write_bytes(b""),
        lambda: (folder / "2020" / "dam.md").rename(folder / "lakes.md"),
        lambda: None,
        lambda: (folder / "long.txt").write_text(" ".join(PARAGRAPHS)),
        lambda: None,
        lambda: (folder / "copy.txt").write_text(" ".join(PARAGRAPHS)),
        lambda: None,
        lambda: None,
    ]

    def pause(_: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    real = rag.cli.commands.follow
    monkeypatch.setattr(rag.cli.commands, "follow", lambda *given: real(*given, pause=pause))
    assert main(["--home", str(home), "watch", str(folder), "--collection", "mine"], embedder=embedder) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"mine follows {folder} until Ctrl-C",
        "added    dam                      2020/dam.md",
        "added    bee                      bee.txt",
        "mine: 2 article(s), in step with the folder",
        "moved    dam                      2020/dam.md -> lakes.md",
        "mine: 2 article(s), in step with the folder",
        "added    long                     long.txt",
        "mine: 3 article(s), in step with the folder",
        "added    copy                     copy.txt (nearly the same as long: 100% of the shorter one stands in both)",
        "mine: 4 article(s), in step with the folder",
    ]
    assert err == f"article-chat: error: {folder}/bad.txt: it is empty; there is nothing to ask about\n"


@pytest.mark.parametrize("given", ["gone", "papers/bee.txt"])
def test_what_is_no_folder_is_refused_in_one_line(
    home: Path, folder: Path, embedder: FakeEmbedder, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    assert main(["--home", str(home), "watch", str(home / given)], embedder=embedder) == 2
    err = capsys.readouterr().err
    assert err.endswith(f"{given} is no folder; name the folder whose articles the collection is to have\n")


@pytest.mark.e2e
def test_a_real_run_follows_real_changes_until_it_is_interrupted(home: Path, folder: Path) -> None:
    # What a shell starts in the background ignores Ctrl-C, and so does what that starts.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from rag.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    told = ["--home", str(home), "watch", str(folder), "--collection", "mine"]
    with subprocess.Popen([sys.executable, "-c", program, *told], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        lines = iter(watch.stdout.readline, "")
        assert [next(lines).split()[0] for _ in range(4)] == ["mine", "added", "added", "mine:"]
        (folder / "bee.txt").rename(folder / "flowers.txt")
        assert next(lines) == "moved    bee                      bee.txt -> flowers.txt\n"
        assert next(lines) == "mine: 2 article(s), in step with the folder\n"
        watch.send_signal(signal.SIGINT)
        assert watch.wait(60) == 0
        assert next(lines, "") == ""
