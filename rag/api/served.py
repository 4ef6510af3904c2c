"""A collection as other programs use it: open for long, and yet as it is on the disk now."""

from __future__ import annotations

import threading
from pathlib import Path

from rag.answer.pipeline import Pipeline
from rag.answer.studies import Studies
from rag.library.collections import Library
from rag.library.manifest import MANIFEST


class ServedCollection:
    """The pipeline over a collection, opened again where `index` or `remove` has changed that since.

    Whoever uses its models holds `turn`: they answer one at a time. The language model reads the articles, in the
    background, once somebody has used them.
    """

    def __init__(self, library: Library, name: str, pipeline: Pipeline) -> None:
        self.name = name
        self.turn = threading.Lock()
        self._library = library
        self._pipeline = pipeline
        self._studies = Studies()
        self._opening = threading.Lock()
        self._opened = self._stamp()

    def pipeline(self) -> Pipeline:
        """The pipeline over the articles of today; raises CollectionError where there are none any more."""
        with self._opening:
            if self._opened is None or self._opened != self._stamp():
                self._pipeline = self._pipeline.over(self._library.open(self.name))
                self._opened = self._stamp()
            self._studies.of(self._pipeline)
            return self._pipeline

    def close(self) -> None:
        """End the reading in the background, and wait for that."""
        self._studies.stop()

    def _stamp(self) -> tuple[int, int] | None:
        """What tells the collection's manifest from an earlier one; None where there is none."""
        folder = self._pipeline.index.folder
        try:
            found = Path(folder or "", MANIFEST).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
