"""The command `python -m benchmarks.growth DATA`: how the cost of a collection grows with its passages.

DATA is a folder of .jsonl files whose lines have a "text". Each text is an article of the collection, which grows from
one number of articles to the next; nothing is embedded twice.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.worker import peak_mb
from rag.answer.retrieval import retrieve
from rag.errors import ArticleChatError, UsageError
from rag.evaluation.questions import lines_of
from rag.json_fields import parsed
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.library.storage import load_index, save_index
from rag.models.embeddings import SentenceTransformerEmbedder
from rag.settings import Settings
from rag.types import Document

SIZES = (1000, 3000, 10_000)
K = 10
_SAMPLE = 256
"""Passages that are embedded once more, bare, to compare with."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A collection of so many passages: `index_s` seconds to make it, all that came before included, `encode_ratio`
    times as long as embedding its passages alone; `open_s` seconds to open it from the disk, where it takes `disk_mb`;
    milliseconds of a search, with the question embedded; `recall` is the share of the K nearest vectors that a search
    by meaning finds; `memory_mb` the most that the process held so far.
    """

    passages: int
    articles: int
    words: int
    index_s: float
    encode_ratio: float
    open_s: float
    disk_mb: float
    search_ms_p50: float
    search_ms_p95: float
    recall: float
    memory_mb: float


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    made.add_argument("data", type=Path, help='folder of .jsonl files with a "text" in each line')
    made.add_argument("--sizes", default=",".join(map(str, SIZES)), help="articles, rising (default: %(default)s)")
    made.add_argument("--queries", type=int, default=100, help="searches to time at each size (default: %(default)s)")
    made.add_argument("--threads", type=int, default=min(4, os.cpu_count() or 1), help="threads for the embedder")
    made.add_argument("--out", type=Path, help="file for the figures, as JSON")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table; 2 where there is too little text, in one line."""
    told = parser().parse_args(arguments)
    try:
        sizes = sizes_of(told.sizes)
        embedder = SentenceTransformerEmbedder(threads=told.threads)
        grown = list(grow(documents(told.data), sizes, embedder, queries=max(1, told.queries)))
    except ArticleChatError as error:
        print(f"benchmarks.growth: {error}", file=sys.stderr)
        return 2
    if told.out:
        told.out.write_text(json.dumps([asdict(one) for one in grown], indent=1) + "\n", encoding="utf-8")
    print(table(grown))
    return 0


def sizes_of(text: str) -> list[int]:
    """The numbers of articles; raises UsageError where they are none, or do not rise."""
    sizes = [int(part) for part in text.split(",") if part.strip().isdigit()]
    if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
        raise UsageError("--sizes must be rising numbers of articles, such as 1000,10000")
    return sizes


def documents(folder: Path) -> Iterator[Document]:
    """The distinct texts of the folder's .jsonl files, each as an article."""
    seen: set[int] = set()
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in lines_of(file):
            record = parsed(line)
            text = record.get("text") if isinstance(record, dict) else None
            if isinstance(text, str) and text.strip() and hash(text) not in seen:
                seen.add(hash(text))
                yield Document(f"{file.stem}-{number}", f"{file.stem} {number}", text, "")


def grow(
    texts: Iterable[Document], sizes: Sequence[int], embedder: SentenceTransformerEmbedder, *, queries: int
) -> Iterator[Grown]:
    """The figures at each size; raises UsageError where there are fewer texts."""
    with tempfile.TemporaryDirectory(prefix="article-chat-growth-") as home:
        library = Library(Settings(home=Path(home), llm="none"), embedder)
        embedder.embed(["The model loads."])
        left, held, index, seconds, encoding = iter(texts), list[Document](), None, 0.0, 0.0
        for size in sizes:
            held += islice(left, size - len(held))
            if len(held) < size:
                raise UsageError(f"there are {len(held)} texts only; name fewer as --sizes, or more text")
            before = len(index.passages) if index is not None else 0
            start = time.perf_counter()
            index = library.index_of(held, index, lambda *_: None)
            seconds += time.perf_counter() - start
            encoding += _bare_seconds(index, before, embedder)
            yield _figures(index, Path(home) / str(size), seconds, encoding, queries)


def _bare_seconds(index: PassageIndex, from_: int, embedder: SentenceTransformerEmbedder) -> float:
    """Seconds that embedding the passages from a place on takes by itself, from a sample of them."""
    new = [passage.text for passage in index.passages[from_:]]
    sample = random.Random(0).sample(new, min(_SAMPLE, len(new)))  # noqa: S311
    start = time.perf_counter()
    embedder.embed(sample)
    return (time.perf_counter() - start) * len(new) / max(1, len(sample))


def _figures(index: PassageIndex, folder: Path, seconds: float, encoding: float, queries: int) -> Grown:
    folder.mkdir()
    save_index(index, folder)
    start = time.perf_counter()
    load_index(folder, embedder=index.embedder, chunking=index.chunking)
    opened = time.perf_counter() - start
    texts = [document.text for document in index.documents.values()]
    questions = [" ".join(text.split()[-12:]) for text in random.Random(1).choices(texts, k=queries)]  # noqa: S311
    took, found = [], []
    for question in tqdm(questions, desc="Searching", unit=" questions", delay=1, leave=False):
        start = time.perf_counter()
        retrieve(index, question, k=K)
        took.append((time.perf_counter() - start) * 1000)
        exact = np.argsort(-(index.vectors @ index.embedder.embed([question], query=True)[0]), kind="stable")[:K]
        found.append(len({row for row, _ in index.search_dense(question, K)} & set(exact.tolist())) / len(exact))
    return Grown(
        passages=len(index.passages),
        articles=len(texts),
        words=sum(len(text.split()) for text in texts),
        index_s=seconds,
        encode_ratio=seconds / encoding,
        open_s=opened,
        disk_mb=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6,
        search_ms_p50=float(np.percentile(took, 50)),
        search_ms_p95=float(np.percentile(took, 95)),
        recall=float(np.mean(found)),
        memory_mb=peak_mb(),
    )


def table(grown: Sequence[Grown]) -> str:
    """The figures as a table, with the power of the number of passages by which each cost grows."""
    rows = [[name.replace("_", " ") for name in Grown.__slots__]]
    rows += [[f"{value:.4g}" for value in asdict(one).values()] for one in grown]
    rows.append(["grows as n^", *(power(grown, name) for name in Grown.__slots__[1:])])
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *others])


def power(grown: Sequence[Grown], name: str) -> str:
    """The slope of a figure over the passages, both as logarithms, by least squares; "" for a share or one size."""
    if len(grown) < 2 or name in {"recall", "encode_ratio"}:
        return ""
    sizes = [math.log(one.passages) for one in grown]
    values = [math.log(max(getattr(one, name), 1e-9)) for one in grown]
    return f"{np.polyfit(sizes, values, 1)[0]:.2f}"


if __name__ == "__main__":
    sys.exit(main())
