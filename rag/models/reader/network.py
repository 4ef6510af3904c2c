"""The reader's network: MiniLM's encoder with a span head and a sentence-boundary head.

The word embeddings stay as packaged and frozen, so a weights file holds only what was trained: the encoder and two
linear heads, in float16. The encoder is BERT (Devlin et al. 2019) with post-layer normalisation.

Shapes: B sequences, T pieces, C = 384 channels, H = 12 heads.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

MAX_QUESTION_PIECES = 96
MAX_PIECES = 320
MAX_SPAN_PIECES = 30
_CLS, _SEP, _PAD = 101, 102, 0


def plain_tokenizer(model: Path) -> Tokenizer:
    """The tokenizer in a model's folder, without the truncation and padding that it comes with."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@dataclass(frozen=True)
class NetworkShape:
    """The sizes of an encoder; the defaults are all-MiniLM-L6-v2's."""

    layers: int = 6
    channels: int = 384
    heads: int = 12
    inner: int = 1536
    vocabulary: int = 30522
    positions: int = 512


@dataclass(frozen=True)
class Encoded:
    """A padded batch; column `first[b]` is the first passage piece of row b, `offsets[b]` its pieces' characters."""

    ids: Tensor  # (B, T) int64
    types: Tensor  # (B, T) int64, 1 on passage pieces and the last [SEP]
    mask: Tensor  # (B, T) bool, false on padding
    answerable: Tensor  # (B, T) bool, true where a span may start or end: column 0 ("no answer") and passage pieces
    first: tuple[int, ...]
    offsets: tuple[tuple[tuple[int, int], ...], ...]

    def to(self, device: torch.device) -> Encoded:
        """The same batch on a device."""
        ids, types, mask, answerable = (t.to(device) for t in (self.ids, self.types, self.mask, self.answerable))
        return Encoded(ids, types, mask, answerable, self.first, self.offsets)

    def columns(self, row: int, start: int, end: int) -> tuple[int, int] | None:
        """The columns of the first and last piece that touch these characters of a row's passage, None where it was cut
        off before their end.
        """
        pieces = self.offsets[row]
        touching = [n for n, (left, right) in enumerate(pieces) if left < end and right > start]
        if not touching or pieces[touching[-1]][1] < end - 1:
            return None
        return self.first[row] + touching[0], self.first[row] + touching[-1]


