"""The writer as llama-cpp-python offers it: `create_chat_completion`, streamed, greedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.systems.contract import CONTEXT_TOKENS, REPLY_TOKENS, Models, Turn, as_messages

if TYPE_CHECKING:
    from llama_cpp import Llama


def load(models: Models) -> Llama:
    """The writer, loaded, with llama-cpp-python's defaults but for context and threads."""
    from llama_cpp import Llama

    return Llama(
        models.writer, n_ctx=CONTEXT_TOKENS, n_threads=models.threads, n_threads_batch=models.threads, verbose=False
    )


def chat(llama: Llama, system: str, question: str, history: tuple[Turn, ...]) -> Iterator[str]:
    """The pieces of the likeliest reply to a conversation."""
    told = {"role": "system", "content": system}
    messages: list[Any] = [told, *as_messages(history), {"role": "user", "content": question}]
    chunks: Any = llama.create_chat_completion(
        messages, stream=True, temperature=0.0, repeat_penalty=1.0, max_tokens=REPLY_TOKENS
    )
    for chunk in chunks:
        yield chunk["choices"][0]["delta"].get("content") or ""
