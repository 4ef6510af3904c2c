"""A collection that follows a folder, until it is ended: looks at the folder again and again, and brings it in step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from rag.errors import DocumentError, IndexUnreadableError, StorageError
from rag.library.changes import Followed
from rag.library.collections import Library, stamp

SECONDS = 1.0
"""Between two looks at the folder; more where a look takes long, so that looking takes a twentieth of the time."""
RETRY_SECONDS = 30.0
"""After what may pass, such as a full disk."""
MOST_LOOKS = 30
"""After so many looks that all differ, what changes without end is not waited for."""
Stamps: TypeAlias = Mapping[Path, tuple[int, ...]]
"""What tells each file from what it was before: a change of it changes this."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The files of a folder with their stamps, and what in it cannot be looked at, with an error that says so."""

    files: Stamps
    unseen: Mapping[Path, str]


def follow(
    library: Library, folder: Path, name: str, *, pause: Callable[[float], None] = time.sleep
) -> Iterator[Followed | StorageError | IndexUnreadableError | None]:
    """What was done, first at once and then after each change of the folder, once nothing changes any more: a burst of
    changes is one. Ends only where `pause` raises.

    None stands for a folder that is gone, which changes nothing: it may come back. After an error that may pass, it is
    tried again; each is told once. Only files that have changed are read, and the articles of a file or folder that
    cannot be looked at now, which is told, too, stay as they were.
    """
    in_step: _Seen | None = None
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
            try:
                known = in_step.files if in_step is not None and library.version(name) is not None else {}
                changed = {path for path, stamp in now.files.items() if stamp != known.get(path)}
                done = library.follow(folder, name, now.files.keys(), changed, now.unseen.keys())
            except (StorageError, IndexUnreadableError) as error:
                seconds = RETRY_SECONDS
                if str(error) != told:
                    told = str(error)
                    yield error
            else:
                in_step, differing, told = now, 0, ""
                yield replace(done, failed=(*done.failed, *map(DocumentError, now.unseen.values())))
        before = now
        pause(max(seconds, 20 * looked))


def _look(library: Library, folder: Path) -> _Seen | None:
    """The files that can be read as articles, with their stamps; None where there is no folder."""
    while os.path.isdir(folder):  # noqa: PTH112  # unlike Path's, it never raises
        unseen: dict[Path, str] = {}

        def failed(path: Path, error: OSError, unseen: dict[Path, str] = unseen) -> None:
            unseen[path] = f"{path}: cannot be looked at: {error.strerror or error}; allow reading it"

        with suppress(FileNotFoundError):  # something in it has just gone: look again
            return _Seen({path: stamp(path.stat()) for path in library.files([folder], failed)}, unseen)
    return None
