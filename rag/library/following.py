"""A collection that follows a folder, until it is ended: looks at the folder again and again, and brings it in step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from rag.errors import IndexUnreadableError, StorageError
from rag.library.changes import Followed
from rag.library.collections import Library

SECONDS = 1.0
"""Between two looks at the folder; more where a look takes long, so that looking takes a twentieth of the time."""
RETRY_SECONDS = 30.0
"""After what may pass, such as a full disk."""
MOST_LOOKS = 30
"""After so many looks that all differ, what changes without end is not waited for."""
Stamps: TypeAlias = Mapping[Path, tuple[int, ...]]
"""What tells each file from what it was before: a change of it changes this."""


def follow(
    library: Library, folder: Path, name: str, *, pause: Callable[[float], None] = time.sleep
) -> Iterator[Followed | StorageError | IndexUnreadableError | None]:
    """What was done, first at once and then after each change of the folder, once nothing changes any more: a burst of
    changes is one. Ends only where `pause` raises.

    None stands for a folder that is gone, which changes nothing: it may come back. After an error that may pass, it is
    tried again; each is told once. Only files that have changed are read.
    """
    in_step: Stamps | None = None
    before, differing, told = _look(library, folder), 0, ""
    while True:
        began = time.monotonic()
        now = _look(library, folder)
        looked = time.monotonic() - began
        differing = 0 if now == before else differing + 1
        seconds = SECONDS
        if now is None:
            if before is not None or (in_step is None and not told):
                told = "gone"
                yield None
        elif now != in_step and (not differing or differing >= MOST_LOOKS):
            known = in_step if in_step is not None and library.version(name) is not None else {}
            try:
                done = library.follow(folder, name, set(now), {path for path in now if now[path] != known.get(path)})
            except (StorageError, IndexUnreadableError) as error:
                seconds = RETRY_SECONDS
                if str(error) != told:
                    told = str(error)
                    yield error
            else:
                in_step, differing, told = now, 0, ""
                yield done
        before = now
        pause(max(seconds, 20 * looked))


def _look(library: Library, folder: Path) -> Stamps | None:
    """The files that can be read as articles, with their stamps; None where there is no folder."""
    while folder.is_dir():
        with suppress(FileNotFoundError):  # something in it has just gone: look again
            return {path: _stamp(path.stat()) for path in library.files([folder])}
    return None


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
