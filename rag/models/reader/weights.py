"""The reader's weights: where they lie, what tells them from others, and the network that they make, loaded once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import ModelError
from rag.models.embeddings import packaged_model_path
from rag.models.lazy import Lazy

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from rag.models.reader.network import Calibration, ReaderNetwork

WEIGHTS = Path(__file__).parents[2] / "weights" / "reader.safetensors"
_INSTALL = "where that stays so, install article-chat again"


@dataclass(frozen=True, slots=True)
class LoadedReader:
    """The network with what it needs: its calibration and its tokeniser."""

    network: ReaderNetwork
    calibration: Calibration
    tokenizer: Tokenizer


@cache
def weights_fingerprint() -> str:
    """Tells these weights from others: an index remembers it, as its sentences depend on them.

    Raises ModelError where the file is not what the checksum beside it says: a flipped bit would change every
    probability, and nobody would know.
    """
    try:
        found = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
        expected = WEIGHTS.with_name(f"{WEIGHTS.name}.sha256").read_bytes().partition(b" ")[0]
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read ({error.strerror}); {_INSTALL}") from error
    if found.encode() != expected:
        raise ModelError(f"{WEIGHTS} is damaged, as its SHA-256 is another; {_INSTALL}")
    return found[:16]


def _load() -> LoadedReader:
    from rag.models.encoder import plain_tokenizer
    from rag.models.reader.network import load

    weights_fingerprint()  # are they whole?
    model = packaged_model_path()
    network, calibration = load(WEIGHTS, model / "model.safetensors")
    return LoadedReader(network, calibration, plain_tokenizer(model))


READER = Lazy(_load)
"""One network for all readers of the process; it runs beside the embedder and the language model, but not twice."""
