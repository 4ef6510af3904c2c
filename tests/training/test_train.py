from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from tokenizers import Tokenizer

from rag.models.reader.network import ReaderNetwork
from rag.training.batches import BoundaryBatch, SpanBatch
from rag.training.data import Corpus
from rag.training.examples import DEFAULT_MIX, Stream
from rag.training.train import Plan, Reading, Schedule, Trainer, span_loss

CPU = torch.device("cpu")


def trainer(
    corpus: Corpus, tokenizer: Tokenizer, folder: Path, steps: int, *, precision: str = "float32", save_every: int = 5
) -> Trainer[ReaderNetwork]:
    stream = Stream(corpus, tokenizer, DEFAULT_MIX, seed=5, rows=8, group=2)
    plan = Plan(steps, seed=5, encoder_rate=3e-3, head_rate=3e-3, save_every=save_every, precision=precision)
    return Trainer(tiny.network(), Reading(stream), plan, folder, CPU)


class OneBatch(Stream):
    """The same batch at every step."""

    def batch(self, step: int) -> SpanBatch | BoundaryBatch:
        return super().batch(4 if step % 2 else 0)


def test_the_loss_falls(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    stream = OneBatch(corpus, tokenizer, replace(DEFAULT_MIX, history=0), seed=5, rows=8, group=2)
    plan = Plan(50, seed=5, encoder_rate=3e-3, head_rate=3e-3, dropout=0, save_every=50, precision="float32")
    made = Trainer(tiny.network(), Reading(stream), plan, tmp_path, CPU)
    first = dict(made.train_step() for _ in range(2))
    made.run()
    last = dict(made.train_step() for _ in range(2))
    assert last["span"] < first["span"] / 2
    assert last["boundary"] < first["boundary"] / 2
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["step"] == 50


def test_a_resumed_run_ends_as_an_uninterrupted_one(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    whole = trainer(corpus, tokenizer, tmp_path / "whole", 10)
    whole.run()
    begun = trainer(corpus, tokenizer, tmp_path / "parts", 10)
    while begun.step < 7:  # killed after the checkpoint of step 5
        begun.train_step()
        if begun.step == 5:
            begun.folder.mkdir()
            begun.save()
    resumed = trainer(corpus, tokenizer, tmp_path / "parts", 10)
    assert resumed.resume()
    assert resumed.step == 5
    resumed.run()
    assert resumed.step == whole.step == 10
    for name, value in whole.trained.items():
        assert torch.equal(value, resumed.trained[name]), name
        assert torch.equal(whole.averaged[name], resumed.averaged[name]), name


def test_nothing_to_resume_from_is_not_an_error(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert not trainer(corpus, tokenizer, tmp_path, 10).resume()


def test_the_end_can_be_planned_anew_when_resuming(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    first = trainer(corpus, tokenizer, tmp_path, 10)
    first.run()
    longer = trainer(corpus, tokenizer, tmp_path, 14)
    assert longer.resume()
    assert longer.schedule.end == 10
    assert longer.resume(replan=True)
    assert longer.schedule.end == 14


def test_embeddings_stay_as_they_are(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = trainer(corpus, tokenizer, tmp_path, 3)
    before = [value.clone() for module in made.network.frozen() for value in module.state_dict().values()]
    made.run()
    after = [value for module in made.network.frozen() for value in module.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_bfloat16_trains_too(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = trainer(corpus, tokenizer, tmp_path, 2, precision="bfloat16")
    made.run()
    assert all(value.isfinite().all() for value in made.trained.values())


def test_the_rate_rises_then_falls_to_zero() -> None:
    schedule = Schedule(end=100, warmup=10)
    assert schedule.factor(0) == pytest.approx(0.1)
    assert max(schedule.factor(step) for step in range(100)) == schedule.factor(9)
    assert schedule.factor(100) == 0
    later = schedule.replan(60, 260)
    assert later.factor(60) == pytest.approx(schedule.factor(60))
    assert later.factor(160) == pytest.approx(schedule.factor(60) / 2)
    anew = schedule.replan(100, 300)  # it had come to its end
    assert (anew.factor(100), anew.factor(200), anew.factor(300)) == (1, 0.5, 0)


def test_loss_counts_every_right_span(corpus: Corpus, tokenizer: Tokenizer) -> None:
    stream = Stream(corpus, tokenizer, DEFAULT_MIX, seed=5, rows=4, group=1)
    batch = stream.batch(0)
    network: ReaderNetwork = tiny.network().eval()
    with torch.no_grad():
        start, end = network.spans(network(batch.encoded), batch.encoded.answerable)
        expected = 0.0
        for row in range(4):
            pairs = [(a, b) for a, b in batch.targets[row].tolist() if a >= 0]
            chances = [start[row].softmax(-1)[a] * end[row].softmax(-1)[b] for a, b in pairs]
            expected -= float(torch.stack(chances).sum().log()) / 8
        assert span_loss(network, batch, CPU).item() == pytest.approx(expected, rel=1e-4)


def test_earlier_weights_are_mixed_in(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = trainer(corpus, tokenizer, tmp_path, 3)
    before = {name: value.clone() for name, value in made.averaged.items()}
    earlier = {name: value + 1 for name, value in before.items()}
    made.mix_with(earlier, 0.25)
    assert all(torch.allclose(made.averaged[name], value + 0.25, atol=1e-5) for name, value in before.items())
