"""The trained weights that come with the program: where they lie, and whether they are whole."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from rag.errors import ModelError

FOLDER = Path(__file__).parents[1] / "weights"
_INSTALL = "where that stays so, install article-chat again"


@cache
def fingerprint(path: Path) -> str:
    """What tells these weights from others.

    Raises ModelError where the file is not what the checksum beside it says: a flipped bit would change every
    probability, and nobody would know.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        expected = path.with_name(f"{path.name}.sha256").read_bytes().partition(b" ")[0]
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read ({error.strerror}); {_INSTALL}") from error
    if found.encode() != expected:
        raise ModelError(f"{path} is damaged, as its SHA-256 is another; {_INSTALL}")
    return found[:16]
