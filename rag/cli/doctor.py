"""What `article-chat doctor` looks at, one thing after the other: each is in order, worth knowing, or wrong."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import httpx
from packaging.requirements import Requirement

from rag.api.sockets import bind
from rag.errors import ArticleChatError, ModelError
from rag.ingest.sandbox import reachable
from rag.library.shelf import FOLDER as OWNERS
from rag.models import weights
from rag.models.catalogue import CATALOGUE, check_writer, find_writer, free_memory
from rag.models.embeddings import Embedder
from rag.models.llm import LanguageModel, Message, Prompt
from rag.models.writers import addresses, open_writers
from rag.settings import Settings

NAME = "article-chat"
LEAST_DISK = 500_000_000
"""Bytes: an article that is read takes 60 MB, and an index is written beside the one that it replaces."""
LEAST_MEMORY = 1_000_000_000
"""Bytes that all but the language model take."""
_TEXT = "The ferry was two hours late on Monday, as the pilot had fallen ill, and the next one left on Tuesday. " * 8
_TOKENS = 24
_AGAIN = "where that stays so, install article-chat again"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: "ok", "note" for what is worth knowing, or "wrong" with what to do."""

    verdict: Literal["ok", "note", "wrong"]
    said: str


def examine(settings: Settings, embedder: Embedder, port: int) -> Iterator[Finding]:
    """Each finding, as it is made; the last ones load the models, which takes a while."""
    yield Finding("ok", f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _packages()
    yield _sandbox()
    yield _indexes(settings.indexes)
    yield _private(settings.indexes / OWNERS)
    yield from _disks(settings)
    yield _port(port)
    yield _weights()
    yield _writer_file(settings)
    yield _memory(settings)
    yield _embedder(embedder)
    yield from _speeds(settings)


def _packages() -> Finding:
    """Whether each package that the program needs is there in a version that it can use."""
    try:
        needed = [Requirement(line) for line in requires(NAME) or ()]
    except PackageNotFoundError:
        return Finding("wrong", f"{NAME} is not installed as a package: make chat, or pip install")
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = []
    for one in needed:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            found = "missing"
        if found == "missing" or not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} is {found}, and {one.specifier} is needed")
    if wrong:
        return Finding("wrong", f"packages: {'; '.join(wrong)}: make chat, or pip install {NAME} again")
    shown = ", ".join(f"{name} {version(name)}" for name in ("gradio", "faiss-cpu", "llama-cpp-python", "torch"))
    return Finding("ok", f"packages: all {len(needed)} as needed, among them {shown}")


def _sandbox() -> Finding:
    if open_to_files := reachable():
        what = " and ".join(open_to_files)
        return Finding(
            "note",
            f"sandbox: what reads files could reach {what} on this system; Linux 5.13 or "
            "newer, with Landlock and seccomp, keeps it from that",
        )
    return Finding("ok", "sandbox: what reads files reaches neither files nor the network")


def _indexes(folder: Path) -> Finding:
    """Whether the folder of the indexes, or the one in which it is to be, can be written."""
    nearest = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
    except OSError as error:
        why = error.strerror or str(error)
        return Finding("wrong", f"indexes: {nearest} cannot be written ({why}); change that, or choose another --home")
    return Finding("ok", f"indexes: {folder} can be written")


def _private(folder: Path) -> Finding:
    """Whether nobody else on this computer can read what visitors bring."""
    try:
        mode = folder.stat().st_mode & 0o777
    except OSError:
        return Finding("ok", "visitors' articles: none yet")
    if os.name == "posix" and mode & 0o077:
        return Finding("wrong", f"visitors' articles: others on this computer can read them: chmod 700 {folder}")
    return Finding("ok", "visitors' articles: no other user of this computer can read them")


def _disks(settings: Settings) -> Iterator[Finding]:
    for what, folder in (("indexes", settings.indexes), ("models", settings.model_cache)):
        free = shutil.disk_usage(_nearest(folder)).free
        said = f"disk: {free / 1e9:.1f} GB are free for {what}"
        if free < LEAST_DISK:
            yield Finding("wrong", f"{said}, and {LEAST_DISK / 1e9:.1f} are needed: free some in {_nearest(folder)}")
        else:
            yield Finding("ok", said)


def _port(port: int) -> Finding:
    try:
        bind("127.0.0.1", port).close()
    except PermissionError:
        return Finding("wrong", f"port {port} is not allowed; choose another: {NAME} serve --port 7860")
    except OSError:
        if state := _served_at(port):
            return Finding("note", f"port {port}: {NAME} serves there already, and is {state}")
        return Finding("wrong", f"port {port} is taken by another program; choose another: {NAME} serve --port N")
    return Finding("ok", f"port {port} is free")


