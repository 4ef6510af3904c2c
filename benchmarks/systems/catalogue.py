"""The names of the systems, and how each is built in the virtual environment that it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from benchmarks.systems.contract import Models, System

ENVIRONMENTS = Path(__file__).resolve().parent.parent / ".venvs"


@dataclass(frozen=True, slots=True)
class Kind:
    """A system that can be measured: the module that builds it, whether its prompt allows a refusal, and its virtual
    environment in ENVIRONMENTS; None where it is the one that runs the benchmark.
    """

    module: str
    may_refuse: bool
    environment: str | None = None

    def build(self, models: Models) -> System:
        """The system, its models loaded."""
        module = import_module(f"benchmarks.systems.{self.module}")
        build: Callable[..., System] = module.build
        return build(models, may_refuse=self.may_refuse)

    @property
    def python(self) -> Path:
        """The Python that runs it."""
        return ENVIRONMENTS / self.environment / "bin" / "python" if self.environment else Path(sys.executable)


OURS = "article-chat"
SYSTEMS = {OURS: Kind("article_chat", may_refuse=True)}
for _name, _module, _environment in (
    ("langchain", "langchain_rag", "langchain"),
    ("llama-index", "llama_index_rag", "llama_index"),
    ("bare", "bare", None),
    ("whole", "whole", None),
):
    _kind = partial(Kind, _module, environment=_environment)
    SYSTEMS |= {_name: _kind(may_refuse=False), f"{_name}-refusing": _kind(may_refuse=True)}
