"""Files that are not what was written: refused with one line, built again, or harmless; never another answer."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEmbedder
from hubs import CONTENT, TINY
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import IndexDamagedError, ModelError
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.models import states
from rag.models.catalogue import find, sha256_of
from rag.models.checker import WEIGHTS
from rag.models.weights import fingerprint
from rag.settings import Settings
from rag.types import Document

TEXTS = ("The ferry was late on Monday. The pilot had fallen ill.", "Repairs to the dam will cost 40 million. 😀 Done.")
EMBEDDER = FakeEmbedder()


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What happens to files: a byte is another, is missing or is there twice; the end is cut off; a stretch is zeros or
    another's; more stands behind it; there is nothing.
    """
    kind = draw(st.sampled_from(["flip", "drop", "repeat", "cut", "zeros", "moved", "more", "empty"]))
    share, length, other = draw(st.floats(0, 1)), draw(st.integers(1, 64)), draw(st.binary(min_size=1, max_size=8))

    def mutated(data: bytes) -> bytes:
        at = min(int(share * len(data)), len(data) - 1)
        return {
            "flip": data[:at] + bytes([data[at] ^ (1 << length % 8)]) + data[at + 1 :],
            "drop": data[:at] + data[at + length :],
            "repeat": data[: at + length] + data[at:],
            "cut": data[:at],
            "zeros": data[:at] + bytes(min(length, len(data) - at)) + data[at + length :],
            "moved": data[length:] + data[:length],
            "more": data + other,
            "empty": b"",
        }[kind]

    return mutated


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with a collection of two articles and a state of what a model read of them."""
    home = tmp_path_factory.mktemp("home")
    Library(Settings(home=home, llm="none"), EMBEDDER).put(
        [Document(f"d{n}", f"Title {n}", text, f"{n}.txt") for n, text in enumerate(TEXTS)], "c"
    )
    states.save(home / "indexes" / "c" / states.FOLDER, "key", b"what was read" * 100)
    return home


def answers(index: PassageIndex) -> list[tuple[int, float]]:
    return index.search_dense("what will the dam cost?", 5) + index.search_lexical("why was the ferry late?", 5)


@given(data=st.data(), mutated=mutations())
def test_a_collection_is_refused_or_built_again_or_the_same(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, mutated: Callable[[bytes], bytes]
) -> None:
    home = tmp_path_factory.mktemp("mutated") / "home"
    shutil.copytree(whole, home)
    folder = home / "indexes" / "c"
    path = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
    path.write_bytes(mutated(path.read_bytes()))
    library = Library(Settings(home=home, llm="none"), EMBEDDER)
    refused: IndexDamagedError | None = None
    try:
        index = library.open("c")
    except IndexDamagedError as error:
        refused = error
    if refused is not None:
        assert path.name == "manifest.json" or path.parent.name == "documents", path
        assert re.fullmatch(r"the index in .+ is damaged: .+ `article-chat remove --collection c` .+", str(refused))
    else:
        assert tuple(document.text for document in index.documents.values()) == TEXTS
        before = answers(Library(Settings(home=whole), EMBEDDER).open("c"))
        np.testing.assert_allclose(answers(index), before, atol=1e-6)
    assert states.load(folder / states.FOLDER, "key") in {None, b"what was read" * 100}
    shutil.rmtree(home.parent)


@given(mutated=mutations())
def test_weights_are_refused(tmp_path_factory: pytest.TempPathFactory, mutated: Callable[[bytes], bytes]) -> None:
    path, data = tmp_path_factory.mktemp("weights") / WEIGHTS.name, bytes(range(256)) * 8
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
    path.write_bytes(changed := mutated(data))
    if changed == data:
        assert fingerprint(path) == hashlib.sha256(data).hexdigest()[:16]
    else:
        with pytest.raises(ModelError, match=r"is damaged, as its SHA-256 is another; .+install article-chat again"):
            fingerprint(path)
    shutil.rmtree(path.parent)


@given(mutated=mutations(), noted=st.booleans(), of_note=st.booleans())
def test_a_fetched_model_is_the_right_one_or_none(
    tmp_path_factory: pytest.TempPathFactory, mutated: Callable[[bytes], bytes], noted: bool, of_note: bool
) -> None:
    home = tmp_path_factory.mktemp("home")
    path = home / "models" / TINY.file_name
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    if noted or of_note:
        assert sha256_of(path) == TINY.sha256
    target = path.with_name(f"{path.name}.sha256") if of_note else path
    target.write_bytes(mutated(target.read_bytes()))
    found = find(TINY, Settings(home=home, model_cache=home / "cache"))
    assert found is None or found.read_bytes() == CONTENT
    shutil.rmtree(home)
