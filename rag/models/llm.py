"""The language model that drafts: the LanguageModel protocol and its llama.cpp adapter."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rag.errors import ModelError
from rag.models.lazy import Lazy

if TYPE_CHECKING:
    from llama_cpp import Llama

CONTEXT_TOKENS = 2048
_ONE_AT_A_TIME = threading.Lock()
"""llama.cpp is not thread-safe: whoever loads or runs a model, in the whole process, holds this."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


class LanguageModel(Protocol):
    """Writes a continuation of a conversation, greedily."""

    @property
    def name(self) -> str:
        """What the answer names as its writer."""
        ...

    def generate(
        self, messages: Sequence[Message], *, max_tokens: int, seconds: float, stopped: Callable[[], bool]
    ) -> Iterator[str]:
        """The reply in pieces of text; it ends at the model's own end, at a limit, or soon after `stopped()`."""
        ...


class LlamaCppModel:
    """A GGUF file run by llama.cpp; it loads on first use, once, and keeps the common start of prompts in its cache.

    Message contents are tokenised without special tokens, so that a text which holds `<|im_start|>` stays a text.
    Raises ModelError, on first use, where the file cannot be loaded.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        self._path = path
        self._threads = threads
        self._llama = Lazy(self._load, _ONE_AT_A_TIME)

    @property
    def name(self) -> str:
        return self._path.stem

    def generate(
        self, messages: Sequence[Message], *, max_tokens: int, seconds: float, stopped: Callable[[], bool]
    ) -> Iterator[str]:
        deadline = time.monotonic() + seconds
        with self._llama.held() as llama:
            tokens = self._tokenize(llama, messages)
            if len(tokens) + max_tokens > CONTEXT_TOKENS:
                return  # a quote this long is shown, not paraphrased
            decoder = codecs.getincrementaldecoder("utf-8")("ignore")
            for written, token in enumerate(llama.generate(tokens, temp=0.0), 1):
                if self._ends(llama, token):
                    return
                piece = decoder.decode(llama.detokenize([token]))
                if piece:
                    yield piece
                if written >= max_tokens or time.monotonic() > deadline or stopped():
                    return

    def _load(self) -> Llama:
        from llama_cpp import Llama

        try:
            return Llama(
                str(self._path),
                n_ctx=CONTEXT_TOKENS,
                # One token at a time is bound by memory, and threads that wait for each other at every layer are
                # ruinous where a core is shared: measured on two busy cores, 2 tokens/s with two, 30 with one.
                n_threads=1,
                n_threads_batch=self._threads,
                verbose=False,
            )
        except (ValueError, OSError) as error:
            raise ModelError(f"{self._path} cannot be loaded as a GGUF model: {error}") from error

    @staticmethod
    def _ends(llama: Llama, token: int) -> bool:
        import llama_cpp

        vocabulary = llama_cpp.llama_model_get_vocab(llama.model)
        return bool(llama_cpp.llama_vocab_is_eog(vocabulary, token))

    @staticmethod
    def _tokenize(llama: Llama, messages: Sequence[Message]) -> list[int]:
        """The prompt's tokens: the model's own chat template with special tokens, the contents in it without."""
        slots = [f"\ue000{i}\ue001" for i in range(len(messages))]  # private-use characters: no template has them
        tokens: list[int] = []
        rest = _framed(llama, messages, slots)
        for slot, message in zip(slots, messages, strict=True):
            frame, rest = rest.split(slot, 1)
            tokens += llama.tokenize(frame.encode(), add_bos=False, special=True)
            tokens += llama.tokenize(message.content.encode(), add_bos=False, special=False)
        return tokens + llama.tokenize(rest.encode(), add_bos=False, special=True)


def _framed(llama: Llama, messages: Sequence[Message], slots: Sequence[str]) -> str:
    """The prompt with a slot for each content, in order: by the model's template; ChatML where that cannot have them.

    Some templates know no system message, or move it: then it is put before the first user's.
    """
    own = llama.metadata.get("tokenizer.chat_template", _CHATML)
    system_first = len(messages) > 1 and messages[0].role == "system"
    merged = [(messages[1].role, f"{slots[0]}\n\n{slots[1]}")] if system_first else []
    plain = [(message.role, slot) for message, slot in zip(messages, slots, strict=True)]
    for template, contents in ((own, plain), (own, merged + plain[2:] if system_first else plain), (_CHATML, plain)):
        try:
            prompt = _render(llama, template, contents)
        except Exception:  # noqa: BLE001, S112  # templates are programs: whatever one raises, the next is tried
            continue
        places = [prompt.find(slot) for slot in slots]
        if -1 not in places and places == sorted(places) and all(prompt.count(slot) == 1 for slot in slots):
            return prompt
    raise ModelError("the model's chat template cannot be used; choose an instruction-tuned model")


def _render(llama: Llama, template: str, contents: Sequence[tuple[str, str]]) -> str:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    def text(token: int) -> str:  # a model may have no such token
        return llama.detokenize([token], special=True).decode(errors="ignore") if token >= 0 else ""

    formatter = Jinja2ChatFormatter(
        template=template, eos_token=text(llama.token_eos()), bos_token=text(llama.token_bos())
    )
    conversation: Any = [{"role": role, "content": content} for role, content in contents]
    prompt: str = formatter(messages=conversation).prompt
    return prompt


_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
