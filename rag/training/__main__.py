"""Train the reader on the question files of a folder, evaluate and calibrate it, and write its weights.

Stopped with Ctrl-C or SIGTERM it writes a checkpoint, and the same command goes on from there; finished, it evaluates
and writes again.
"""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

from rag.models.embeddings import SentenceTransformerEmbedder, packaged_model_path
from rag.models.encoder import load_base, plain_tokenizer, trained_state
from rag.models.reader.network import ReaderNetwork, load, save
from rag.training.calibrate import calibrate
from rag.training.data import Corpus, load_corpus
from rag.training.diagram import reliability_svg
from rag.training.evaluate import full, quick
from rag.training.examples import DEFAULT_MIX, Stream
from rag.training.rewording import read_reworded
from rag.training.train import Plan, Reading, Trainer, add_options

DEFAULTS = Plan(steps=15000)
HEADS = DEFAULTS.head_rate / DEFAULTS.encoder_rate
"""So many times as fast as the encoder the heads learn."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m rag.training", description=__doc__)
    made.add_argument("data", type=Path, help="folder of question files (.jsonl)")
    made.add_argument(
        "--warm-start", type=Path, metavar="WEIGHTS", help="start from these weights, not from MiniLM's own"
    )
    made.add_argument(
        "--mix-with", type=Path, metavar="WEIGHTS", help="at the end, mix in the weights of an earlier end"
    )
    made.add_argument("--share", type=float, default=0.4, help="of those in the mixture (%(default)s)")
    made.add_argument(
        "--reworded", type=Path, metavar="FILE", help="questions in other words, by `python -m rag.training.rewording`"
    )
    made.add_argument(
        "--save-every", type=int, default=DEFAULTS.save_every, help="steps between checkpoints (%(default)s)"
    )
    made.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="(%(default)s)")
    add_options(made, DEFAULTS)
    return made


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    told = parser().parse_args(arguments)
    torch.set_num_threads(told.threads)
    torch.manual_seed(told.seed)
    device = torch.device(told.device)
    model = packaged_model_path()
    tokenizer = plain_tokenizer(model)
    base = model / "model.safetensors"
    if told.warm_start:
        network, _ = load(told.warm_start, base)
    else:
        network = ReaderNetwork()
        load_base(network, base)
    held = load_corpus(told.data, held=True)
    reworded = read_reworded(told.reworded, SentenceTransformerEmbedder()) if told.reworded else None
    learnt = load_corpus(told.data, held=False)
    stream = Stream(learnt, tokenizer, DEFAULT_MIX, seed=told.seed, rows=told.rows, reworded=reworded)
    plan = Plan(
        told.steps, told.seed, told.rate, HEADS * told.rate, save_every=told.save_every,
        evaluate_every=told.evaluate_every, precision=told.precision,
    )  # fmt: skip
    trainer = Trainer(network, Reading(stream), plan, told.checkpoint, device)
    resumed = trainer.resume(replan=told.replan)
    questions, examples = len(stream.corpus.questions), stream.epoch_examples
    print(
        f"{questions} questions, {examples} examples an epoch, {'resumed' if resumed else 'new'} at step {trainer.step}"
    )
    signal.signal(signal.SIGTERM, lambda *_: trainer.stop())
    signal.signal(signal.SIGINT, lambda *_: trainer.stop())
    trainer.run(lambda current: quick(current, tokenizer, held))
    if told.mix_with and not trainer.stopped:
        trainer.mix_with(trained_state(load(told.mix_with, base)[0]), told.share)
    if told.out and not trainer.stopped:
        finish(trainer, tokenizer, held, told.out, reworded=reworded)


def finish(
    trainer: Trainer[ReaderNetwork],
    tokenizer: Tokenizer,
    held: Corpus,
    out: Path,
    *,
    count: int = 2400,
    reworded: Mapping[str, str] | None = None,
) -> None:
    """Calibrate on held-out articles, write the weights and beside them the reliability diagram, and `report.json`
    beside the checkpoint; it is measured on about `count` questions.
    """
    network = trainer.averaged_network()
    fit = calibrate(network, tokenizer, held, count)
    save(out, trainer.averaged, fit.calibration, network.shape)
    report = {
        "steps": trainer.step,
        "examples": trainer.examples,
        "hours": round(trainer.seconds / 3600, 2),
        "calibration": asdict(fit),
        "held_out": full(network, tokenizer, held, count // 6, reworded),
    }
    text = json.dumps(report, indent=1)
    (trainer.folder / "report.json").write_text(text + "\n", encoding="utf-8")
    out.with_name("reliability.svg").write_text(reliability_svg(fit.diagram, fit.ece), encoding="utf-8")
    print(text, f"written: {out}", sep="\n")


if __name__ == "__main__":
    main()
