"""A program that serves a home folder's articles by MCP as `article-chat mcp` does, with fakes in place of the models:

python serving.py HOME [--http]
"""

import sys
from pathlib import Path

from fakes import FakeEmbedder, OverlapChecker, OverlapReader

from rag.answer.pipeline import Pipeline
from rag.api.articles import Articles
from rag.api.mcp import ArticleServer, serve_http, serve_stdio
from rag.api.served import ServedCollection
from rag.library.collections import SEEDS, Library
from rag.settings import Settings


def server_of(home: Path) -> ArticleServer:
    settings = Settings(home=home, llm="none", threads=1)
    library = Library(settings, FakeEmbedder())
    pipeline = Pipeline(library.open(), reader=OverlapReader(), checker=OverlapChecker(), settings=settings)
    return ArticleServer(Articles(ServedCollection(pipeline, SEEDS, library), library=library), SEEDS)


if __name__ == "__main__":
    server = server_of(Path(sys.argv[1]))
    if "--http" in sys.argv:
        serve_http(server, 0)
    else:
        serve_stdio(server)
