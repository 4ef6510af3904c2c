"""The keys by which programs ask over the API, each somebody's; of a key only its hash is kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag import UsageError

SHORTEST_KEY = 20
"""Characters; so many, made at random, nobody guesses, and so wrong keys are not counted."""


class Keys:
    """Who asks by which key."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._hashes = {name: _hash(key) for name, key in keys.items()}

    @classmethod
    def read(cls, file: Path | None) -> Keys | None:
        """The keys in a file that has NAME:KEY on each line; None without a file.

        Raises UsageError for a file that cannot be read or has no key, and for a key that is too short or no header of
        HTTP can hold.
        """
        if file is None:
            return None
        keys = named_secrets([], file, "an API key", "NAME:KEY")
        for name, key in keys.items():
            if len(key) < SHORTEST_KEY or not (key.isascii() and key.isprintable() and " " not in key):
                raise UsageError(
                    f"{file}: the key of {name!r} must have {SHORTEST_KEY} or more letters, digits and signs, without "
                    "spaces; make one: openssl rand -hex 24"
                )
        return cls(keys)

    def name_of(self, key: str) -> str | None:
        """Whose key it is, None where it is nobody's; it takes as long for each."""
        given, found = _hash(key), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(given, known):
                found = name
        return found


def named_secrets(given: Sequence[str], file: Path | None, what: str, form: str, option: str = "") -> dict[str, str]:
    """The secret of each name in `given` pairs of `option`, and in the lines of a file of them; `what` and `form` say
    what they are and how they are written.

    Raises UsageError for a file that cannot be read and for what is no such pair; it does not repeat the pair.
    """
    found = [(pair, option) for pair in given]
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{file}: cannot be read: {reason}") from error
        found += [(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
        if not found:
            raise UsageError(f"{file}: there is no {what.split(maxsplit=1)[1]} in it; write {form} on a line")
    secrets: dict[str, str] = {}
    for pair, where in found:
        name, _, secret = pair.partition(":")
        if not name or not secret:
            raise UsageError(f"{where}: {what} is given as {form}")
        if name in secrets:
            raise UsageError(f"{where}: the name {name!r} is given twice")
        secrets[name] = secret
    return secrets


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
