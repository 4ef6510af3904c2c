# ruff: noqa: S311 (the draws are for repeatable augmentation)
"""Lessons -> a low-rank adapter that llama.cpp adds to a writer's untouched weights (Hu et al. 2021, "LoRA").

A text and all that was asked about it is one conversation, read once, as a writer in use reads an article once: every
reply in it is learnt. Needs the packages of the extra `test`; goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from rag.answer import prompts
from rag.answer.question import understand
from rag.errors import UsageError
from rag.evaluation.metrics import likest, recall
from rag.models.chat_template import framed
from rag.models.llm import Message
from rag.sentences import sentence_texts
from rag.training.augment import Marked, strip
from rag.training.lessons import Lesson, Taught, read_lessons
from rag.training.train import Schedule

if TYPE_CHECKING:
    from llama_cpp import Llama
    from torch import Tensor

RANK, SCALE = 8, 16.0
"""Of an adapter: the columns of its factors, and llama.cpp's `alpha`, which over the rank multiplies their product."""
PROJECTIONS = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
"""The adapted matrices, by their names in transformers and in a GGUF."""
SAVE_EVERY = 10
"""Steps between two checkpoints."""


@dataclass(frozen=True)
class Shares:
    """Of all conversations: about a text without punctuation; with hints before the questions that stand alone. Of the
    hints: those with one that does not answer, in place of the one that does or beside it.
    """

    stripped: float = 0.5
    hinted: float = 0.75
    misleading: float = 0.35
    beside: float = 0.5


@dataclass(frozen=True)
class Conversation:
    """Tokens, and which of them are learnt."""

    tokens: tuple[int, ...]
    learnt: tuple[bool, ...]


def conversation(random_: random.Random, taught: Taught, shares: Shares | None = None) -> tuple[Message, ...]:
    """The article and its talks, in any order, with the replies to learn; each question as in use: with hints where it
    stands alone, and without where it points back.
    """
    shares = shares or Shares()
    plain, hinted = random_.random() < shares.stripped, random_.random() < shares.hinted

    def as_written(words: str) -> str:
        return strip(Marked(words, ())).text if plain else words

    messages = [*prompts.article([as_written(taught.document.text)], examples=False)]
    for talk in random_.sample(taught.talks, len(taught.talks)):
        for lesson in talk:
            question = understand(lesson.question, lesson.before)
            hints = _hints(random_, lesson, taught, shares) if hinted and not question.points_back else []
            asked = prompts.question(question.told, map(as_written, hints), at_length=question.at_length)
            messages += [asked, Message("assistant", lesson.answer)]
    return tuple(messages)


def _hints(random_: random.Random, lesson: Lesson, taught: Taught, shares: Shares) -> list[str]:
    """Two sentences or one as they stand in the text: the one that answers, or others that are only like the question.

    For questions in a reader's own words, two quotes are without the answer nearly as often as not.
    """
    text = taught.document.text
    sentences = sentence_texts(text)
    evidence = [text[span.start : span.end] for span in lesson.evidence]
    others = [sentence for sentence in sentences if sentence not in evidence] or sentences
    like = likest(others, lesson.question, 4)
    hints = random_.sample(like, min(len(like), 2 if random_.random() < shares.beside else 1))
    if evidence and random_.random() >= shares.misleading:
        hints[0] = max(evidence, key=lambda sentence: recall(sentence, lesson.answer))
    return sorted(hints, key=text.find)


def encode(llama: Llama, messages: Sequence[Message], learnt_from: int) -> Conversation:
    """The conversation in the model's own chat template; learnt are the replies from that message on, each with the
    mark that ends it.
    """
    tokens: list[int] = []
    learnt: list[bool] = []
    pieces = framed(llama, [(message.role, message.content) for message in messages], reply=False)
    for number, (part, frame) in enumerate(pieces):
        made = llama.tokenize(part.encode(), add_bos=False, special=frame)
        said = (number - 1) // 2  # the message whose content this is, or that this comes after
        reply = number > 0 and said >= learnt_from and messages[said].role == "assistant"
        tokens += made
        learnt += [reply and (not frame or place == 0) for place in range(len(made))]
    return Conversation(tuple(tokens), tuple(learnt))


