"""The training loop: deterministic in seed and step, resumable from its checkpoint, on a CPU or a GPU."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from rag.models.encoder import Dropout, Encoder, save, trained_state, use_bfloat16
from rag.training.batches import SpanBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rag.models.reader.network import ReaderNetwork
    from rag.training.batches import BoundaryBatch
    from rag.training.examples import Stream


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then linear decay from `peak` at `anchor` to zero at `end`; all in steps."""

    end: int
    warmup: int = 300
    anchor: int = 0
    peak: float = 1.0

    def factor(self, step: int) -> float:
        """What learning rates are multiplied with at a step."""
        decay = self.peak * max(0.0, (self.end - step) / max(1, self.end - self.anchor))
        return min(decay, (step + 1) / self.warmup)

    def replan(self, step: int, end: int) -> Schedule:
        """From this step's rate, or anew from the peak where it had come to its end, down to zero at another end."""
        return replace(self, anchor=step, peak=self.factor(step) or self.peak, end=end)


@dataclass(frozen=True)
class Plan:
    """What a run does; rates are AdamW's, `average` is the decay of the weights' moving average per ten steps."""

    steps: int
    seed: int = 1
    encoder_rate: float = 1.5e-4
    head_rate: float = 6e-4
    weight_decay: float = 0.01
    dropout: float = 0.1
    average: float = 0.97
    save_every: int = 250
    evaluate_every: int = 1000
    precision: str = "auto"


N = TypeVar("N", bound=Encoder)
N_contra = TypeVar("N_contra", bound=Encoder, contravariant=True)


class Task(Protocol[N_contra]):
    """What a network learns: a loss for every step."""

    @property
    def rows(self) -> int:
        """Examples a step."""
        ...

    def loss(
        self, network: N_contra, step: int, device: torch.device, drop: Dropout | None
    ) -> tuple[str, Tensor, float]:
        """The kind of a step's examples, their mean loss, and how much its gradients count."""
        ...


class Trainer(Generic[N]):
    """A network, its optimiser and its place in the task; `run` goes on from there to the plan's end."""

    def __init__(self, network: N, task: Task[N], plan: Plan, folder: Path, device: torch.device) -> None:
        self.network, self.task, self.plan, self.folder, self.device = network.to(device), task, plan, folder, device
        encoder = list(network.layers.parameters())
        within = {id(parameter) for parameter in encoder}
        heads = [value for value in network.parameters() if value.requires_grad and id(value) not in within]
        self.rates = (plan.encoder_rate, plan.head_rate)
        groups = [{"params": encoder, "lr": plan.encoder_rate}, {"params": heads, "lr": plan.head_rate}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=plan.weight_decay, fused=True)
        self.trained = trained_state(network)
        self.averaged = {name: value.detach().clone() for name, value in self.trained.items()}
        self.schedule = Schedule(plan.steps, warmup=max(1, min(300, plan.steps // 10)))
        self.step = 0
        self.seconds = 0.0
        self.stopped = False
        self._pool: Dropout | None = None

    def stop(self) -> None:
        """Let a run end after its current step, with a checkpoint."""
        self.stopped = True

    def run(self, evaluate: Callable[[N], object] | None = None) -> None:
        """Train to the end of the schedule; a checkpoint, an export and a log line at regular steps."""
        self.folder.mkdir(parents=True, exist_ok=True)
        losses: defaultdict[str, list[float]] = defaultdict(list)
        began = time.perf_counter()
        while self.step < self.schedule.end and not self.stopped:
            kind, loss = self.train_step()
            losses[kind].append(loss)
            if self.step % 50 == 0:
                now = time.perf_counter()
                self.seconds, began = self.seconds + now - began, now
                means = {name: round(sum(part) / len(part), 4) for name, part in losses.items()}
                self.log(loss=means, rate=round(self.schedule.factor(self.step), 4))
                losses.clear()
            if self.step % self.plan.save_every == 0 or self.step == self.schedule.end or self.stopped:
                self.save()
            if evaluate and (self.step % self.plan.evaluate_every == 0 or self.step == self.schedule.end):
                self.log(held_out=evaluate(self.averaged_network()))

    @property
    def examples(self) -> int:
        """How many rows the steps so far have read."""
        return self.step * self.task.rows

    def train_step(self) -> tuple[str, float]:
        """One optimiser step; returns what kind of batch it was, and its loss."""
        self.network.train()
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.schedule.factor(self.step)
        drop = self._dropout() if self.plan.dropout else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=use_bfloat16(self.plan.precision, self.device)):
            kind, loss, weight = self.task.loss(self.network, self.step, self.device, drop)
        torch.autograd.backward(loss * weight)
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        if self.step % 10 == 0:
            self._average()
        return kind, float(loss.detach())

    def _dropout(self) -> Dropout:
        """Masks that depend on seed and step alone: a fresh pool every 500 steps, a fresh place in it every step."""
        number = self.step // 500
        if self._pool is None or self._pool.seed != self.plan.seed * 100_003 + number:
            self._pool = Dropout(self.plan.dropout, self.plan.seed * 100_003 + number, self.device)
        self._pool.reseed(self.plan.seed * 1_000_003 + self.step)
        return self._pool

    def _average(self) -> None:
        decay = min(self.plan.average, self.step / (self.step + 100))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.values()), list(self.trained.values()), 1 - decay)

    def averaged_network(self) -> N:
        """A copy of the network with the averaged weights, in evaluation mode."""
        copy = type(self.network)(self.network.shape)
        copy.load_state_dict(self.network.state_dict())
        copy.load_state_dict(self.averaged, strict=False)
        return copy.to(self.device).eval()

    def mix_with(self, earlier: Mapping[str, Tensor], share: float) -> None:
        """Let so much of the averaged weights be those of an earlier end of the schedule: two such ends, between which
        the rate went up and down, do better in the mean (Izmailov et al. 2018).
        """
        with torch.no_grad():
            for name, value in self.averaged.items():
                value.lerp_(earlier[name].to(value), share)

    def save(self) -> None:
        """Write `checkpoint.pt` (everything a resumed run needs) and `latest.safetensors` (usable at once)."""
        state = {
            "network": {name: value.detach() for name, value in self.trained.items()},
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "schedule": asdict(self.schedule),
        }
        partial = self.folder / "checkpoint.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")
        save(self.folder / "latest.safetensors", self.averaged, self.network.shape)

    def resume(self, *, replan: bool = False) -> bool:
        """Go on from the folder's checkpoint if there is one; `replan` moves the schedule's end to the plan's steps."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"], strict=False)
        self.averaged = state["averaged"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.schedule = Schedule(**state["schedule"])
        if replan and self.schedule.end != self.plan.steps:
            self.schedule = self.schedule.replan(self.step, self.plan.steps)
        return True

    def log(self, **values: object) -> None:
        """One JSON line on the screen and in `log.jsonl`."""
        place = {"step": self.step, "of": self.schedule.end, "minutes": round(self.seconds / 60, 1)}
        line = json.dumps(place | values)
        print(line, flush=True)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


@dataclass(frozen=True)
class Reading:
    """The reader's task: spans that answer, and now and then the ends of sentences."""

    stream: Stream
    boundary_weight: float = 5.0
    """Its gradients are some 25 times smaller than those of spans."""

    @property
    def rows(self) -> int:
        return self.stream.rows

    def loss(
        self, network: ReaderNetwork, step: int, device: torch.device, drop: Dropout | None
    ) -> tuple[str, Tensor, float]:
        batch = self.stream.batch(step)
        if isinstance(batch, SpanBatch):
            return "span", span_loss(network, batch, device, drop), 1.0
        return "boundary", boundary_loss(network, batch, device, drop), self.boundary_weight


