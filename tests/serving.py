"""A program that serves a home folder's articles by MCP as `article-chat mcp` does, with fakes in place of the models:

python serving.py HOME [--http]
"""

import sys
from pathlib import Path

from fakes import FakeEmbedder, OverlapChecker, OverlapReader

from rag.answer.pipeline import Pipeline
from rag.api.mcp import ArticleServer, serve_http, serve_stdio
from rag.api.served import ServedCollection
from rag.library.collections import Library
from rag.settings import Settings


def served_from(home: Path) -> ServedCollection:
    settings = Settings(home=home, llm="none", threads=1)
    library = Library(settings, FakeEmbedder())
    pipeline = Pipeline(library.open(), reader=OverlapReader(), checker=OverlapChecker(), settings=settings)
    return ServedCollection(library, "seeds", pipeline)


if __name__ == "__main__":
    server = ArticleServer(served_from(Path(sys.argv[1])))
    if "--http" in sys.argv:
        serve_http(server, 0)
    else:
        serve_stdio(server)
