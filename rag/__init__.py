"""Ask an article: answers quoted, cited and checked, on your own computer.

    from rag import Library, build_pipeline, load_settings

    settings = load_settings()
    pipeline = build_pipeline(Library(settings).open(), settings)
    print(pipeline.answer("why did the talks end?").text)

Importing this loads no model and no deep-learning library; models load on first use.
"""

from rag.documents import SUFFIXES, document_from_text, load_document, read_document
from rag.english import COMMON_WORDS, FORMS_OF_ADDRESS
from rag.errors import (
    ArticleChatError,
    CollectionError,
    DocumentError,
    IndexDamagedError,
    ModelError,
    QuestionFileError,
    SettingsError,
    UsageError,
)
from rag.library import SEEDS, Library
from rag.manifest import ArticleEntry
from rag.pipeline import Pipeline, Progress, build_pipeline
from rag.settings import Settings, load_settings
from rag.shelf import Shelf
from rag.types import (
    NO_ANSWER,
    NOTHING_ELSE,
    Answer,
    Citation,
    Document,
    Passage,
    Quote,
    Reading,
    RetrievedPassage,
    Span,
    Statement,
    Turn,
)

__all__ = [
    "COMMON_WORDS",
    "FORMS_OF_ADDRESS",
    "NOTHING_ELSE",
    "NO_ANSWER",
    "SEEDS",
    "SUFFIXES",
    "Answer",
    "ArticleChatError",
    "ArticleEntry",
    "Citation",
    "CollectionError",
    "Document",
    "DocumentError",
    "IndexDamagedError",
    "Library",
    "ModelError",
    "Passage",
    "Pipeline",
    "Progress",
    "QuestionFileError",
    "Quote",
    "Reading",
    "RetrievedPassage",
    "Settings",
    "SettingsError",
    "Shelf",
    "Span",
    "Statement",
    "Turn",
    "UsageError",
    "build_pipeline",
    "document_from_text",
    "load_document",
    "load_settings",
    "read_document",
]
