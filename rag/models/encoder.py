"""MiniLM's encoder, on which the reader and the checker are trained, each with heads of its own.

The word embeddings stay as packaged and frozen, so a weights file holds only what was trained: the encoder and its
heads, in float16. The encoder is BERT (Devlin et al. 2019) with post-layer normalisation.

Shapes: B sequences, T pieces, C = 384 channels, H = 12 heads.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from rag.models.threads import TORCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CLS, SEP = 101, 102
_PAD = 0


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
class Pieces:
    """A padded batch of sequences, each of two segments."""

    ids: Tensor  # (B, T) int64
    types: Tensor  # (B, T) int64, 1 in the second segment
    mask: Tensor  # (B, T) bool, false on padding

    def to(self, device: torch.device) -> Pieces:
        """The same batch on a device."""
        return Pieces(self.ids.to(device), self.types.to(device), self.mask.to(device))


def padded(rows: Sequence[Sequence[int]], seconds: Sequence[int]) -> Pieces:
    """The rows as one batch; the second segment of each begins at its place in `seconds`."""
    ids: NDArray[np.int64] = np.full((len(rows), max(map(len, rows))), _PAD, dtype=np.int64)
    types, mask = np.zeros_like(ids), np.zeros(ids.shape, dtype=bool)
    for number, (row, second) in enumerate(zip(rows, seconds, strict=True)):
        ids[number, : len(row)] = row
        types[number, second : len(row)] = 1
        mask[number, : len(row)] = True
    return Pieces(torch.from_numpy(ids), torch.from_numpy(types), torch.from_numpy(mask))


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


class Encoder(nn.Module):
    """Frozen embeddings and a trained encoder; a subclass adds its heads."""

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or NetworkShape()
        self.words = nn.Embedding(shape.vocabulary, shape.channels)
        self.places = nn.Embedding(shape.positions, shape.channels)
        self.kinds = nn.Embedding(2, shape.channels)
        self.norm = nn.LayerNorm(shape.channels, eps=1e-12)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        for module in self.frozen():
            module.requires_grad_(requires_grad=False)

    def frozen(self) -> tuple[nn.Module, ...]:
        """The packaged embeddings, which are neither trained nor saved."""
        return self.words, self.places, self.kinds, self.norm

    def embedded(self, batch: Pieces) -> Tensor:
        """What the first layer sees of a batch, (B, T, C)."""
        places = self.places.weight[: batch.ids.shape[1]]
        return self.norm(self.words(batch.ids) + places + self.kinds(batch.types))  # type: ignore[no-any-return]

    def forward(self, batch: Pieces, drop: Dropout | None = None) -> Tensor:
        """Hidden states (B, T, C) of a batch."""
        x = self.embedded(batch)
        bias = torch.zeros(batch.mask.shape, dtype=x.dtype, device=x.device)
        bias = bias.masked_fill(~batch.mask, torch.finfo(torch.float16).min)[:, None, None, :]  # (B, 1, 1, T)
        for layer in self.layers:
            x = layer(x, bias, drop)
        return x


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16: as told, or ("auto") where the hardware multiplies such matrices."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


@contextmanager
def fast_inference(device: torch.device) -> Iterator[None]:
    """What passes that do not train run in: without gradients, in the precision that is fastest on the device, on a CPU
    with as many threads as is fastest.
    """
    with (
        TORCH.chosen(),
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16("auto", device)),
    ):
        yield


def trained_state(network: Encoder) -> dict[str, Tensor]:
    """The parameters that training changes, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def save(path: Path, state: Mapping[str, Tensor], shape: NetworkShape, **metadata: object) -> None:
    """Write trained parameters as float16 safetensors, with the shape and what else is to be known of them, as JSON;
    replaced atomically. Beside it `<name>.sha256` has its checksum, as `sha256sum` writes it.
    """
    half = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in state.items()}
    told = {name: json.dumps(value) for name, value in {"shape": asdict(shape), **metadata}.items()}
    partial = path.with_suffix(".partial")
    save_file(half, partial, metadata=told)
    partial.chmod(0o644)
    checksum = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.replace(path)
    path.with_name(f"{path.name}.sha256").write_text(f"{checksum}  {path.name}\n", encoding="ascii")


E = TypeVar("E", bound=Encoder)


def load(kind: type[E], path: Path, base: Path) -> tuple[E, dict[str, str]]:
    """A network of this kind in evaluation mode, in float32, and the file's metadata; `base` is the packaged MiniLM's
    own file.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    network = kind(NetworkShape(**json.loads(metadata["shape"])))
    load_base(network, base)
    expected = set(trained_state(network))
    if set(state) != expected:
        message = f"{path} does not hold this network: {sorted(expected ^ set(state))[:3]}"
        raise ValueError(message)
    network.load_state_dict(state, strict=False)
    return network.eval(), metadata


_PARTS = {
    "attention.output.dense": "out",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm2",
}


def load_base(network: Encoder, path: Path) -> None:
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
