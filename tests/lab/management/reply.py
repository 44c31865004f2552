"""An answer on its way out, still open to being spoiled."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable


@dataclass
class Reply:
    status: int
    value: Any = None                       # JSON, where there is a body
    headers: dict[str, str] = field(default_factory=dict)
    schema: str | None = None
    validate: bool = True
    body: bytes | None = None               # exact octets instead of `value`
    content_type: str = "application/json"
    mode: str = "send"                      # drop, hang, endless, truncated, slow, chunked
    seconds: float = 3600                   # how long a hang hangs, or a slow answer takes for an octet
    wait_for: Callable[[], Any] | None = None  # before it is sent
    fault: str | None = None
