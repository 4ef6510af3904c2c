"""A tiny corpus on disk, a word tokenizer and a tiny random network: all deterministic, nothing packaged needed."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from rag.models.encoder import NetworkShape
from rag.models.reader.network import ReaderNetwork

SHAPE = NetworkShape(layers=2, channels=32, heads=4, inner=64, vocabulary=600, positions=320)
PLACES = ("Arden", "Borel", "Cardif", "Delmar", "Elburg", "Fenwick", "Garmont", "Halden", "Ivrea", "Jarosz")
THINGS = ("mill", "bridge", "harbour", "school", "library", "tower")


def write_questions(folder: Path, articles: int = 40) -> Path:
    """`town.jsonl` in the folder: articles of two paragraphs, three questions each, one without an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(articles):
        place, thing = PLACES[number % len(PLACES)], THINGS[number % len(THINGS)]
        for part in range(2):
            year = str(1700 + 7 * number + part)
            text = (
                f"The {thing} of {place} was built in {year} by the guild. It burned, and people of {place} were sad. "
                f"After the fire the guild raised it again, because trade had grown. {place} paid for the {thing}."
            )
            questions = [
                (f"When was the {thing} of {place} built?", year),
                (f"Why did the guild raise the {thing} of {place} again?", "because trade had grown"),
                (f"Who painted the {thing} of {place}?", None),
            ]
            entries = [
                {
                    "id": f"{number}-{part}-{n}",
                    "question": question,
                    "answerable": answer is not None,
                    "answers": [{"text": answer, "start": text.index(answer)}] if answer else [],
                    "history": [],
                }
                for n, (question, answer) in enumerate(questions)
            ]
            lines.append(json.dumps({"title": f"{thing} {number}", "text": text, "questions": entries}))
    (folder / "town.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def tokenizer(folder: Path) -> Tokenizer:
    """Whole words and marks as pieces, numbered from 110; what the corpus lacks is piece 109."""
    before = Whitespace()
    found: set[str] = set()
    for line in (folder / "town.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for text in (record["text"], *(entry["question"] for entry in record["questions"])):
            found |= {piece.lower() for piece, _ in before.pre_tokenize_str(text)}
    made = Tokenizer(WordLevel({"[UNK]": 109} | {word: n for n, word in enumerate(sorted(found), 110)}, "[UNK]"))
    made.normalizer = Lowercase()
    made.pre_tokenizer = before
    return made


def network(seed: int = 0) -> ReaderNetwork:
    """A random network of SHAPE."""
    torch.manual_seed(seed)
    return ReaderNetwork(SHAPE)
