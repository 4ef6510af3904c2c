"""The language model that writes: the LanguageModel protocol, and llama.cpp behind it, which keeps what it has read."""

from __future__ import annotations

import codecs
import ctypes
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rag.errors import ModelError
from rag.models import states
from rag.models.chat_template import framed
from rag.models.lazy import Lazy
from rag.models.session import CHUNK, Session
from rag.models.weights import fingerprint

if TYPE_CHECKING:
    from llama_cpp import Llama

_log = logging.getLogger(__name__)
CONTEXT_TOKENS = 8192
_ERROR = 4
"""Of the levels on which llama.cpp says something."""
LEAST_READER = 400_000_000
"""Bytes of the smallest model that reads an article rather than rewording a quote; about half a billion weights."""
_ONE_AT_A_TIME = threading.Lock()
"""llama.cpp is not thread-safe: whoever loads or runs a model, in the whole process, holds this."""
LONGEST_WAIT = 25.0
"""An article whose unread part takes at most so many seconds to read is read to its end before it is asked about. The
quotes that would stand in its place, some 300 tokens, are read sooner, and answer less."""

INTRODUCTIONS_MB = 100.0
"""States of introductions are kept up to so much, 2 MB each with the standard writer, 17 with one of its size that
needs examples: those of earlier versions go."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages to which a reply is wanted. The first `lasting` of them, such as an article, come again with the next
    question; what a model holds of them may be kept in the folder `memory`. The first `introduction` of those come
    before every article.
    """

    messages: tuple[Message, ...]
    lasting: int = 0
    memory: Path | None = None
    introduction: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a reply, perhaps of no whole character yet, and its log-probability in nats; None where the model does
    not tell.
    """

    text: str
    logprob: float | None


class LanguageModel(Protocol):
    """Writes the likeliest reply to a prompt."""

    @property
    def name(self) -> str:
        """What the answer names as its writer."""
        ...

    @property
    def reads(self) -> bool:
        """Whether it is strong enough to read an article and answer, or can only reword what it is given."""
        ...

    @property
    def tuned(self) -> bool:
        """Whether it was trained to answer as is wanted here, or needs examples of it."""
        ...

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        """The reply; it ends at the model's own end, at a limit, or soon after `stopped()`; the seconds count from when
        the prompt is read. Nothing, where the prompt is longer than the model's context. One that begins with the first
        two tokens of `avoid` goes on otherwise, with a model that can.
        """
        ...

    def likelihood(self, prompt: Prompt, reply: str, *, stopped: Callable[[], bool]) -> float | None:
        """The log-probability that the reply begins so, in nats; None where the model does not tell."""
        ...

    def knows(self, prompt: Prompt) -> bool:
        """Whether it holds all that lasts of the prompt, or has kept it, or soon reads the rest; not where it is longer
        than the context.
        """
        ...

    def study(
        self,
        prompt: Prompt,
        progress: Callable[[int, int], None],
        stopped: Callable[[], bool],
        busy: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Read what lasts of the prompt and keep it, letting whoever else wants the model in between, and doing nothing
        while `busy()`; False where it was stopped, or is longer than the context.

        `progress` is told how many tokens are read, of how many.
        """
        ...