class Tuner:
    """A base model with an adapter, its optimiser, and its place among the steps."""

    def __init__(
        self,
        base: Path,
        folder: Path,
        *,
        steps: int,
        rate: float = 3e-4,
        first_layer: int = 0,
        share: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(str(base.parent), gguf_file=base.name, dtype=dtype)
        self.shape = model.config
        config = LoraConfig(
            r=RANK,
            lora_alpha=int(SCALE),
            target_modules=list(PROJECTIONS),
            layers_to_transform=list(range(first_layer, model.config.num_hidden_layers)),
        )
        self.model: Any = get_peft_model(model, config, autocast_adapter_dtype=False)
        self.folder, self.rate, self.share, self.step = folder, rate, share, 0
        self._schedule = Schedule(steps, warmup=max(1, min(20, steps // 10)))
        self._computing = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        self.trained: dict[str, Tensor] = {name: value.detach().float() for name, value in self._computing.items()}
        self._optimiser = torch.optim.AdamW(self.trained.values(), lr=rate, weight_decay=0.0, betas=(0.9, 0.99))

    def loss(self, learning: Conversation) -> Tensor:
        """The sum of the negative log-likelihoods of the learnt tokens, in nats."""
        base = self.model.base_model.model
        ids = torch.tensor([learning.tokens])  # (1, T)
        hidden = base.model(ids).last_hidden_state[0]  # (T, d)
        targets = torch.tensor([place for place, learnt in enumerate(learning.learnt) if learnt])  # (L,)
        return functional.cross_entropy(base.lm_head(hidden[targets - 1]).float(), ids[0, targets], reduction="sum")

    def train_step(self, batch: Sequence[Conversation]) -> float:
        """One optimiser step; the mean loss of a token, before it."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate * self._schedule.factor(self.step)
        count, total = sum(sum(learning.learnt) for learning in batch), 0.0
        for learning in batch:
            loss = self.loss(learning) / count
            torch.autograd.backward(loss)
            total += float(loss.detach())
        for name, value in self._computing.items():
            self.trained[name].grad = value.grad.float() if value.grad is not None else None
            value.grad = None
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self._optimiser.step()
        self._compute_with_trained()
        self.step += 1
        return total

    def _compute_with_trained(self) -> None:
        with torch.no_grad():
            for name, value in self._computing.items():
                value.copy_(self.trained[name])

    def save(self) -> None:
        """Write `checkpoint.pt`, from which a run goes on, and `latest.gguf`, the adapter."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "checkpoint.partial"
        torch.save({"trained": self.trained, "optimiser": self._optimiser.state_dict(), "step": self.step}, partial)
        partial.replace(self.folder / "checkpoint.pt")
        export(self.folder / "latest.gguf", self.trained, self.shape, self.share)

    def start_from(self, adapter: Path) -> None:
        """Go on from the factors of an adapter that `export` wrote; raises UsageError where it is of other matrices."""
        factors, names = read_factors(adapter, self.shape), {name: _name_in_gguf(name) for name in self.trained}
        if {name: value.shape for name, value in factors.items()} != {
            names[name]: value.shape for name, value in self.trained.items()
        }:
            raise UsageError(f"{adapter} is of other layers or another model; see --first-layer and --base")
        for name, value in self.trained.items():
            value.copy_(factors[names[name]])
        self._compute_with_trained()

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        for name, value in state["trained"].items():
            self.trained[name].copy_(value)
        self._compute_with_trained()
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        return True


def export(path: Path, trained: Mapping[str, Tensor], shape: Any, share: float = 1.0) -> None:
    """The adapter as llama.cpp loads it, in half precision; `shape` is the model's configuration in transformers.

    A `share` of what was learnt is added, as weights between the untuned and the tuned ones may keep what these lost
    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path.with_suffix(".partial"), shape.model_type)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", SCALE * share)
    for name, value in trained.items():
        in_gguf, matrix = _name_in_gguf(name), value.detach().half().numpy()
        heads = _rotated_heads(in_gguf, shape)
        if heads:
            matrix = matrix.reshape(heads, 2, -1, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)
        writer.add_tensor(in_gguf, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    path.with_suffix(".partial").replace(path)


def read_factors(path: Path, shape: Any) -> dict[str, Tensor]:
    """An adapter's factors by their names in the GGUF, as `Tuner` trains them; the inverse of `export`."""
    from gguf import GGUFReader

    read, factors = GGUFReader(path), {}
    share = float(read.fields["adapter.lora.alpha"].parts[-1][0]) / SCALE
    for tensor in read.tensors:
        matrix = tensor.data.astype("float32")
        heads = _rotated_heads(tensor.name, shape)
        if heads:
            matrix = matrix.reshape(heads, -1, 2, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)
        factors[tensor.name] = torch.from_numpy(matrix) * (share if tensor.name.endswith("lora_b") else 1.0)
    return factors


def _name_in_gguf(name: str) -> str:
    parts = name.split(".")
    layer, projection = parts[parts.index("layers") + 1], next(part for part in parts if part in PROJECTIONS)
    return f"blk.{layer}.{PROJECTIONS[projection]}.weight.{'lora_a' if 'lora_A' in parts else 'lora_b'}"


def _rotated_heads(in_gguf: str, shape: Any) -> int:
    """The heads of a factor whose rows stand otherwise in a GGUF; 0 where they stand as they do in transformers.

    A GGUF of the family has the two halves of each rotated pair beside each other.
    """
    heads = {"attn_q": shape.num_attention_heads, "attn_k": shape.num_key_value_heads}
    _, _, projection, _, factor = in_gguf.split(".")
    return heads.get(projection, 0) if shape.model_type == "llama" and factor == "lora_b" else 0


def batches(
    llama: Llama, articles: Sequence[Taught], *, rows: int, most_tokens: int, first: int = 0
) -> Iterator[list[Conversation]]:
    """Conversations about the articles, in another order with every epoch, from a step on; without end.

    Those of more tokens are left out. Raises ValueError where fewer than `rows` remain.
    """
    step, epoch, begins = 0, 0, len(prompts.article([""], examples=False))
    while True:
        made, before = [], step
        for place in random.Random(f"epoch {epoch}").sample(range(len(articles)), len(articles)):
            messages = conversation(random.Random(f"{epoch} {place}"), articles[place])
            learning = encode(llama, messages, begins)
            made += [learning] if len(learning.tokens) <= most_tokens else []
            if len(made) == rows:
                if step >= first:
                    yield made
                step, made = step + 1, []
        if step == before:
            message = f"fewer than {rows} lessons of at most {most_tokens} tokens: write more of them"
            raise ValueError(message)
        epoch += 1


def main(argv: Sequence[str] | None = None) -> int:
    """Train the adapter from where it stands."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.writer", description=__doc__)
    parser.add_argument("lessons", type=Path, help="file or folder of lessons (rag/training/lessons.py)")
    parser.add_argument("--base", type=Path, required=True, help="the writer's GGUF file")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder for checkpoint and adapter")
    parser.add_argument("--warm-start", type=Path, help="the adapter to begin from, where there is no checkpoint")
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps in all (%(default)s)")
    parser.add_argument("--rows", type=int, default=4, help="conversations a step (%(default)s)")
    parser.add_argument("--rate", type=float, default=3e-4, help="AdamW's peak (%(default)s)")
    parser.add_argument("--first-layer", type=int, default=8, help="layers below stay as they are (%(default)s)")
    parser.add_argument("--share", type=float, default=1.0, help="of what is learnt, to be added (%(default)s)")
    parser.add_argument("--most-tokens", type=int, default=2200, help="of a conversation (%(default)s)")
    parser.add_argument("--bfloat16", action="store_true", help="compute so: several times faster where the CPU can")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many (no end)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (%(default)s)")
    given = parser.parse_args(argv)
    from llama_cpp import Llama

    torch.set_num_threads(given.threads)
    tuner = Tuner(
        given.base,
        given.checkpoint,
        steps=given.steps,
        rate=given.rate,
        first_layer=given.first_layer,
        share=given.share,
        dtype=torch.bfloat16 if given.bfloat16 else torch.float32,
    )
    if not tuner.resume() and given.warm_start is not None:
        tuner.start_from(given.warm_start)
    llama, began = Llama(str(given.base), vocab_only=True, verbose=False), time.monotonic()
    made = batches(llama, read_lessons(given.lessons), rows=given.rows, most_tokens=given.most_tokens, first=tuner.step)
    while tuner.step < given.steps and time.monotonic() - began < given.minutes * 60:
        loss, minutes = tuner.train_step(next(made)), (time.monotonic() - began) / 60
        print(json.dumps({"step": tuner.step, "loss": round(loss, 4), "minutes": round(minutes, 1)}), flush=True)
        if tuner.step % SAVE_EVERY == 0:
            tuner.save()
    tuner.save()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
