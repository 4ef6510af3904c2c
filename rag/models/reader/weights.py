"""The reader's weights: where they lie, what tells them from others, and the network that they make, loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.models.embeddings import packaged_model_path
from rag.models.lazy import Lazy
from rag.models.weights import FOLDER, fingerprint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.models.reader.network import Calibration, ReaderNetwork

WEIGHTS = FOLDER / "reader.safetensors"


@dataclass(frozen=True, slots=True)
class LoadedReader:
    """The network with what it needs: its calibration and its tokeniser."""

    network: ReaderNetwork
    calibration: Calibration
    tokenizer: Tokenizer


def weights_fingerprint() -> str:
    """Tells these weights from others: an index remembers it, as its sentences depend on them."""
    return fingerprint(WEIGHTS)


def _load() -> LoadedReader:
    from rag.models.encoder import plain_tokenizer
    from rag.models.reader.network import load

    weights_fingerprint()  # are they whole?
    model = packaged_model_path()
    network, calibration = load(WEIGHTS, model / "model.safetensors")
    return LoadedReader(network, calibration, plain_tokenizer(model))


READER = Lazy(_load)
"""One network for all readers of the process; it runs beside the embedder and the language model, but not twice."""