class LlamaCppModel:
    """A GGUF file run by llama.cpp, perhaps with an adapter that tunes it; it loads on first use, once, and reads
    nothing twice that prompts share.

    Message contents are tokenised without special tokens, so that a text which holds `<|im_start|>` stays a text.
    What it holds after an introduction is kept below the folder `cache`, where one is given. Raises ModelError, on
    first use, where the file cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        adapter: Path | None = None,
        threads: int = 2,
        context_tokens: int = CONTEXT_TOKENS,
        cache: Path | None = None,
    ) -> None:
        self._path = path
        self._adapter = adapter
        self._threads = threads
        self._context_tokens = context_tokens
        self._cache = cache
        self._loaded = Lazy(self._load, _ONE_AT_A_TIME)
        self._waiting = 0  # how many want the model while it studies
        self._count = threading.Lock()

    @property
    def name(self) -> str:
        return self._path.stem

    @property
    def reads(self) -> bool:
        return self._path.stat().st_size >= LEAST_READER

    @property
    def tuned(self) -> bool:
        return self._adapter is not None

    def generate(
        self, prompt: Prompt, *, max_tokens: int, seconds: float, stopped: Callable[[], bool], avoid: str = ""
    ) -> Iterator[Token]:
        with self._turn() as (llama, session):
            if not self._read(llama, session, prompt, max_tokens, stopped):
                return
            deadline = time.monotonic() + seconds
            decoder = codecs.getincrementaldecoder("utf-8")("ignore")
            avoided, token = llama.tokenize(avoid.encode(), add_bos=False, special=False)[:2], -1
            for written in range(1, max_tokens + 1):
                ahead = session.logprobs()
                if written == 2 and len(avoided) == 2 and token == avoided[0]:
                    ahead = ahead.copy()
                    ahead[avoided[1]] = -np.inf
                token = int(np.argmax(ahead))
                if ends(llama, token):
                    return
                yield Token(decoder.decode(llama.detokenize([token])), float(ahead[token]))
                if written == max_tokens or time.monotonic() > deadline or stopped():
                    return
                session.append(token)

    def likelihood(self, prompt: Prompt, reply: str, *, stopped: Callable[[], bool]) -> float | None:
        with self._turn() as (llama, session):
            tokens = llama.tokenize(reply.encode(), add_bos=False, special=False)
            if not tokens or not self._read(llama, session, prompt, len(tokens), stopped):
                return None
            return session.likelihood(tokens)

    def knows(self, prompt: Prompt) -> bool:
        with self._turn() as (llama, session):
            tokens = self._lasting(llama, prompt)
            if len(tokens) >= self._context_tokens:
                return False
            unread = len(tokens) - session.shared(tokens)
            if not unread or unread * session.seconds <= LONGEST_WAIT:
                return True
            return prompt.memory is not None and states.exists(prompt.memory, self._key(tokens))

    def study(
        self,
        prompt: Prompt,
        progress: Callable[[int, int], None],
        stopped: Callable[[], bool],
        busy: Callable[[], bool] = lambda: False,
    ) -> bool:
        def gives_way() -> bool:
            return self._waiting > 0 or busy()

        done, state = 0, b""
        while not stopped():
            if gives_way():
                time.sleep(0.02)
                continue
            with self._turn(study=True) as (llama, session):
                tokens = self._lasting(llama, prompt)
                if len(tokens) >= self._context_tokens:
                    return False
                self._recall(llama, session, prompt, stopped)
                if session.shared(tokens) < done:  # a question has taken its place
                    session.restore(tokens[:done], state)
                while done < len(tokens) and not stopped() and not gives_way():
                    done = min(len(tokens), max(done, session.shared(tokens)) + CHUNK)
                    session.read(tokens[:done], lambda: False)
                    progress(done, len(tokens))
                if done == len(tokens):
                    if prompt.memory is not None and not states.exists(prompt.memory, self._key(tokens)):
                        states.save(prompt.memory, self._key(tokens), session.snapshot())
                    return True
                state = session.snapshot()
        return False

    @contextmanager
    def _turn(self, *, study: bool = False) -> Iterator[tuple[Llama, Session]]:
        """The model, for one at a time; who studies gives way to all others."""
        with self._count:
            self._waiting += not study
        try:
            with self._loaded.held() as loaded:
                if not study:
                    with self._count:
                        self._waiting -= 1
                    study = True  # it waits no longer
                yield loaded
        finally:
            with self._count:
                self._waiting -= not study

    def _read(self, llama: Llama, session: Session, prompt: Prompt, more: int, stopped: Callable[[], bool]) -> bool:
        """Read the prompt; False where it does not fit, with so many tokens more, or was stopped."""
        tokens = tokenize(llama, prompt.messages)
        if len(tokens) + more > self._context_tokens:
            return False
        if prompt.lasting:
            self._recall(llama, session, prompt, stopped)
        return session.read(tokens, stopped)

    def _recall(self, llama: Llama, session: Session, prompt: Prompt, stopped: Callable[[], bool]) -> None:
        """Hold what lasts of the prompt, where its state was kept; else its introduction, read and kept for all."""
        if self._restored(session, self._lasting(llama, prompt), prompt.memory) or not self._cache:
            return
        introduction = tokenize(llama, prompt.messages[: prompt.introduction], reply=False)
        memory = self._cache / states.FOLDER
        if not self._restored(session, introduction, memory) and session.read(introduction, stopped):
            states.save(memory, self._key(introduction), session.snapshot())
            states.trim(self._cache, INTRODUCTIONS_MB)

    def _restored(self, session: Session, tokens: Sequence[int], memory: Path | None) -> bool:
        """Whether the tokens are held: already, or as their state was kept and is held now."""
        if session.shared(tokens) >= len(tokens) - CHUNK:
            return True
        if memory is None or (state := states.load(memory, self._key(tokens))) is None:
            return False
        if not session.restore(tokens, state):
            states.remove(memory, self._key(tokens))
            return False
        return True

    def _lasting(self, llama: Llama, prompt: Prompt) -> list[int]:
        """The tokens that every prompt with the same lasting messages begins with."""
        return tokenize(llama, prompt.messages[: prompt.lasting], reply=False)

    def _key(self, tokens: Sequence[int]) -> str:
        """Tells this model's state after these tokens from every other."""
        import llama_cpp

        file = self._path.stat()
        adapter = f"{fingerprint(self._adapter)} " if self._adapter is not None else ""
        told = f"{self._path.name} {file.st_size} {adapter}{llama_cpp.__version__} {self._context_tokens}".encode()
        return hashlib.sha256(told + np.asarray(tokens, np.int32).tobytes()).hexdigest()[:32]

    def _load(self) -> tuple[Llama, Session]:
        from llama_cpp import llama_log_set

        from rag.models.huge_pages import HugePagesLlama

        if self._adapter is not None:
            fingerprint(self._adapter)  # llama.cpp ends the process where the file is damaged
            llama_log_set(_log_callback(), ctypes.c_void_p(0))  # it warns of each matrix
        try:
            llama = HugePagesLlama(  # unmapped: llama.cpp rearranges most weights, and would hold the mapped besides
                str(self._path),
                lora_path=str(self._adapter) if self._adapter is not None else None,
                n_ctx=self._context_tokens,
                n_threads_batch=self._threads,
                use_mmap=False,
                verbose=False,
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise ModelError(f"{self._path} cannot be loaded as a GGUF model: {error}") from error
        return llama, Session(llama, self._threads)


@cache
def _log_callback() -> Any:
    """Takes what llama.cpp says to the log, errors for all and the rest for whoever debugs; it is kept as long as the
    process.
    """
    from llama_cpp import llama_log_callback

    def said(level: int, text: bytes, _: object) -> None:
        words = text.decode(errors="replace").strip()
        if level == _ERROR:
            _log.warning("llama.cpp: %s", words)
        else:
            _log.debug("llama.cpp: %s", words)

    return llama_log_callback(said)


def ends(llama: Llama, token: int) -> bool:
    """Whether a reply ends with the token."""
    import llama_cpp

    return bool(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(llama.model), token))


def tokenize(llama: Llama, messages: Sequence[Message], *, reply: bool = True) -> list[int]:
    """The tokens of the messages in the model's own chat template, up to where its reply begins or, without `reply`, to
    the end of the last message; the template's with special tokens, the contents' without.
    """
    tokens: list[int] = []
    for part, special in framed(llama, [(message.role, message.content) for message in messages], reply=reply):
        tokens += llama.tokenize(part.encode(), add_bos=False, special=special)
    return tokens