def encode(tokenizer: Tokenizer, passages: Sequence[str], questions: Sequence[str] | None = None) -> Encoded:
    """`[CLS] question [SEP] passage [SEP]` a row, or `[CLS] passage [SEP]` without questions.

    A question keeps its last 96 pieces (history stands first), a row at most 320; what is cut has no offsets.
    The tokenizer must neither truncate nor pad.
    """
    right = tokenizer.encode_batch(list(passages), add_special_tokens=False)
    left = tokenizer.encode_batch(list(questions), add_special_tokens=False) if questions is not None else None
    rows: list[list[int]] = []
    first: list[int] = []
    offsets: list[tuple[tuple[int, int], ...]] = []
    for number, passage in enumerate(right):
        head = [_CLS] if left is None else [_CLS, *left[number].ids[-MAX_QUESTION_PIECES:], _SEP]
        room = MAX_PIECES - len(head) - 1
        rows.append([*head, *passage.ids[:room], _SEP])
        first.append(len(head))
        offsets.append(tuple(passage.offsets[:room]))
    width = max(map(len, rows))
    ids: NDArray[np.int64] = np.full((len(rows), width), _PAD, dtype=np.int64)
    types = np.zeros_like(ids)
    answerable = np.zeros(ids.shape, dtype=bool)
    mask = np.zeros(ids.shape, dtype=bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = True
        types[number, first[number] : len(row)] = 0 if left is None else 1
        answerable[number, first[number] : len(row) - 1] = True
    answerable[:, 0] = True
    tensors = [torch.from_numpy(array) for array in (ids, types, mask, answerable)]
    return Encoded(tensors[0], tensors[1], tensors[2], tensors[3], tuple(first), tuple(offsets))


class _Layer(nn.Module):
    """One transformer layer; attention probabilities are not dropped, the two outputs are."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        c = shape.channels
        self.heads = shape.heads
        self.qkv = nn.Linear(c, 3 * c)
        self.out = nn.Linear(c, c)
        self.norm1 = nn.LayerNorm(c, eps=1e-12)
        self.up = nn.Linear(c, shape.inner)
        self.down = nn.Linear(shape.inner, c)
        self.norm2 = nn.LayerNorm(c, eps=1e-12)

    def forward(self, x: Tensor, bias: Tensor, drop: Dropout | None) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)  # (B, H, T, C/H)
        bias = bias.to(q.dtype)
        if self.training:  # on a CPU the fused kernel's backward pass is several times slower than this
            with torch.autocast(x.device.type, enabled=False):  # which would widen the (B, H, T, T) arrays to float32
                scores = (q * (c // self.heads) ** -0.5) @ k.transpose(-1, -2)
                mixed = scores.add_(bias).softmax(-1) @ v
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        y = self.out(mixed.transpose(1, 2).reshape(b, t, c))
        x = self.norm1(x + (drop(y) if drop else y))
        y = self.down(functional.gelu(self.up(x)))
        return self.norm2(x + (drop(y) if drop else y))  # type: ignore[no-any-return]


class Dropout:
    """Inverted dropout whose masks are slices of one random pool, which is far cheaper on a CPU than fresh masks."""

    def __init__(self, rate: float, seed: int, device: torch.device, size: int = 1 << 23) -> None:
        pool = torch.rand(size, generator=torch.Generator().manual_seed(seed)) >= rate
        self.pool = (pool.to(torch.bfloat16) / (1 - rate)).to(device)
        self.seed = seed
        self.random = np.random.default_rng(seed)

    def reseed(self, seed: int) -> None:
        """Make the next masks depend on this seed alone."""
        self.random = np.random.default_rng(seed)

    def __call__(self, x: Tensor) -> Tensor:
        start = int(self.random.integers(self.pool.numel() - x.numel()))
        return x * self.pool[start : start + x.numel()].view(x.shape)


class ReaderNetwork(nn.Module):
    """Frozen embeddings, a trained encoder, and two heads: span (start, end) and sentence boundary after a piece."""

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or NetworkShape()
        self.words = nn.Embedding(shape.vocabulary, shape.channels)
        self.places = nn.Embedding(shape.positions, shape.channels)
        self.kinds = nn.Embedding(2, shape.channels)
        self.norm = nn.LayerNorm(shape.channels, eps=1e-12)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.span = nn.Linear(shape.channels, 2)
        self.boundary = nn.Linear(shape.channels, 1)
        for module in self.frozen():
            module.requires_grad_(requires_grad=False)

    def frozen(self) -> tuple[nn.Module, ...]:
        """The packaged embeddings, which are neither trained nor saved."""
        return self.words, self.places, self.kinds, self.norm

    def forward(self, batch: Encoded, drop: Dropout | None = None) -> Tensor:
        """Hidden states (B, T, C) of a batch."""
        t = batch.ids.shape[1]
        x = self.norm(self.words(batch.ids) + self.places.weight[:t] + self.kinds(batch.types))
        bias = torch.zeros(batch.mask.shape, dtype=x.dtype, device=x.device)
        bias = bias.masked_fill(~batch.mask, torch.finfo(torch.float16).min)[:, None, None, :]  # (B, 1, 1, T)
        for layer in self.layers:
            x = layer(x, bias, drop)
        return x  # type: ignore[no-any-return]

    def spans(self, hidden: Tensor, answerable: Tensor) -> tuple[Tensor, Tensor]:
        """Start and end logits (B, T) in float32, -inf where no span may start or end; column 0 is "no answer"."""
        start, end = self.span(hidden).float().masked_fill(~answerable[..., None], -torch.inf).unbind(-1)
        return start, end

    def boundaries(self, hidden: Tensor) -> Tensor:
        """Logits (B, T) in float32 that a sentence ends after a piece; meant for the last piece of each word."""
        return self.boundary(hidden)[..., 0].float()  # type: ignore[no-any-return]


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as told, or ("auto") where the hardware multiplies such matrices."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())


@contextmanager
def fast_inference(device: torch.device) -> Iterator[None]:
    """What passes that do not train run in: without gradients, in the precision that is fastest on the device."""
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16("auto", device)):
        yield


@dataclass(frozen=True)
class ScoredSpan:
    """Characters start to end of a text, and start + end logit over those of "no answer": above 0 is an answer."""

    row: int
    start: int
    end: int
    score: float


def best_spans(start: Tensor, end: Tensor, encoded: Encoded, top: int) -> list[list[ScoredSpan]]:
    """The `top` best spans of each row, best first; they may overlap. `start` and `end` are logits (B, T)."""
    b, t = start.shape
    none = start[:, 0] + end[:, 0]
    start, end = start.clone(), functional.pad(end, (0, MAX_SPAN_PIECES - 1), value=-torch.inf)
    start[:, 0] = -torch.inf
    pairs = start[..., None] + end.unfold(1, MAX_SPAN_PIECES, 1)  # (B, T, longest): from column t, so many pieces on
    scores, places = pairs.reshape(b, -1).topk(min(top, t * MAX_SPAN_PIECES))
    scores = scores - none[:, None]
    found: list[list[ScoredSpan]] = [[] for _ in range(b)]
    for row, (own, at) in enumerate(zip(scores.tolist(), places.tolist(), strict=True)):
        pieces, first = encoded.offsets[row], encoded.first[row]
        for score, place in zip(own, at, strict=True):
            if score > -torch.inf:
                column, length = divmod(place, MAX_SPAN_PIECES)
                begin = column - first
                found[row].append(ScoredSpan(row, pieces[begin][0], pieces[begin + length][1], score))
    return found


def trained_state(network: ReaderNetwork) -> dict[str, Tensor]:
    """The parameters that training changes, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


@dataclass(frozen=True)
class Calibration:
    """From scores to probabilities: `sigmoid(slope * score + offset)`; `boundary` is the boundary threshold."""

    slope: float = 1.0
    offset: float = 0.0
    boundary: float = 0.5

    def probability(self, score: float) -> float:
        """The probability that a span of this score answers the question."""
        return float(1 / (1 + np.exp(-(self.slope * score + self.offset))))


def save(path: Path, state: Mapping[str, Tensor], calibration: Calibration, shape: NetworkShape) -> None:
    """Write trained parameters as float16 safetensors, calibration and shape in the metadata; replaced atomically."""
    half = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in state.items()}
    metadata = {"calibration": json.dumps(asdict(calibration)), "shape": json.dumps(asdict(shape))}
    partial = path.with_suffix(".partial")
    save_file(half, partial, metadata=metadata)
    partial.chmod(0o644)
    partial.replace(path)


