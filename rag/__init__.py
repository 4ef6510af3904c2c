"""Ask an article: answers quoted, cited and checked, on your own computer.

    from rag import Library, build_pipeline, load_settings

    settings = load_settings()
    pipeline = build_pipeline(Library(settings).open(), settings)
    print(pipeline.answer("why did the talks end?").text)

Importing this loads no model and no deep-learning library; models load on first use.
"""

from rag.answer.claims import CheckedClaim, CheckedSentence
from rag.answer.digest import Dated, Digest, Digests, digest
from rag.answer.examples import Examples
from rag.answer.pipeline import Pipeline, Progress, build_pipeline
from rag.answer.studies import Studies
from rag.english import seems_english
from rag.errors import (
    ArticleChatError,
    BusyError,
    CollectionError,
    DocumentError,
    IndexDamagedError,
    IndexUnreadableError,
    LeftOutError,
    ModelError,
    NoRoomError,
    QuestionFileError,
    SettingsError,
    UsageError,
)
from rag.ingest.archives import read_articles
from rag.ingest.documents import SUFFIXES, document_from_text, load_document, read_document
from rag.ingest.sandbox import reachable
from rag.ingest.web_address import is_address, load_page
from rag.library.collections import SEEDS, Library
from rag.library.index import PassageIndex
from rag.library.manifest import ArticleEntry
from rag.library.originals import page_image, pages_of
from rag.library.shelf import Shelf
from rag.settings import Settings, load_settings
from rag.types import (
    NO_ANSWER,
    NONE_SAYS,
    NONE_SAYS_MORE,
    NOTHING_ELSE,
    REFUSALS,
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
    "NONE_SAYS",
    "NONE_SAYS_MORE",
    "NOTHING_ELSE",
    "NO_ANSWER",
    "REFUSALS",
    "SEEDS",
    "SUFFIXES",
    "Answer",
    "ArticleChatError",
    "ArticleEntry",
    "BusyError",
    "CheckedClaim",
    "CheckedSentence",
    "Citation",
    "CollectionError",
    "Dated",
    "Digest",
    "Digests",
    "Document",
    "DocumentError",
    "Examples",
    "IndexDamagedError",
    "IndexUnreadableError",
    "LeftOutError",
    "Library",
    "ModelError",
    "NoRoomError",
    "Passage",
    "PassageIndex",
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
    "Studies",
    "Turn",
    "UsageError",
    "build_pipeline",
    "digest",
    "document_from_text",
    "is_address",
    "load_document",
    "load_page",
    "load_settings",
    "page_image",
    "pages_of",
    "reachable",
    "read_articles",
    "read_document",
    "seems_english",
]
