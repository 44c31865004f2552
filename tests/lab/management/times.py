"""Times on the wire: RFC 3339 in UTC with `Z`, no fractions."""
from __future__ import annotations

import datetime as dt
import re
import time

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z\Z")


def now() -> float:
    return time.time()


def text(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(value: str) -> float:
    match = _FORM.match(value)
    if match is None:
        raise ValueError(f"not a time: {value!r}")
    whole = dt.datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.timezone.utc)
    return whole.timestamp() + (float("0." + match[2]) if match[2] else 0.0)


def now_ns() -> int:
    """For versions: two writes within one second are still two."""
    return time.time_ns()
