"""article-chat through its public Python door, as the page uses it: quotes first, then the checked answer."""

from __future__ import annotations

import tempfile
from itertools import count

import rag
from benchmarks.systems.contract import Clock, Models, Reply, Turn


class ArticleChat:
    """Indexes an article into a folder of its own, and lets the writer read it, before questions come."""

    def __init__(self, models: Models) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="article-chat-bench-")
        flags = {"home": self._home.name, "llm": models.writer, "threads": models.threads}
        self._settings = rag.load_settings(environment={}, flags=flags)
        self._library = rag.Library(self._settings)
        self._names = (f"article-{number}" for number in count())
        self._pipeline = rag.build_pipeline(
            self._library.open(self._put("Warm up", "The models load.")), self._settings
        )
        self._pipeline.warm_up()

    def prepare(self, title: str, text: str) -> None:
        self._pipeline = self._pipeline.over(self._library.open(self._put(title, text)))
        self._pipeline.study()

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        clock, first_evidence, answer = Clock(), None, None
        for progress in self._pipeline.stream(question, [rag.Turn(turn.question, turn.answer) for turn in history]):
            answer = progress.answer
            if first_evidence is None and answer.citations:
                first_evidence = clock.seconds()
        total = clock.seconds()
        if answer is None:
            raise RuntimeError("the pipeline yielded nothing")
        evidence = tuple(citation.quote for citation in answer.citations)
        return Reply(answer.spoken, evidence, first_evidence, total, total)

    def _put(self, title: str, text: str) -> str:
        """The name of a new collection that holds the article alone."""
        name = next(self._names)
        self._library.put([rag.Document(name, title, text, f"{name}.txt")], name)
        return name


def build(models: Models, *, may_refuse: bool) -> ArticleChat:  # noqa: ARG001  # it always may
    """article-chat with its defaults and these models; the embedder is the one that it comes with."""
    return ArticleChat(models)