def _served_at(port: int) -> str:
    """What article-chat says of itself at the port; "" where something else, or nothing, answers."""
    try:
        said = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).json()["status"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return ""
    return str(said) if said in {"ready", "loading", "failed", "unresponsive"} else ""


def _weights() -> Finding:
    names = [path.name.removesuffix(".sha256") for path in sorted(weights.FOLDER.glob("*.sha256"))]
    try:
        for name in names:
            weights.fingerprint(weights.FOLDER / name)
    except ModelError as error:
        return Finding("wrong", f"weights: {error}")
    if not names:
        return Finding("wrong", f"weights: {weights.FOLDER} has none; {_AGAIN}")
    return Finding("ok", f"weights: {', '.join(names)} are as they were trained, by their SHA-256")


def _writer_file(settings: Settings) -> Finding:
    """Whether the writer that the settings name, and the known ones that were fetched, are whole."""
    folders = (settings.models, settings.model_cache)
    fetched = [folder / model.file_name for folder in folders for model in CATALOGUE]
    try:
        servers, own = addresses(settings)
        for path in filter(Path.is_file, fetched):
            check_writer(path)
        chosen = find_writer(replace(settings, llm=own))
        model = check_writer(chosen) if chosen is not None else None
    except ArticleChatError as error:
        return Finding("wrong", f"writer: {error}")
    beside = f", behind {', '.join(server.url for server in servers)}" if servers else ""
    if chosen is None:
        return Finding("note", f"writer: none runs here{beside}")
    if model is None:
        return Finding("note", f"writer: {chosen}{beside}; it is none that is known by its SHA-256")
    better = CATALOGUE[0]
    if model != better and own == "auto":
        return Finding(
            "note",
            f"writer: the {model.name} one, whole by its SHA-256{beside}; the {better.name} one answers better: "
            f"{NAME} download, with {better.memory / 1e9:.1f} GB of memory free",
        )
    return Finding("ok", f"writer: the {model.name} one, whole by its SHA-256{beside}")


def _memory(settings: Settings) -> Finding:
    free = free_memory()
    if free == float("inf"):
        return Finding("note", "memory: this system does not tell how much is free")
    needed = LEAST_MEMORY
    with_writer = next((model.memory for model in CATALOGUE if model.name == settings.llm), CATALOGUE[-1].memory)
    needed += with_writer if settings.llm != "none" else 0
    said = f"memory: {free / 1e9:.1f} GB are free"
    if free < needed:
        return Finding("wrong", f"{said}, and {needed / 1e9:.1f} are needed: end other programs, or add --llm packaged")
    return Finding("ok", said)


def _embedder(embedder: Embedder) -> Finding:
    try:
        dimension = embedder.dimension
    except ArticleChatError as error:
        return Finding("wrong", f"embedder: {error}")
    return Finding("ok", f"embedder: {embedder.name}, {dimension} numbers for a passage")


def _speeds(settings: Settings) -> Iterator[Finding]:
    """How quickly each writer reads and writes."""
    try:
        writers = open_writers(settings)
    except ArticleChatError:
        return  # said before
    for model in writers:
        try:
            yield Finding("ok", f"speed: {model.name} {_speed(model)}")
        except ArticleChatError as error:
            yield Finding("wrong", f"speed: {error}")


def _speed(model: LanguageModel) -> str:
    """What the model takes for a small text, once it is loaded."""
    text = f"{time.time_ns()} {_TEXT}"  # read by nobody before
    lasting = Message("user", text), Message("assistant", "I have read it.")
    prompt, read = Prompt(lasting, lasting=2), [0]
    start = time.perf_counter()
    model.knows(prompt)  # which loads it
    loaded = time.perf_counter()
    model.study(prompt, lambda done, _: read.append(done), lambda: False)
    studied = time.perf_counter()
    asked = Prompt((*lasting, Message("user", "Tell another story, of an owl at sea, in many words.")), lasting=2)
    times = [time.perf_counter() for _ in model.generate(asked, max_tokens=_TOKENS, seconds=60, stopped=lambda: False)]
    if len(times) < 2:
        raise ModelError(f"{model.name} loads, and writes nothing; choose another with --llm")
    reading, writing = read[-1] / (studied - loaded), (len(times) - 1) / (times[-1] - times[0])
    return f"loads in {loaded - start:.1f} s, reads {reading:.0f} and writes {writing:.0f} tokens a second"


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
