"""Settings: plain frozen values with units, from defaults < TOML file < environment < flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from rag.errors import SettingsError

ENVIRONMENT_PREFIX = "ARTICLE_CHAT_"
FILE_NAME = "article-chat.toml"
DEBUG = "ARTICLE_CHAT_DEBUG"
"""Not a setting: shows where an unexpected error came from."""


def default_home() -> Path:
    """The folder that holds `seeds/` and `indexes/`: the checkout, or `~/.article-chat` for an installed wheel."""
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "seeds").is_dir() else Path.home() / ".article-chat"


def default_threads() -> int:
    """All cores up to four: beyond that, models this small gain nothing and the machine is not ours alone."""
    return min(4, os.cpu_count() or 1)


def default_model_cache() -> Path:
    """The folder of fetched models: one for each user, whatever number of checkouts there are."""
    return user_cache_path("article-chat", appauthor=False) / "models"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen; each is also `ARTICLE_CHAT_<NAME>` and a key of `article-chat.toml`.

    Raises SettingsError where a value cannot be used.
    """

    home: Path = field(default_factory=default_home, metadata={"help": "folder that holds seeds/ and indexes/"})
    embedding_model: str = field(
        default="packaged", metadata={"help": "sentence-transformers name or path, or 'packaged' (MiniLM)"}
    )
    llm: str = field(
        default="auto",
        metadata={
            "help": "who writes: 'standard' (Qwen2.5 1.5B, once downloaded), 'packaged' (SmolLM2), 'auto' (the better "
            "one that is here and fits the memory), the path of a .gguf file, 'none' to quote only, or a model server: "
            "http://localhost:8080/v1, with #MODEL for another than its first; several, separated by commas, stand in "
            "for each other, and last the writer that is named last, else 'auto'"
        },
    )
    llm_key: str = field(
        default="",
        repr=False,
        metadata={
            "help": "key of the model server, or of each, separated by commas; others on this computer can read it in "
            "the list of programs: rather set ARTICLE_CHAT_LLM_KEY"
        },
    )
    model_cache: Path = field(
        default_factory=default_model_cache,
        metadata={"help": "folder that `download` writes to (default: models/ in your cache folder of article-chat)"},
    )
    threads: int = field(default_factory=default_threads, metadata={"help": "CPU threads for the models"})
    max_document_mb: float = field(default=5.0, metadata={"help": "longest article accepted, in megabytes of text"})
    max_file_mb: float = field(
        default=25.0, metadata={"help": "largest file accepted that is more than plain text, in megabytes"}
    )
    max_zip_files: int = field(default=1000, metadata={"help": "articles in a ZIP file, at most"})
    max_zip_mb: float = field(
        default=100.0, metadata={"help": "what the articles in a ZIP file unpack to, at most, in megabytes"}
    )
    max_pages: int = field(default=1000, metadata={"help": "pages of a PDF file, at most"})
    parse_seconds: float = field(default=30.0, metadata={"help": "give up reading such a file after so many seconds"})
    parse_memory_mb: int = field(
        default=1024, metadata={"help": "memory that reading such a file may take, in megabytes"}
    )
    max_articles: int = field(default=30, metadata={"help": "articles that each visitor of the page may add"})
    max_articles_mb: float = field(
        default=20.0,
        metadata={
            "help": "text of all articles that a visitor adds, in megabytes; PDF files are kept, to show their pages, "
            "while they fit in beside it"
        },
    )
    max_passages: int = field(
        default=1000,
        metadata={"help": "passages of an article that a visitor adds, at most; 1000 are about 0.5 MB of text"},
    )
    web_pages: bool = field(
        default=True, metadata={"help": "let visitors of the page add articles by their web address, true or false"}
    )
    passage_pieces: int = field(default=160, metadata={"help": "longest passage, in word pieces of the embedder"})
    passage_overlap_pieces: int = field(default=50, metadata={"help": "how much consecutive passages share"})
    retrieved_passages: int = field(default=5, metadata={"help": "passages that the reader sees for a question"})
    max_quotes: int = field(default=3, metadata={"help": "quotes shown for an answer, at most"})
    # The probability is calibrated on as many questions with an answer as without. People mostly ask what the article
    # does say; seven such questions for three that it does not make even odds of 0.3.
    abstain_below: float = field(
        default=0.3,
        metadata={"help": "say 'the article does not say' below this probability of an answer, 0 to 1"},
    )
    draft_tokens: int = field(default=80, metadata={"help": "longest draft of the language model, in tokens"})
    draft_seconds: float = field(default=20.0, metadata={"help": "end a draft after so many seconds of writing"})
    answer_seconds: float = field(
        default=180.0, metadata={"help": "stop an answer on the page after so many seconds, and let others go on"}
    )
    log_format: str = field(
        default="text",
        metadata={
            "help": "'text', or 'json' for programs: an object a line, without a word of questions, answers or articles"
        },
    )
    max_states_mb: float = field(
        default=1000.0,
        metadata={"help": "disk for what the language model keeps of the articles that it has read, in megabytes"},
    )

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"the setting {name} must be from {low} to {high}, not {value}")
        if self.log_format not in _LOG_FORMATS:
            raise SettingsError(f"the setting log_format is one of {', '.join(_LOG_FORMATS)}, not {self.log_format!r}")
        if self.passage_overlap_pieces * 2 > self.passage_pieces:
            raise SettingsError("the setting passage_overlap_pieces must be at most half of passage_pieces")

    @property
    def seeds(self) -> Path:
        """The folder of articles that are there without being asked for."""
        return self.home / "seeds"

    @property
    def indexes(self) -> Path:
        """The folder that holds one folder for each collection."""
        return self.home / "indexes"

    @property
    def models(self) -> Path:
        """The folder of models put there by hand, which is looked into before `model_cache`."""
        return self.home / "models"


