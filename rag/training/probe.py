"""A writer's states at the ends of questions -> its probe: `python -m rag.training.probe --help`.

Each question is asked as the pipeline asks it, of a writer that has read its article, and its state is kept; nothing is
written. A logistic model of the states is fitted against whether the article answers. An interrupted run goes on where
it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from rag.answer.question import understand
from rag.answer.writing import ArticleWriter
from rag.errors import ModelError, UsageError
from rag.evaluation.metrics import auc
from rag.evaluation.questions import Item, read_questions
from rag.library.collections import Library
from rag.models.catalogue import STANDARD
from rag.models.checker import NeuralChecker
from rag.models.llm import LanguageModel
from rag.models.probe import WEIGHTS
from rag.models.reader.quotes import SpanReader
from rag.models.writers import open_writers
from rag.settings import Settings, load_settings
from rag.training.drafts import read
from rag.training.logistic import fit, out_of_fold

PENALTY = 500.0
"""Of so many weights for so few questions; between 200 and 1,500 the figures hardly differ."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The (n, d) states at the ends of the questions about one document, and which of these it answers."""

    article: str
    states: NDArray[np.float16]
    answerable: NDArray[np.bool_]


def seen(
    items: Sequence[Item], model: LanguageModel, library: Library, settings: Settings, kept: Path
) -> Iterator[Seen]:
    """What the model has in mind at the end of each question, document by document; kept in a file each, in the folder.

    Raises ModelError where the model does not tell it.
    """
    kept.mkdir(parents=True, exist_ok=True)
    reader, checker = SpanReader(), NeuralChecker()
    for item in items:
        asked_of_it = [repr((question.text, question.history)) for question in item.questions]
        told = "\n".join([model.name, item.document.text, *asked_of_it])
        file = kept / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.npz"
        if not file.exists():
            index = library.index_of([item.document])
            writer = ArticleWriter(model, index, reader, checker, settings)
            if writer.article is not None:
                model.study(writer.article, lambda *_: None, lambda: False)
            states = []
            for question in item.questions:
                asked = understand(question.text, question.history)
                prompt = writer.prompt(asked, question.history, *read(asked, index, reader, settings))
                state = model.hidden(prompt, stopped=lambda: False)
                if state is None:
                    raise ModelError(
                        f"{model.name} does not tell what it has in mind; a probe needs a model that runs here"
                    )
                states.append(state.astype(np.float16))
            partial = file.with_suffix(".partial.npz")
            np.savez(partial, states=states)
            partial.replace(file)
        with np.load(file) as loaded:
            answerable = np.array([question.answerable for question in item.questions])
            yield Seen(item.document.title, loaded["states"], answerable)


def main(argv: Sequence[str] | None = None) -> int:
    """Ask what is missing, fit the probe on all of it, and print how well it tells."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.probe", description=__doc__)
    parser.add_argument("questions", type=Path, nargs="+", help="question files, as `article-chat evaluate` takes them")
    parser.add_argument("--states", type=Path, required=True, help="folder of states; what is in it is not asked again")
    parser.add_argument("--llm", default=STANDARD.name, help="the writer (%(default)s)")
    parser.add_argument("--out", type=Path, help=f"where to write the weights, such as {WEIGHTS.name}")
    arguments = parser.parse_args(argv)
    settings = load_settings(flags={"llm": arguments.llm})
    model = next(iter(open_writers(settings)), None)
    if model is None:
        raise ModelError("a probe needs a language model; leave --llm none away")
    items = [item for file in arguments.questions for item in read_questions(file)]
    found = list(seen(items, model, Library(settings), settings, arguments.states))
    values = np.concatenate([one.states for one in found]).astype(np.float64)  # (n, d)
    answerable = np.concatenate([one.answerable for one in found])
    articles = [one.article for one in found for _ in one.answerable]
    if len(set(articles)) < 2 or answerable.all() or not answerable.any():
        raise UsageError(f"{len(values)} questions about {len(set(articles))} articles are too few, or all alike")
    told = out_of_fold(values, answerable, PENALTY, articles)
    print(f"{len(values)} questions, {answerable.sum()} answered; out of fold: AUC {auc(told, answerable):.3f}")
    if arguments.out is not None:
        known = load_file(arguments.out) if arguments.out.exists() else {}
        known[model.name] = fit(values, answerable, PENALTY).astype(np.float32)
        save_file(known, arguments.out)
        digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
        arguments.out.with_name(f"{arguments.out.name}.sha256").write_text(
            f"{digest}  {arguments.out.name}\n", encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
