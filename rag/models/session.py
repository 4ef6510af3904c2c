"""What llama.cpp holds of a text: tokens read once, their state saved and restored, and what may come next."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag.models.threads import Threads
from rag.types import FloatArray

if TYPE_CHECKING:
    from llama_cpp import Llama

CHUNK = 32
"""Tokens that are read between two looks at whether to stop: a third of a second on two slow cores."""


class Session:
    """One sequence of tokens in a llama.cpp context. Not thread-safe: whoever uses it holds the model's lock."""

    def __init__(self, llama: Llama, threads: int) -> None:
        self._llama = llama
        self.evaluated = 0
        """Tokens that were read so far, for whoever wants to know what was saved."""
        self._ahead: FloatArray | None = None  # the log-probabilities of what comes next, once they were asked for
        self._reading = Threads(threads)
        self._writing = Threads(threads)

    @property
    def held(self) -> int:
        """The number of tokens whose state is held."""
        return int(self._llama.n_tokens)

    @property
    def seconds(self) -> float:
        """What reading a token takes of late; infinite, where little was read."""
        return self._reading.seconds

    def shared(self, tokens: Sequence[int]) -> int:
        """How many tokens, from the first on, are held already."""
        held = self._llama.input_ids[: self.held]
        ours = np.asarray(tokens[: len(held)], dtype=held.dtype)
        differ = np.flatnonzero(held[: len(ours)] != ours)
        return int(differ[0]) if len(differ) else len(ours)

    def read(self, tokens: Sequence[int], stopped: Callable[[], bool]) -> bool:
        """Read the tokens, but for those at their start that are held; False where it was stopped before the end.

        What else was held is dropped. Afterwards `logprobs` tells what may come next.
        """
        if self._ahead is not None and self.held == self.shared(tokens) == len(tokens):
            return True
        from_ = min(self.shared(tokens), len(tokens) - 1)  # the last is read again: its logits are not held
        self._keep(from_)
        for start in range(from_, len(tokens), CHUNK):
            if stopped():
                return False
            self._eval(tokens[start : start + CHUNK])
        return True

    def logprobs(self) -> FloatArray:
        """The log-probability of every token of the vocabulary to come next, (v,)."""
        if self._ahead is None:
            self._ahead = self._logprobs(-1)
        return self._ahead

    def append(self, token: int) -> None:
        """Read one token more."""
        self._eval([token])

    def likelihood(self, tokens: Sequence[int]) -> float:
        """The log-probability that the tokens come next, in nats; what is held, and comes next, stays as it is."""
        ahead, before = self.logprobs(), self.held
        total = float(ahead[tokens[0]])
        if len(tokens) > 1:
            self._llama._batch.set_batch(tokens[:-1], n_past=before, logits_all=True)
            self._llama._ctx.decode(self._llama._batch)
            total += sum(float(self._logprobs(i)[token]) for i, token in enumerate(tokens[1:]))
            self._keep(before)
        self._ahead = ahead
        return total

    def hidden(self) -> FloatArray:
        """The last layer's state at the last token that is held, (d,), which is read again for it."""
        import llama_cpp

        before, ahead = self.held, self.logprobs()
        last = int(self._llama.input_ids[before - 1])
        self._keep(before - 1)
        llama_cpp.llama_set_embeddings(self._llama.ctx, True)
        try:
            self._eval([last])
            state = llama_cpp.llama_get_embeddings_ith(self._llama.ctx, -1)
            told = np.ctypeslib.as_array(state, shape=(self._llama.n_embd(),)).copy()
        finally:
            llama_cpp.llama_set_embeddings(self._llama.ctx, False)
        self._ahead = ahead
        return told

    def snapshot(self) -> bytes:
        """The state of all that is held, to be given to `restore`."""
        import llama_cpp

        size = llama_cpp.llama_state_seq_get_size(self._llama.ctx, 0)
        buffer = (ctypes.c_uint8 * size)()
        written = llama_cpp.llama_state_seq_get_data(self._llama.ctx, buffer, size, 0)
        return bytes(memoryview(buffer)[:written])

    def restore(self, tokens: Sequence[int], state: bytes) -> bool:
        """Hold these tokens, of which `snapshot` made the state; False, and nothing is held, where it does not fit."""
        import llama_cpp

        self._keep(0)
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        if not llama_cpp.llama_state_seq_set_data(self._llama.ctx, buffer, len(state), 0):
            return False
        self._llama.input_ids[: len(tokens)] = tokens
        self._llama.n_tokens = len(tokens)
        return True

    def _logprobs(self, row: int) -> FloatArray:
        logits = np.ctypeslib.as_array(self._llama._ctx.get_logits_ith(row), shape=(self._llama.n_vocab(),))
        shifted = logits - logits.max()
        return np.asarray(shifted - math.log(float(np.exp(shifted).sum())), np.float32)

    def _keep(self, count: int) -> None:
        self._llama._ctx.kv_cache_seq_rm(-1, count, -1)
        self._llama.n_tokens = count
        self._ahead = None

    def _eval(self, tokens: Sequence[int]) -> None:
        self._ahead = None
        alone = len(tokens) == 1
        writing, reading = self._writing.best(), self._reading.best()
        self._llama._ctx.set_n_threads(writing, reading)
        start = time.perf_counter()
        self._llama.eval(tokens)
        self.evaluated += len(tokens)
        spent = (time.perf_counter() - start) / len(tokens)
        (self._writing if alone else self._reading).took(writing if alone else reading, spent)
