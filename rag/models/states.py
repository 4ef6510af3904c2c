"""What a language model holds of a text, kept in a folder: checked when read, written in one step, of limited size."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

FOLDER = "read"
"""The folder, beside an index, that holds the states of what a model has read of it."""
_SUFFIX = ".state"


def exists(folder: Path, key: str) -> bool:
    """Whether a state of this name is kept in the folder."""
    return (folder / (key + _SUFFIX)).is_file()


def load(folder: Path, key: str) -> bytes | None:
    """The state of this name; None where there is none, or, and then it is removed, where its checksum is wrong."""
    path = folder / (key + _SUFFIX)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # such as on a disk that is only read
        os.utime(path)  # it was used: others go first
    checksum, state = data[:32], data[32:]
    if hashlib.sha256(state).digest() != checksum:
        remove(folder, key)
        return None
    return state


def save(folder: Path, key: str, state: bytes) -> None:
    """Keep the state under this name; where that fails, such as on a full disk, nothing is kept."""
    path = folder / (key + _SUFFIX)
    temporary = path.with_suffix(f".{os.getpid()}.new")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)  # where the index was removed meanwhile, its folder is not made again
        with open(temporary, "wb", opener=_private) as file:  # Path.open takes no opener
            file.write(hashlib.sha256(state).digest())
            file.write(state)
        temporary.replace(path)
    except OSError:
        _unlink(temporary)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove(folder: Path, key: str) -> None:
    """Keep the state of this name no longer."""
    _unlink(folder / (key + _SUFFIX))


def trim(root: Path, megabytes: float) -> None:
    """Remove the states below the folder that were not used for longest, until the others fit."""
    kept = []
    for path in root.rglob(f"{FOLDER}/*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # it is being removed
            kept.append((path.stat().st_mtime, path.stat().st_size, path))
    size = sum(bytes_ for _, bytes_, _ in kept)
    for _, bytes_, path in sorted(kept, key=lambda state: state[0]):
        if size <= megabytes * 1_000_000:
            return
        _unlink(path)
        size -= bytes_


def _unlink(path: Path) -> None:
    with suppress(OSError):  # it is gone already, or the disk is only read
        path.unlink()
