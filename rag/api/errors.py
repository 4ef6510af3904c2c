"""What is refused, and how the API says so: `{"error": {"message", "type", "param", "code"}}` with a fitting status."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from rag.errors import ArticleChatError, BusyError, CollectionError, IndexUnreadableError, ModelError, UsageError

RETRY_SECONDS = 5
"""When to ask again, where too many wait already."""
WENT_WRONG = "something went wrong here; the terminal says what"


class RefusedError(ArticleChatError):
    """A request that is refused with a status of its own; `param` is the field at fault, `code` a word for programs."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def refused(error: ArticleChatError) -> RefusedError:
    """The error with the status, field and code by which programs know it."""
    message = str(error)
    match error:
        case RefusedError():
            return error
        case BusyError():
            return RefusedError(429, message, code="rate_limit_exceeded")
        case CollectionError():
            return RefusedError(404, message, param="model", code="model_not_found")
        case ModelError() | IndexUnreadableError():
            return RefusedError(503, message)
        case UsageError():
            return RefusedError(400, message)
        case _:
            return RefusedError(500, message)


def error_json(error: RefusedError) -> dict[str, Any]:
    """The error as the object that the API answers with, also in the middle of a stream."""
    kind = "rate_limit_error" if error.status == 429 else "invalid_request_error"
    said = {"message": str(error), "type": kind if error.status < 500 else "server_error"}
    return {"error": {**said, "param": error.param, "code": error.code}}


def error_response(error: RefusedError, headers: dict[str, str] | None = None) -> JSONResponse:
    """The error as the response of a request."""
    again = {"Retry-After": str(RETRY_SECONDS)} if error.status == 429 else {}
    return JSONResponse(error_json(error), error.status, {**again, **(headers or {})})
