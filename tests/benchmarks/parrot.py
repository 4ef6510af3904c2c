"""A small system that can be looked into: it answers with the first sentence that shares a word with the question."""

from __future__ import annotations

import os
import re
import sys

from benchmarks.systems.contract import Clock, Models, Reply, Turn
from benchmarks.worker import Tokens, serve


class Parrot:
    def __init__(self, models: Models) -> None:
        if models.writer == "missing":
            raise OSError("no such writer")

    def prepare(self, title: str, text: str) -> None:
        self.sentences = re.findall(r"[^.]+\.", text)

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        clock, words = Clock(), set(re.findall(r"\w{4,}", " ".join([question, *(turn.answer for turn in history)])))
        if "perish" in words:
            os._exit(3)
        found = tuple(s.strip() for s in self.sentences if words & set(re.findall(r"\w+", s)))[:1]
        return clock.reply(found or ("The article does not say.",), found, clock.seconds() if found else None)


if __name__ == "__main__":
    serve(Parrot, Tokens(), sys.stdin, sys.stdout)
