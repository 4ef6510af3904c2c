"""Many short replies to prompts that begin alike, written side by side: several times quicker than one by one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import llama_cpp
import numpy as np

from rag.errors import ModelError
from rag.models.catalogue import STANDARD, find_writer
from rag.models.huge_pages import HugePagesLlama
from rag.models.llm import Message, ends, tokenize
from rag.settings import load_settings

_BATCH = 1024
"""Tokens that are decoded at once, at most."""
_CONTEXT = 192
"""Tokens that a sequence may have behind the beginning, on average."""


@dataclass(slots=True)
class _Reply:
    """A reply that is being written: the number of its prompt, the place of its next token, and those so far."""

    number: int
    position: int
    tokens: list[int] = field(default_factory=list)


class SideBySide:
    """A GGUF file run by llama.cpp on many sequences at once, greedily.

    A processor that decodes one token for each of 64 replies reads the weights once for all of them. Raises ModelError
    where the file cannot be loaded.
    """

    def __init__(self, path: Path, *, threads: int, replies: int = 64) -> None:
        try:
            self._llama = HugePagesLlama(str(path), n_ctx=64, use_mmap=False, verbose=False)
        except (ValueError, OSError) as error:
            raise ModelError(f"{path} cannot be loaded as a GGUF model: {error}") from error
        self._replies = replies
        wanted = llama_cpp.llama_context_default_params()
        wanted.n_ctx, wanted.n_batch, wanted.n_seq_max = _BATCH + replies * _CONTEXT, _BATCH, replies + 1
        wanted.kv_unified = True  # the beginning is kept once
        wanted.n_threads = wanted.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._llama.model, wanted)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)

    def replies(
        self, beginning: Sequence[Message], asked: Iterable[Message], max_tokens: int
    ) -> Iterator[tuple[int, str]]:
        """The likeliest reply to each message behind the beginning, with its number, in the order in which they end."""
        start = tokenize(self._llama, beginning, reply=False)
        llama_cpp.llama_memory_clear(self._memory, True)
        self._decode([(token, place, 0) for place, token in enumerate(start)])
        waiting = enumerate(asked)
        free, running = list(range(1, self._replies + 1)), dict[int, _Reply]()
        while True:
            rows = [(reply.tokens[-1], reply.position, sequence) for sequence, reply in running.items()]
            lasts = {sequence: row for row, sequence in enumerate(running)}
            for reply in running.values():
                reply.position += 1
            while free and len(rows) < _BATCH // 2 and (following := next(waiting, None)) is not None:
                number, message = following
                own = tokenize(self._llama, [*beginning, message])[len(start) :]
                sequence = free.pop()
                llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
                rows += [(token, len(start) + place, sequence) for place, token in enumerate(own)]
                lasts[sequence] = len(rows) - 1
                running[sequence] = _Reply(number, len(start) + len(own))
            if not rows:
                return
            self._decode(rows)
            for sequence, row in lasts.items():
                reply = running[sequence]
                token = self._likeliest(row)
                ended = ends(self._llama, token)
                if not ended:
                    reply.tokens.append(token)
                if ended or len(reply.tokens) == max_tokens:
                    yield reply.number, self._llama.detokenize(reply.tokens).decode(errors="ignore")
                    llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
                    free.append(sequence)
                    del running[sequence]

    def _decode(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Read the (token, place, sequence) rows."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for row, (token, place, sequence) in enumerate(rows):
            last = row + 1 == len(rows) or rows[row + 1][2] != sequence
            batch.token[row], batch.pos[row], batch.n_seq_id[row], batch.seq_id[row][0] = token, place, 1, sequence
            batch.logits[row] = last
        if llama_cpp.llama_decode(self._context, batch):
            raise ModelError(f"{len(rows)} tokens do not fit the context; ask shorter questions")

    def _likeliest(self, row: int) -> int:
        logits = llama_cpp.llama_get_logits_ith(self._context, row)
        return int(np.argmax(np.ctypeslib.as_array(logits, shape=(self._llama.n_vocab(),))))


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every command accepts that has a writer say much side by side."""
    parser.add_argument("--llm", default=STANDARD.name, help="the writer that says it (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (%(default)s)")


def opened(arguments: argparse.Namespace, what: str) -> SideBySide:
    """The writer that the options name; raises ModelError where it is not here, as `what` needs one."""
    path = find_writer(load_settings(flags={"llm": arguments.llm}))
    if path is None:
        raise ModelError(f"{what} need a language model; leave --llm none away")
    return SideBySide(path, threads=arguments.threads)
