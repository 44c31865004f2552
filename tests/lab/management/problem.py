"""Errors of the API: RFC 9457 with a `code`."""
from __future__ import annotations

from typing import Any

TITLES = {
    400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed", 408: "Timeout",
    409: "Conflict", 411: "Length required", 412: "Precondition failed", 413: "Too large", 422: "Unprocessable",
    428: "Precondition required", 429: "Too many requests", 500: "Internal error", 503: "Service unavailable",
}


class Problem(Exception):
    def __init__(self, status: int, code: str, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        result: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(self.status, "Error"), "status": self.status}
        if self.detail:
            result["detail"] = "".join(c if c.isprintable() else " " for c in self.detail)[:1000]
        result["code"] = self.code
        return result

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
