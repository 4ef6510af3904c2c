"""The whole article in the prompt: nothing to retrieve, and what llama-cpp-python holds of it is used again."""

from __future__ import annotations

from benchmarks.systems import llama_cpp_chat
from benchmarks.systems.contract import CONTEXT_TOKENS, MAY_REFUSE, REPLY_TOKENS, Clock, Models, Reply, Turn

PROMPT = "Answer the question about this article in one or two sentences, using nothing else."
MOST_TOKENS = CONTEXT_TOKENS - REPLY_TOKENS - 768
"""Tokens of an article that leave room for the conversation; of a longer one, only its start is read."""


class Whole:
    """The article stands before the question, so that its tokens are read once for all questions about it."""

    def __init__(self, models: Models, *, may_refuse: bool) -> None:
        self._llama = llama_cpp_chat.load(models)
        self._prompt = f"{PROMPT} {MAY_REFUSE}" if may_refuse else PROMPT

    def prepare(self, title: str, text: str) -> None:
        tokens = self._llama.tokenize(text.encode(), add_bos=False)
        if len(tokens) > MOST_TOKENS:
            text = self._llama.detokenize(tokens[:MOST_TOKENS]).decode(errors="ignore")
        self._text = text
        self._system = f"{self._prompt}\n\n{title}\n\n{text}"

    def ask(self, question: str, history: tuple[Turn, ...]) -> Reply:
        clock = Clock()
        return clock.reply(llama_cpp_chat.chat(self._llama, self._system, question, history), (self._text,), None)


def build(models: Models, *, may_refuse: bool) -> Whole:
    """The script, its model loaded."""
    return Whole(models, may_refuse=may_refuse)
