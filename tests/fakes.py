"""Small deterministic stand-ins for the heavy models: they can be read, and what went through them can be asked."""

from __future__ import annotations

import math
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from rag.library.index import lexical_tokens
from rag.models.checker import Claim, Verdict
from rag.models.embeddings import TextsDone
from rag.models.llm import Prompt, Token
from rag.sentences import split_sentences
from rag.types import Document, FloatArray, Quote, Reading, RetrievedPassage, Span


class FakeEmbedder:
    """A bag of words: each word (its first five letters, lower-cased) adds 1 to one place of the vector.

    So texts that share words are similar, the same text has cosine 1, and a word piece is a word. `embedded` holds
    every text that was embedded, in order, questions included.
    """

    def __init__(self, name: str = "fake-bag-of-words", dimension: int = 256) -> None:
        self.name = name
        self.dimension = dimension
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        self.embedded += texts
        vectors = np.zeros((len(texts), self.dimension), np.float32)  # (n, d)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word[:5].encode()) % self.dimension] += 1
            row[0] += not row.any()  # a text without a word still has a unit vector
        if progress is not None:
            progress(len(texts))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_pieces(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class GatedEmbedder(FakeEmbedder):
    """Embeds nothing until `let` is set; `begun` is set once it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        self.begun.set()
        assert self.let.wait(60)
        return super().embed(texts, query=query, progress=progress)


class OverlapReader:
    """Quotes the sentences that share most words with the question; `answerable` is the share of its words they have.

    A quote's highlight is its first capitalised word that the question does not have, if there is one.
    """

    name = "overlap"

    def read(
        self, question: str, documents: Mapping[str, Document], passages: Sequence[RetrievedPassage], *, max_quotes: int
    ) -> Reading:
        asked = set(lexical_tokens([question])[0]) - set(lexical_tokens(["who what when where why how did does"])[0])
        quotes: dict[tuple[str, Span], Quote] = {}
        for passage in (retrieved.passage for retrieved in passages):
            for s in split_sentences(passage.text):
                span = Span(passage.span.start + s.start, passage.span.start + s.end)
                text = passage.text[s.start : s.end]
                shared = asked & set(lexical_tokens([text])[0])
                new = [m for m in re.finditer(r"[A-Z]\w+", text) if m[0] not in question]
                highlight = Span(span.start + new[0].start(), span.start + new[0].end()) if new else None
                score = len(shared) / max(1, len(asked))
                quotes[passage.document_id, span] = Quote(passage.document_id, span, text, score, highlight)
        best = sorted((q for q in quotes.values() if q.score), key=lambda q: (-q.score, q.document_id, q.span.start))
        return Reading(tuple(best[:max_quotes]), best[0].score if best else 0.0)


class OverlapChecker:
    """`supported` is the share of the statement's words that the quotes have; everything answers."""

    def check(self, claims: Sequence[Claim]) -> list[Verdict]:
        verdicts = []
        for claim in claims:
            said, there = (set(tokens) for tokens in lexical_tokens([claim.statement, claim.quotes]))
            verdicts.append(Verdict(len(said & there) / max(1, len(said)), 0.9))
        return verdicts


class ScriptedModel:
    """Replies with the next of `replies`, word by word, and with nothing once they are used up.

    `prompts` holds every prompt that it replied to, `studied` those that it read beforehand. A word counts as a token
    of probability 0.9; a refusal is as likely as `refusal` says, in nats; `seconds` is not looked at.
    """

    def __init__(self, replies: Iterable[str] = (), name: str = "scripted", *, reads: bool = False) -> None:
        self.name = name
        self.reads = reads
        self.tuned = False
        self.refusal = -6.0
        self.replies = list(replies)
        self.prompts: list[Prompt] = []
        self.studied: list[Prompt] = []

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        self.prompts.append(prompt)
        reply = self.replies.pop(0) if self.replies else ""
        for written, piece in enumerate(re.findall(r"\s*\S+|\s+$", reply)):
            if written >= max_tokens or stopped():
                return
            yield Token(piece, math.log(0.9))

    def likelihood(self, prompt: Prompt, reply: str, *, stopped: Callable[[], bool]) -> float | None:
        return None if stopped() else self.refusal

    def knows(self, prompt: Prompt) -> bool:
        return prompt in self.studied

    def study(
        self,
        prompt: Prompt,
        progress: Callable[[int, int], None],
        stopped: Callable[[], bool],
        busy: Callable[[], bool] = lambda: False,
    ) -> bool:
        total = sum(len(message.content.split()) for message in prompt.messages)
        for done in range(0, total + 1, max(1, total // 4)):
            while busy() and not stopped():
                time.sleep(0.01)
            if stopped():
                return False
            progress(done, total)
        self.studied.append(prompt)
        return True


class GatedModel(ScriptedModel):
    """Writes nothing until `gate` is set; `begun` is set once it is asked to, `was_stopped` where it was stopped."""

    def __init__(self, *replies: str) -> None:
        super().__init__(replies, name="gated")
        self.begun, self.gate, self.was_stopped = threading.Event(), threading.Event(), threading.Event()

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        self.begun.set()
        while not self.gate.wait(0.02):
            if stopped():
                self.was_stopped.set()
                return
        yield from super().generate(prompt, max_tokens=max_tokens, seconds=seconds, stopped=stopped, avoid=avoid)
