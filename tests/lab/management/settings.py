"""What a test may turn while the service runs."""
from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Settings:
    approve: str = "auto"                   # or "manual": a new connector waits for an administrator
    validate: bool = True
    lease_seconds: float = 120
    page_size: int = 50                     # of imported certificates, where $top asks for no fewer
    certificate_days: float = 90
    renew_after_seconds: float | None = None    # None: when two thirds of the lifetime are over
    token_seconds: float = 3600
    heartbeat_lists_connectors: bool = False
    date_skew_seconds: float = 0            # the Date header and the lease times shift together
    tls_certificate: str = "good"           # or wrong-name, expired, foreign
    keep_alive_seconds: float = 120

    def change(self, values: dict[str, Any]) -> None:
        known = {field.name for field in fields(self)}
        unknown = set(values) - known
        if unknown:
            raise KeyError(", ".join(sorted(unknown)))
        for key, value in values.items():
            setattr(self, key, value)

    def all(self) -> dict[str, Any]:
        return asdict(self)
