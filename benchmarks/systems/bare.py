"""A bare script: the top passages are put into the prompt, and that is all."""

from __future__ import annotations

from benchmarks.systems import llama_cpp_chat
from benchmarks.systems.contract import MAY_REFUSE, PASSAGES, Clock, Models, Reply, Turn

WORDS, SHARED = 160, 40
"""Words of a passage, and how many of them the next one has, too."""
PROMPT = "Answer the question about an article in one or two sentences, using only these passages of it."


class Bare:
    """sentence-transformers, a flat FAISS index of the inner product, and llama-cpp-python."""

    def __init__(self, models: Models, *, may_refuse: bool) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(models.threads)
        self._embedder = SentenceTransformer(models.embedder, device="cpu")
        self._llama = llama_cpp_chat.load(models)
        self._prompt = f"{PROMPT} {MAY_REFUSE}" if may_refuse else PROMPT

    def prepare(self, title: str, text: str) -> None:  # noqa: ARG002  # a bare script uses no title
        import faiss

        self._passages = passages(text)
        vectors = self._embedder.encode(self._passages, normalize_embeddings=True, show_progress_bar=False)  # (n, d)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        clock = Clock()
        vector = self._embedder.encode([question], normalize_embeddings=True, show_progress_bar=False)
        _, rows = self._index.search(vector, min(PASSAGES, len(self._passages)))
        found = tuple(self._passages[row] for row in rows[0])
        first_evidence = clock.seconds()
        pieces = llama_cpp_chat.chat(self._llama, "\n\n".join([self._prompt, *found]), question, history)
        return clock.reply(pieces, found, first_evidence)


def passages(text: str) -> list[str]:
    """The text in stretches of WORDS words, word for word, each beginning with the last SHARED words of the one
    before.
    """
    import re

    words = [match.span() for match in re.finditer(r"\S+", text)]
    starts = range(0, max(1, len(words) - SHARED), WORDS - SHARED)
    return [text[words[start][0] : words[min(start + WORDS, len(words)) - 1][1]] for start in starts]


def build(models: Models, *, may_refuse: bool) -> Bare:
    """The script, its models loaded."""
    return Bare(models, may_refuse=may_refuse)
