"""Train the checker on lessons, questions and statements, evaluate it, and write its weights.

Stopped with Ctrl-C or SIGTERM it writes a checkpoint, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import random
import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open

from rag.answer.question import understand
from rag.evaluation.metrics import auc
from rag.models.checker import Claim
from rag.models.checker_network import Calibration, CheckerNetwork, examine, verdicts
from rag.models.embeddings import packaged_model_path
from rag.models.encoder import load_base, plain_tokenizer, save
from rag.models.reader.weights import WEIGHTS as READER_WEIGHTS
from rag.training.claims import UNKNOWN, Claims, Labelled, Shares, from_question, nearest, read_statements
from rag.training.data import Corpus, load_corpus
from rag.training.lessons import Lesson, Taught, read_lessons
from rag.training.logistic import fit
from rag.training.train import Plan, Trainer, add_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tokenizers import Tokenizer

DEFAULTS = Plan(steps=4000, encoder_rate=8e-5, evaluate_every=500)
STATEMENTS = ("foolmetwice.jsonl", "support.jsonl")
"""Files of the data folder with statements and evidence; drawn equally often."""
AS_USED = Shares(lessons=0.0, statements=0.0, contrasts=0.0)
"""Claims that it is calibrated on: none that are made to mislead."""
_HELD = 600
"""Claims of a kind that are evaluated on."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m rag.training.checker", description=__doc__)
    made.add_argument("data", type=Path, help=f"folder of question files, and of {' and '.join(STATEMENTS)}")
    made.add_argument(
        "--lessons", type=Path, help="folder of lessons to learn from; those in its `held` are evaluated on"
    )
    made.add_argument("--statements", type=Path, action="append", default=[], help="file of further statements")
    made.add_argument("--start", type=Path, default=READER_WEIGHTS, help="weights to begin with (the reader's)")
    add_options(made, DEFAULTS)
    return made


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    told = parser().parse_args(arguments)
    torch.set_num_threads(told.threads)
    torch.manual_seed(told.seed)
    model = packaged_model_path()
    tokenizer = plain_tokenizer(model)
    network = start(model / "model.safetensors", told.start)
    files = [path for name in STATEMENTS if (path := told.data / name).exists()] + told.statements
    lessons = read_lessons(told.lessons) if told.lessons else []
    apart = read_lessons(told.lessons / "held") if told.lessons else []
    task = Claims(
        questions_of(load_corpus(told.data, held=False)),
        [read_statements(path, held=False) for path in files],
        lessons,
        tokenizer,
        seed=told.seed,
        rows=told.rows,
    )
    held = held_out(told.data, files, apart)
    unseen = Claims(
        questions_of(load_corpus(told.data, held=True)),
        [],
        [],
        tokenizer,
        seed=told.seed,
        rows=told.rows,
        shares=AS_USED,
    )
    plan = Plan(told.steps, told.seed, told.rate, save_every=100, evaluate_every=told.evaluate_every)
    trainer = Trainer(network, task, plan, told.checkpoint, torch.device(told.device))
    resumed = trainer.resume(replan=told.replan)
    print(f"{len(lessons)} articles with lessons, {'resumed' if resumed else 'new'} at step {trainer.step}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: trainer.stop())
    signal.signal(signal.SIGINT, lambda *_: trainer.stop())
    trainer.run(lambda current: evaluate(current, tokenizer, held))
    if told.out and not trainer.stopped:
        calibration = calibrate(trainer.averaged_network(), tokenizer, unseen)
        save(told.out, trainer.averaged, network.shape, calibration=asdict(calibration))
        print(f"written: {told.out}")


def calibrate(network: CheckerNetwork, tokenizer: Tokenizer, task: Claims, batches: int = 40) -> Calibration:
    """The logistic model of logit and matching share, fitted on so many batches of claims that were not learnt from."""
    known = [one for step in range(batches) for one in task.batch(step) if one.supported != UNKNOWN]
    values = []
    for at in range(0, len(known), task.rows):
        logits, share = examine(network, tokenizer, [one.claim for one in known[at : at + task.rows]])
        values.append(torch.stack([logits[:, 0], share], dim=1).double().numpy())
    fitted = fit(np.concatenate(values), np.array([one.supported == 1 for one in known]), 1.0)
    return Calibration(*(round(float(value), 4) for value in fitted))


def start(base: Path, weights: Path) -> CheckerNetwork:
    """A network with what the weights, a reader's or a checker's, have of it; the rest is new."""
    network = CheckerNetwork()
    load_base(network, base)
    with safe_open(weights, framework="pt") as file:
        known = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    own = network.state_dict()
    network.load_state_dict({name: value for name, value in known.items() if name in own}, strict=False)
    return network


def questions_of(corpus: Corpus) -> Corpus:
    """The corpus without the statements that the reader reads as yes/no questions."""
    asked = tuple(
        question
        for question in corpus.questions
        if f"{corpus.documents[question.document].source}.jsonl" not in STATEMENTS
    )
    return Corpus(corpus.documents, asked)


def held_out(data: Path, statements: Sequence[Path], lessons: Sequence[Taught]) -> dict[str, list[Labelled]]:
    """Claims by kind, of articles and evidences that nothing was learnt from; deterministic."""
    random_ = random.Random(0)  # noqa: S311
    corpus = questions_of(load_corpus(data, held=True))
    peers = corpus.by_document()
    asked = random_.sample(corpus.questions, min(_HELD, len(corpus.questions)))
    found = {"questions": [from_question(random_, corpus, question, peers[question.document]) for question in asked]}
    for path in statements:
        known = read_statements(path, held=True)
        found[path.stem] = random_.sample(known, min(_HELD, len(known)))
    told = [(taught, lesson) for taught in lessons for lesson in taught.lessons]
    found["lessons"] = [labelled for taught, lesson in told for labelled in of_lesson(taught, lesson)]
    return found


def of_lesson(taught: Taught, lesson: Lesson) -> Iterator[Labelled]:
    """The answer with the sentences that say so, and the false one with those that are like it."""
    asked = understand(lesson.question, lesson.before).in_context
    if lesson.evidence:
        yield Labelled(Claim(asked, lesson.answer, taught.text(lesson)), 1.0, 1.0)
    if lesson.wrong:
        yield Labelled(Claim(asked, lesson.wrong, nearest(taught.document.text, lesson.wrong)), 0.0, 0.0)


def evaluate(
    network: CheckerNetwork, tokenizer: Tokenizer, held: dict[str, list[Labelled]], batch: int = 32
) -> dict[str, float]:
    """The area under the ROC curve of each kind of claim and head, where both labels are there."""
    found = {}
    for kind, labelled in held.items():
        claims = [one.claim for one in labelled]
        said = [v for at in range(0, len(claims), batch) for v in verdicts(network, tokenizer, claims[at : at + batch])]
        for head in ("supported", "answers"):
            truth = np.array([getattr(one, head) for one in labelled])
            scores = np.array([getattr(verdict, head) for verdict in said])
            known = truth != UNKNOWN
            if len(set(truth[known])) == 2:
                found[f"{kind} {head}"] = round(auc(scores[known], truth[known] == 1), 4)
    return found


if __name__ == "__main__":
    main()
