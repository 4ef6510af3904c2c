"""A writer's drafts over questions with known answers, from which the judge learns.

An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rag.answer.evidence import evidence_for
from rag.answer.question import Question, understand
from rag.answer.writing import ArticleWriter
from rag.errors import ModelError
from rag.evaluation.questions import Item, read_questions
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.models.catalogue import STANDARD
from rag.models.checker import NeuralChecker
from rag.models.reader.quotes import Reader, SpanReader
from rag.models.writers import open_writers
from rag.settings import Settings, load_settings
from rag.training.data import known_in
from rag.training.lessons import read_lessons
from rag.types import Reading, RetrievedPassage


def write_drafts(items: Sequence[Item], library: Library, settings: Settings, out: Path) -> None:
    """Append a line for every question to the file, but for those that it has: {"id", "document", "question", "golds",
    "text", "confidence", "refusal", "sentences": [{"text", "sources"}]}; `text` is empty where nothing was drafted,
    `sentences` are those that state something.

    Raises ModelError where the settings name no language model that is here.
    """
    done = known_in(out)
    model = next(iter(open_writers(settings)), None)
    if model is None:
        raise ModelError("drafts need a language model; leave --llm none away")
    reader, checker = SpanReader(), NeuralChecker()
    with out.open("a", encoding="utf-8") as file:
        for item in items:
            asked = [question for question in item.questions if question.id not in done]
            if not asked:
                continue
            index = library.index_of([item.document])
            writer = ArticleWriter(model, index, reader, checker, settings)
            if writer.article is not None:
                model.study(writer.article, lambda *_: None, lambda: False)
            for question in asked:
                understood = understand(question.text, question.history)
                found, reading = read(understood, index, reader, settings)
                draft = writer.write(understood, question.history, found, reading, lambda: False)
                line = {
                    "id": question.id,
                    "document": item.document.id,
                    "question": question.text,
                    "golds": [item.document.text[gold.start : gold.end] for gold in question.golds],
                    **(asdict(draft) if draft is not None else {"text": ""}),
                    "sentences": [
                        {
                            "text": written.text,
                            "sources": [index.text_at(source.document_id, source.span) for source in written.sources],
                        }
                        for written in (writer.attribute(understood, draft, found, reading) if draft else ())
                    ],
                }
                print(json.dumps(line, ensure_ascii=False), file=file, flush=True)


def questions_of(path: Path) -> list[Item]:
    """The documents and questions of a question file, or of lessons: a folder of these, or a file of text."""
    if path.is_dir() or path.suffix == ".txt":
        return [taught.item for taught in read_lessons(path)]
    return read_questions(path)


def read(
    question: Question, index: PassageIndex, reader: Reader, settings: Settings
) -> tuple[list[RetrievedPassage], Reading]:
    """The passages found for a question and the quotes read in them."""
    evidence = evidence_for(question, index, reader, settings)
    found = evidence.retrieve(question)
    return found, evidence.read(question, found, ())


def main(argv: Sequence[str] | None = None) -> int:
    """Write the drafts that are missing."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.drafts", description=__doc__)
    parser.add_argument("questions", type=Path, help="question file, or lessons")
    parser.add_argument("--out", type=Path, required=True, help="file of drafts; what is in it is not written again")
    parser.add_argument("--llm", default=STANDARD.name, help="the writer (%(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads; default: as set")
    arguments = parser.parse_args(argv)
    flags = {"llm": arguments.llm} | ({"threads": arguments.threads} if arguments.threads else {})
    settings = load_settings(flags=flags)
    write_drafts(questions_of(arguments.questions), Library(settings), settings, arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