_LOG_FORMATS = ("text", "json")
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("threads", 1, 256),
    ("max_document_mb", 0.001, 1024),
    ("max_file_mb", 0.001, 1024),
    ("max_zip_files", 1, 100_000),
    ("max_zip_mb", 0.001, 10_240),
    ("max_pages", 1, 100_000),
    ("parse_seconds", 1, 600),
    ("parse_memory_mb", 256, 65536),
    ("max_articles", 1, 10_000),
    ("max_articles_mb", 0.001, 102_400),
    ("max_passages", 1, 1_000_000),
    ("passage_pieces", 32, 200),  # MiniLM reads 256 pieces; 200 leaves room for the markers and for a title
    ("passage_overlap_pieces", 0, 100),
    ("retrieved_passages", 1, 50),
    ("max_quotes", 1, 10),
    ("abstain_below", 0.0, 1.0),
    ("draft_tokens", 8, 512),
    ("draft_seconds", 0.1, 600),
    ("answer_seconds", 1, 3600),
    ("max_states_mb", 0, 1_000_000),
)


def load_settings(
    *, file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings in force: defaults, then `file` (else `article-chat.toml` in the home folder, if there is one), then
    `ARTICLE_CHAT_*` of `environment` (else the process's), then the `flags` that are not None.

    Raises SettingsError for an unknown name, a value of the wrong type or a file that cannot be read.
    """
    environment = os.environ if environment is None else environment
    named = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name != DEBUG and value
    }
    chosen = {name: value for name, value in (flags or {}).items() if value is not None}
    home = Path(chosen.get("home") or named.get("home") or default_home()).expanduser()
    path = file or home / FILE_NAME
    settings = replace(Settings(), home=home)
    if file is not None or path.is_file():
        settings = _apply(settings, _read_toml(path), f"{path}")
    settings = _apply(settings, named, "the environment")
    return _apply(settings, chosen, "the command line")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not valid TOML: {error}") from error


def _apply(settings: Settings, values: Mapping[str, Any], origin: str) -> Settings:
    kinds: dict[str, type] = {f.name: type(getattr(settings, f.name)) for f in fields(settings)}
    secret = {f.name for f in fields(settings) if not f.repr}
    changes = {}
    for name, value in values.items():
        if name not in kinds:
            raise SettingsError(f"{origin} names the unknown setting {name!r}; the settings are {', '.join(kinds)}")
        try:
            changes[name] = _convert(value, kinds[name])
        except (KeyError, TypeError, ValueError) as error:
            wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}.get(
                kinds[name], "a path"
            )
            shown = "a value" if name in secret else repr(value)
            raise SettingsError(f"{origin} sets {name} to {shown}, which is not {wanted}") from error
    return replace(settings, **changes)


def _convert(value: Any, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "false": False}[str(value).lower()]
    if kind in {int, float}:
        return kind(str(value))  # through text, so that 1.5 and true are no whole numbers
    if kind is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    if isinstance(value, str) and not value.strip():  # which would be the folder that one is in
        raise ValueError
    return Path(value).expanduser()
