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
GUESSES = 4
"""So many tokens at most are read ahead with one that was written."""


class Session:
    """One sequence of tokens in a llama.cpp context. Not thread-safe: whoever uses it holds the model's lock."""

    def __init__(self, llama: Llama, threads: int) -> None:
        self._llama = llama
        self.evaluated = 0
        """Tokens that were read so far, for whoever wants to know what was saved."""
        self._ahead: FloatArray | None = None  # the log-probabilities of what comes next, once they were asked for
        self._guessed: list[int] = []  # tokens that were read ahead of what is held
        self._row = -1  # of the last batch: its last token that is held
        self._reading = Threads(threads)
        self._writing = Threads(threads)
        self._looking_ahead = Threads(threads)

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
            self._ahead = self._logprobs(self._row)
        return self._ahead

    def append(self, token: int) -> None:
        """Read one token more, and with it those that followed where it and the one before stood last.

        What is written about a text often goes on as that does, and five tokens are read in little more time than one.
        Those guessed rightly are read already when they are appended, and nothing else changes (Saxena 2023, "Prompt
        Lookup Decoding"; Leviathan et al. 2023), but that several tokens at once are rounded otherwise.
        """
        if self._guessed and self._guessed[0] == token:
            del self._guessed[0]
            self._llama.n_tokens += 1
            self._ahead, self._row = None, self._row + 1
            return
        self._eval([token], self._guesses(token))

    def likelihood(self, tokens: Sequence[int]) -> float:
        """The log-probability that the tokens come next, in nats; what is held, and comes next, stays as it is."""
        ahead = self.logprobs()
        total = float(ahead[tokens[0]])
        if len(tokens) > 1:
            self._forget_guesses()
            self._decode(tokens[:-1], self._looking_ahead, each=True)
            total += sum(float(self._logprobs(i)[token]) for i, token in enumerate(tokens[1:]))
            self._keep(self.held)
            self._ahead = ahead
        return total

    def snapshot(self) -> bytes:
        """The state of all that is held, to be given to `restore`."""
        import llama_cpp

        self._forget_guesses()
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

    def _guesses(self, token: int) -> list[int]:
        """What followed the last place, if there is one, where the token came after the last one that is held."""
        held = self._llama.input_ids[: self.held]
        places = np.flatnonzero((held[:-1] == held[-1]) & (held[1:] == token))
        room = max(0, min(GUESSES, len(self._llama.input_ids) - self.held - 1))
        return [int(guess) for guess in held[places[-1] + 2 :][:room]] if len(places) else []

    def _keep(self, count: int) -> None:
        self._llama.n_tokens = count
        self._forget_guesses()
        self._ahead = None

    def _forget_guesses(self) -> None:
        self._llama._ctx.kv_cache_seq_rm(-1, self.held, -1)
        self._guessed = []

    def _eval(self, tokens: Sequence[int], guesses: Sequence[int] = ()) -> None:
        """Read the tokens, and the guesses ahead of what is held."""
        before, read = self.held, [*tokens, *guesses]
        self._keep(before)
        alone = self._writing if len(tokens) == 1 else self._reading
        self._decode(read, self._looking_ahead if guesses else alone, each=bool(guesses))
        self.evaluated += len(read)
        self._llama.input_ids[before : before + len(read)] = read
        self._llama.n_tokens += len(tokens)
        self._guessed, self._row = list(guesses), len(tokens) - 1 if guesses else -1

    def _decode(self, tokens: Sequence[int], threads: Threads, *, each: bool) -> None:
        """Let llama.cpp read the tokens behind what is held, and tell what comes after each of them, or the last."""
        count = threads.best()
        self._llama._ctx.set_n_threads(count, count)
        start = time.perf_counter()
        self._llama._batch.set_batch(tokens, n_past=self.held, logits_all=each)
        self._llama._ctx.decode(self._llama._batch)
        threads.took(count, (time.perf_counter() - start) / len(tokens))
