"""JSON as the contract reads it: UTF-8, no duplicate keys, nesting of at most sixteen.

Python's own reader keeps the last of two equal keys, which is exactly what a forged message would count on.
"""
from __future__ import annotations

import json
from typing import Any

MAX_NESTING = 16


class JsonError(ValueError):
    """The octets are not JSON in the contract's sense."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JsonError(f"duplicate key {key!r}")
        result[key] = value
    return result


def _constant(name: str) -> Any:
    raise JsonError(f"{name} is not JSON")


def _nesting(text: str) -> int:
    """Counted over the text, because a recursive reader would die of the depth that is to be refused."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest


def loads(data: bytes | str) -> Any:
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise JsonError("not UTF-8") from error
    # A message can only nest deeply if it holds that many brackets; most hold fewer and need no walk.
    if text.count("{") + text.count("[") > MAX_NESTING and _nesting(text) > MAX_NESTING:
        raise JsonError(f"nesting over {MAX_NESTING}")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from error


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