def span_loss(network: ReaderNetwork, batch: SpanBatch, device: torch.device, drop: Dropout | None = None) -> Tensor:
    """Mean negative log marginal likelihood of all right spans (Clark and Gardner 2018), halved."""
    encoded, targets = batch.encoded.to(device), batch.targets.to(device)
    start, end = network.spans(network(encoded, drop), encoded.answerable)
    begins, stops = targets.clamp(min=0).unbind(-1)  # (B, K)
    joint = start.log_softmax(-1).gather(1, begins) + end.log_softmax(-1).gather(1, stops)
    joint = joint.masked_fill(targets[..., 0] < 0, -torch.inf)
    return -joint.logsumexp(-1).mean() / 2


def boundary_loss(
    network: ReaderNetwork, batch: BoundaryBatch, device: torch.device, drop: Dropout | None = None
) -> Tensor:
    """Mean binary cross entropy at the last pieces of words."""
    labels = batch.labels.to(device)
    logits = network.boundaries(network(batch.encoded.to(device), drop))
    known = labels >= 0
    return functional.binary_cross_entropy_with_logits(logits[known], labels[known])


def add_options(parser: argparse.ArgumentParser, defaults: Plan) -> None:
    """What every training command accepts: its plan, how it is resumed, and what it runs on."""
    parser.add_argument("--out", type=Path, help="write the weights here at the end")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder for checkpoint and log; resumed from")
    parser.add_argument("--steps", type=int, default=defaults.steps, help="optimiser steps in all (%(default)s)")
    parser.add_argument(
        "--replan", action="store_true", help="on resuming, let the rate fall to zero at --steps instead"
    )
    parser.add_argument("--rows", type=int, default=32, help="examples a batch (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=defaults.seed, help="of data order, augmentation, dropout (%(default)s)"
    )
    parser.add_argument("--rate", type=float, default=defaults.encoder_rate, help="the encoder's peak (%(default)s)")
    parser.add_argument("--evaluate-every", type=int, default=defaults.evaluate_every, help="in steps (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
