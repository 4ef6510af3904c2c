"""A system in a process of its own: a line of JSON comes in, a line of JSON goes out.

    {"do": "start", "models": {…}}                    -> {"versions": {…}}
    {"do": "prepare", "title", "text"}                -> {"seconds", "read_tokens"}
    {"do": "ask", "question", "history": [[q, a], …]} -> the reply's fields, "read_tokens", "written_tokens"

Each answer has the process's "peak_mb"; where something failed it is {"error"}. Imports nothing of `rag`, so that it
runs in every virtual environment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from benchmarks.systems.catalogue import SYSTEMS
from benchmarks.systems.contract import Models, System, Turn

PACKAGES = (
    "langchain",
    "langchain-community",
    "llama-index-core",
    "llama-cpp-python",
    "sentence-transformers",
    "faiss-cpu",
)


class Tokens:
    """What llama.cpp evaluates in this process, whoever asks it to: tokens of prompts, and those written one by one."""

    def __init__(self) -> None:
        self.read = self.written = 0

    def count(self) -> None:
        """Count from now on."""
        from llama_cpp._internals import LlamaContext

        decode = LlamaContext.decode

        def counted(context: Any, batch: Any) -> None:
            tokens = batch.n_tokens()
            self.read += tokens if tokens > 1 else 0
            self.written += tokens == 1
            decode(context, batch)

        setattr(LlamaContext, "decode", counted)  # noqa: B010  # to a type checker, methods are not to be replaced

    def since(self, read: int, written: int) -> dict[str, int]:
        """How many more there are than so many."""
        return {"read_tokens": self.read - read, "written_tokens": self.written - written}


def serve(build: Callable[[Models], System], tokens: Tokens, lines: Iterable[str], out: TextIO) -> None:
    """Answer each line until there are no more; what a system raises is told, and the next line is answered."""
    systems: list[System] = []
    for line in lines:
        request = json.loads(line)
        try:
            told = _answer(request, build, tokens, systems)
        except Exception as error:  # noqa: BLE001  # whatever a stranger's library raises
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({**told, "peak_mb": peak_mb()}), file=out, flush=True)


def _answer(
    request: dict[str, Any], build: Callable[[Models], System], tokens: Tokens, systems: list[System]
) -> dict[str, Any]:
    read, written = tokens.read, tokens.written
    match request["do"]:
        case "start":
            systems.append(build(Models(**request["models"])))
            return {"versions": versions()}
        case "prepare":
            start = time.perf_counter()
            systems[0].prepare(request["title"], request["text"])
            return {"seconds": time.perf_counter() - start, **tokens.since(read, written)}
        case "ask":
            history = tuple(Turn(*turn) for turn in request["history"])
            return {**asdict(systems[0].ask(request["question"], history)), **tokens.since(read, written)}
        case unknown:
            raise ValueError(f"there is no {unknown!r} to do")


def peak_mb() -> float:
    """The most memory that this process held so far, in megabytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # unlike getrusage, it leaves out what the process held before it became this program
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def versions() -> dict[str, str]:
    """The versions of the packages that matter, of those that are here."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Serve the system that the command line names; whatever libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        tokens = Tokens()

        def build(models: Models) -> System:
            tokens.count()
            return SYSTEMS[sys.argv[1]].build(models)

        serve(build, tokens, sys.stdin, out)


if __name__ == "__main__":
    main()
