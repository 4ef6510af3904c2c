"""The language models that the settings name, each as the LanguageModel that it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from rag.models.catalogue import adapter_of, find_writer
from rag.models.llm import LanguageModel, LlamaCppModel
from rag.models.openai_api import Address, Client
from rag.models.server import ServerModel
from rag.settings import Settings

_SERVER = ("http://", "https://")


def addresses(settings: Settings) -> tuple[list[Address], str]:
    """The model servers that the setting `llm` names, each with its key, and the name of the writer that runs here.

    Raises SettingsError where one is no address.
    """
    if not settings.llm.strip().startswith(_SERVER):
        return [], settings.llm
    named = [name.strip() for name in settings.llm.split(",")]
    servers = list(takewhile(lambda name: name.startswith(_SERVER), named))
    keys = [key.strip() for key in settings.llm_key.split(",")]
    keys += [""] * (len(servers) - len(keys))
    own = ",".join(named[len(servers) :])
    return [Address.parse(server, key) for server, key in zip(servers, keys, strict=False)], own or "auto"


def open_writers(settings: Settings) -> tuple[LanguageModel, ...]:
    """The language models that write, the first that can: model servers, where some are named, and last the one that
    runs here; none, where the setting `llm` is 'none'. They load, and servers are asked, on first use.

    Raises SettingsError where a server's address is none, ModelError where the file of a model is not here.
    """
    servers, own = addresses(settings)
    path = find_writer(replace(settings, llm=own))
    here = []
    if path is not None:
        here = [LlamaCppModel(path, adapter=adapter_of(path), threads=settings.threads, cache=settings.model_cache)]
    return (*(ServerModel(Client(address)) for address in servers), *here)
