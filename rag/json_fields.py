"""JSON from a file -> values of the kinds that are expected, or a ValueError whose one line says what is wrong."""

from __future__ import annotations

import json
from reprlib import repr as shortened
from typing import Any, TypeVar

T = TypeVar("T")
_KINDS = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


def parsed(text: str | bytes) -> Any:
    """The value that the text spells; raises ValueError where it is not JSON."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("not JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def of_kind(value: Any, kind: type[T], name: str) -> T:
    """The value itself; raises ValueError, which names it, where it is of another kind (true is no whole number) or a
    text that no file can hold.
    """
    if type(value) is not kind:
        raise ValueError(f"{name} is not {_KINDS[kind]}")
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair, which JSON can spell, is no text
    return value


def member(entry: Any, name: str, kind: type[T]) -> T:
    """What the object has under the name; raises ValueError where it is no object, or has none or of another kind."""
    if type(entry) is not dict:
        raise ValueError(f"{shortened(entry)} is not an object")
    if name not in entry:
        raise ValueError(f"the field {name!r} is missing")
    return of_kind(entry[name], kind, name)
