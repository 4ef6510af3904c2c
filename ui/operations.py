"""For whoever runs the server: whether it can answer (`/health`), and its figures (`/metrics`).

    GET /health    200 {"status": "ready"}, else 503 with "loading", "failed" (the models could not be loaded) or
                   "unresponsive" (a model hangs: restart the server); who is let in is told, too, what is served
    GET /metrics   what `rag.api.Metrics` counts, in Prometheus' text format, for this computer alone or, with
                   `open_metrics`, for who is let in, too

Both wait for nothing. `/alive` is for the page: whether the server is there, and the same as before.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from rag.api import ServedCollection
from ui.chat import Chat
from ui.security import is_loopback

HEALTH, METRICS = "/health", "/metrics"
OPEN = frozenset({HEALTH, METRICS})
"""What may be asked without a login, too, as it looks at who asks; the owner is then ""."""
FRESH = {"Cache-Control": "no-store"}


def add_operation_routes(
    site: FastAPI, served: ServedCollection, chat: Chat, *, public_url: str = "", open_metrics: bool = False
) -> None:
    """Add the routes to the site, which has `Owners` and `Guard` around it."""
    public = urlsplit(public_url).netloc

    @site.get(HEALTH)
    async def health(request: Request) -> Response:
        state = chat.state()
        told: dict[str, object] = {"status": state}
        if request.scope["owner"]:
            told |= {"collection": served.name, "articles": len(served.documents), "models": served.models}
        return JSONResponse(told, 200 if state == "ready" else 503, headers=FRESH)

    @site.get(METRICS)
    async def metrics(request: Request) -> Response:
        # What came through the proxy is a stranger's, also where the proxy does not say for whom it asks.
        asked_here = is_loopback(request.client.host if request.client else "")
        here = asked_here and request.headers.get("host", "").lower() != public
        if not here and not (open_metrics and request.scope["owner"]):
            return PlainTextResponse("The figures are for this computer alone; see --open-metrics", 403)
        return Response(chat.metrics.text(), media_type=CONTENT_TYPE_LATEST, headers=FRESH)