def load(path: Path, base: Path) -> tuple[ReaderNetwork, Calibration]:
    """The network in evaluation mode, in float32, and its calibration; `base` is the packaged MiniLM's own file."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    network = ReaderNetwork(NetworkShape(**json.loads(metadata["shape"])))
    load_base(network, base)
    expected = set(trained_state(network))
    if set(state) != expected:
        message = f"{path} does not hold this network: {sorted(expected ^ set(state))[:3]}"
        raise ValueError(message)
    network.load_state_dict(state, strict=False)
    return network.eval(), Calibration(**json.loads(metadata["calibration"]))


_PARTS = {
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm2",
}


def load_base(network: ReaderNetwork, path: Path) -> None:
    """Copy the embeddings and, as a start for training, the encoder of a transformers BertModel file."""
    with safe_open(path, framework="pt") as file, torch.no_grad():

        def copy(target: Tensor, *sources: str) -> None:
            target.copy_(torch.cat([file.get_tensor(source) for source in sources]))

        copy(network.words.weight, "embeddings.word_embeddings.weight")
        copy(network.places.weight, "embeddings.position_embeddings.weight")
        copy(network.kinds.weight, "embeddings.token_type_embeddings.weight")
        for leaf in ("weight", "bias"):
            copy(getattr(network.norm, leaf), f"embeddings.LayerNorm.{leaf}")
            for number, layer in enumerate(network.layers):
                at = f"encoder.layer.{number}"
                qkv = (f"{at}.attention.self.{part}.{leaf}" for part in ("query", "key", "value"))
                copy(getattr(layer.qkv, leaf), *qkv)
                for source, part in _PARTS.items():
                    copy(getattr(getattr(layer, part), leaf), f"{at}.{source}.{leaf}")
