"""Systems in processes of their own, asked line by line."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.systems.catalogue import SYSTEMS
from benchmarks.systems.contract import Models
from rag.errors import ArticleChatError, UsageError
from rag.models.catalogue import find_writer
from rag.models.embeddings import packaged_model_path
from rag.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent


def models(llm: str, threads: int) -> Models:
    """The models that all systems get: the writer, as the setting `llm` names it, and the packaged embedder; raises
    UsageError where there is no such writer.
    """
    writer = find_writer(replace(load_settings(), llm=llm))
    if writer is None:
        raise UsageError("--llm must name a language model: standard, packaged or a .gguf file")
    return Models(str(writer), str(packaged_model_path()), threads)


class Process:
    """A system that runs: it is started at once, and `start_s` is how long it took until its models were loaded.

    It runs in the folder `root`, with the modules that lie there. Raises ArticleChatError where its virtual environment
    is not there, where it ends, or where it reports an error.
    """

    def __init__(
        self, name: str, models: Models, log: Path, command: Sequence[str] | None = None, *, root: Path = ROOT
    ) -> None:
        self.name, self._log = name, log
        if command is None:
            python = SYSTEMS[name].python
            if not python.exists():
                raise ArticleChatError(
                    f"{name} has no virtual environment {python.parent.parent}; `make bench` makes it"
                )
            command = [str(python), "-m", "benchmarks.worker", name]
        start = time.perf_counter()
        with log.open("a", encoding="utf-8") as errors:
            self._running = subprocess.Popen(  # noqa: S603  # our own command
                command,
                cwd=root,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            self.started = self.request(do="start", models=asdict(models))
        except ArticleChatError:
            self.stop()
            raise
        self.start_s = time.perf_counter() - start

    def request(self, **request: Any) -> dict[str, Any]:
        """What it answers to the request."""
        stdin, stdout = self._running.stdin, self._running.stdout
        assert stdin is not None  # noqa: S101
        assert stdout is not None  # noqa: S101
        try:
            print(json.dumps(request), file=stdin, flush=True)
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ArticleChatError(f"{self.name} ended with {self._running.wait()}; see the end of {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ArticleChatError(f"{self.name} failed: {answer['error']}; see {self._log}")
        return answer

    def stop(self) -> None:
        """End it, and wait for that."""
        self._running.terminate()
        with suppress(BrokenPipeError):
            self._running.communicate()


def environment() -> dict[str, str]:
    """The environment of a system: none of the developer's settings, no network, no telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARTICLE_CHAT_")}
    offline = ("HF_HUB_OFFLINE", "ANONYMIZED_TELEMETRY", "LANGSMITH_TRACING", "TOKENIZERS_PARALLELISM")
    return {**kept, **dict(zip(offline, ("1", "false", "false", "false"), strict=True))}
