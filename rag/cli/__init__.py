"""The command line, `article-chat`."""

from rag.cli.commands import main

__all__ = ["main"]
