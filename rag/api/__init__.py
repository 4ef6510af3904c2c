"""The answer over HTTP: what the site around it needs, and the articles by name for other doors."""

from rag.api.articles import Articles
from rag.api.bodies import receive_body
from rag.api.errors import RefusedError, error_response
from rag.api.metrics import Metrics
from rag.api.routes import API, Stream, api_app
from rag.api.served import ServedCollection
from rag.api.sockets import bind

__all__ = [
    "API",
    "Articles",
    "Metrics",
    "RefusedError",
    "ServedCollection",
    "Stream",
    "api_app",
    "bind",
    "error_response",
    "receive_body",
]
