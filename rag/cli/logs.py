"""The log: for people as plain lines, for programs as a JSON object a line, without a word of anybody's."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType

from rag.cli.terminal import plain

NAME = "article-chat"
OURS = ("rag", "ui")
"""Whose messages are told as they stand in the source: they are constants, with places for what differs."""
log = logging.getLogger(__name__)


class PlainFormatter(logging.Formatter):
    """Formats a record, its traceback too, as plain text: a file's name or a request may be a stranger's."""

    def __init__(self) -> None:
        super().__init__(f"{NAME}: %(level)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return plain(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, event, and the `facts` that it was given.

    No text of a document, a question or an answer gets into it: of what fills a message only numbers are told, of an
    error its kind and where it was raised, and of a library's message where it was logged. Only what ends a command is
    told whole.
    """

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.split(".")[0] in OURS
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _message(record) if ours else f"logged at {record.module}:{record.lineno}",
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            told |= {"error": type(record.exc_info[1]).__name__, "raised": _places(record.exc_info[2])}
        return json.dumps(told)


@contextmanager
def logged() -> Iterator[Callable[[], None]]:
    """Show on standard error what is logged as a warning, by a library too, while a command runs. From when what this
    yields is called, it is JSON, and has what is only worth knowing of a server, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter())
    handler.setLevel(logging.WARNING)
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in OURS]
    before = threading.excepthook

    def for_programs() -> None:
        handler.setFormatter(JsonFormatter())
        handler.setLevel(logging.INFO)
        for logger in ours:
            logger.setLevel(logging.INFO)
        logging.captureWarnings(capture=True)
        threading.excepthook = _log_end_of_thread

    root.addHandler(handler)
    try:
        yield for_programs
    finally:
        root.removeHandler(handler)
        for logger in ours:
            logger.setLevel(logging.NOTSET)
        logging.captureWarnings(capture=False)
        threading.excepthook = before


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    error = ended.exc_value or ended.exc_type()
    log.error("a thread ended with an error", exc_info=(ended.exc_type, error, ended.exc_traceback))


def _message(record: logging.LogRecord) -> str:
    """The message, with "…" for each text that it was filled with, and its kind for an error."""
    values = record.args if isinstance(record.args, tuple) else ()
    return record.msg % tuple(map(_harmless, values)) if values else str(record.msg)


def _harmless(value: object) -> object:
    if isinstance(value, int | float):
        return value
    return type(value).__name__ if isinstance(value, Exception) else "…"


def _places(traceback: TracebackType | None) -> list[str]:
    """The modules and lines by way of which an error came, the innermost last."""
    places = []
    while traceback is not None:
        places.append(f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return places
