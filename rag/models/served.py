"""What a model server tells of itself: its models, and how long a prompt may be; and which servers run here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rag.errors import ServerError
from rag.models.openai_api import Address, Client

OLLAMA_CONTEXT = 4096
"""Tokens that Ollama reads of a prompt unless told otherwise; it drops the others without a word."""
LOCAL_PORTS = (11434, 8080, 1234, 8000)
"""Where Ollama, llama.cpp's server, LM Studio and vLLM listen unless told otherwise."""
_UNTHINKING = {"chat_template_kwargs": {"enable_thinking": False}}
_GOES_ON: dict[str, Mapping[str, Any]] = {
    "llamacpp": {},
    "vllm": {"continue_final_message": True, "add_generation_prompt": False},
}
"""By the owner of a server's models, which tells its program."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A model of a server, and its context in tokens, None where the server does not tell; `asks` is what to send with
    each request, that it answers without thinking aloud first, and `goes_on` what to send that it goes on where a last
    message of its own ends; None where that is not known.
    """

    model: str
    context: int | None = None
    asks: Mapping[str, Any] = field(default_factory=dict)
    goes_on: Mapping[str, Any] | None = None


def served(client: Client, stopped: Callable[[], bool]) -> Served:
    """The model that the address names, else the server's first that is for text.

    Warns where it is Ollama with the context that it has unless told otherwise. Raises ServerError.
    """
    wanted = client.address.model
    known = _models(client, stopped)
    first = next((name for name in known if "embed" not in name.lower()), "")
    name = wanted or first
    if not name:
        raise ServerError(f"{client} names no model; name one: --llm {client.address.url}#MODEL")
    entry = known.get(name) or next(iter(known.values()), {})  # llama.cpp's server takes any name for its model
    context = _number(entry, "max_model_len") or _number(entry.get("meta"), "n_ctx")
    owner = entry.get("owned_by")
    goes_on = _GOES_ON.get(owner) if isinstance(owner, str) else None
    asks: Mapping[str, Any] = _UNTHINKING if goes_on is not None else {}
    if context is None and owner == "llamacpp":
        props = _asked(client, "/props", stopped)
        context = _number(props.get("default_generation_settings"), "n_ctx")
    elif context is None and client.address.root != client.address.url:
        context = _ollama_context(client, name, stopped)
        if context is not None:
            asks = {"reasoning_effort": "none"}
        else:
            models = _entries(_asked(client, "/api/v0/models", stopped), "data")  # LM Studio
            context = next((_number(m, "loaded_context_length") for m in models if m.get("id") == name), None)
    return Served(name, context, asks, goes_on)


def running_here(ports: tuple[int, ...] = LOCAL_PORTS) -> list[tuple[Address, list[str]]]:
    """The OpenAI-compatible servers on these ports of this computer, each with the names of its models."""

    def models_at(port: int) -> tuple[Address, list[str]]:
        address = Address(f"http://127.0.0.1:{port}/v1")
        try:
            return address, list(_models(Client(address), lambda: False, patient=False))
        except ServerError:
            return address, []

    with ThreadPoolExecutor(len(ports)) as threads:
        return [(address, models) for address, models in threads.map(models_at, ports) if models]


def _models(client: Client, stopped: Callable[[], bool], *, patient: bool = True) -> dict[str, dict[str, Any]]:
    """The server's models by name; none where it tells none and one is named."""
    try:
        listed = client.get(f"{client.address.url}/models", stopped, patient=patient)
    except ServerError as error:
        if client.address.model and getattr(error, "status", 0) in {404, 405}:
            return {}
        raise
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        raise client.garbled()
    return {m["id"]: m for m in _entries(listed, "data") if isinstance(m.get("id"), str)}


def _ollama_context(client: Client, model: str, stopped: Callable[[], bool]) -> int | None:
    """How many tokens Ollama reads with the model, which it loads for that; None where this is no Ollama."""
    running = _asked(client, "/api/ps", stopped)
    if not isinstance(running.get("models"), list):
        return None

    def found() -> int | None:
        entries = [m for m in _entries(running, "models") if m.get("name") in {model, f"{model}:latest"}]
        return next((_number(m, "context_length") for m in entries), None)

    if not found():
        try:
            client.post(f"{client.address.root}/api/generate", {"model": model, "stream": False}, stopped)
        except ServerError as error:
            log.debug("%s", error)
        running = _asked(client, "/api/ps", stopped)
    context = found() or OLLAMA_CONTEXT
    if context <= OLLAMA_CONTEXT:
        log.warning(
            "Ollama reads %s tokens of a prompt (its default is 4,096), too few for most articles: start it with "
            "OLLAMA_CONTEXT_LENGTH=8192, and it reads the article rather than quotes",
            f"{context:,}",
        )
    return context


def _asked(client: Client, path: str, stopped: Callable[[], bool]) -> dict[str, Any]:
    """What some servers tell there; nothing, where this one does not."""
    try:
        told = client.get(client.address.root + path, stopped, patient=False)
    except ServerError:
        return {}
    return told if isinstance(told, dict) else {}


def _entries(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = value.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _number(value: Any, name: str) -> int | None:
    number = value.get(name) if isinstance(value, dict) else None
    return number if type(number) is int and number > 0 else None
