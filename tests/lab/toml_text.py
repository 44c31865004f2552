"""Nested dictionaries as TOML: tables, strings, numbers, booleans, lists, inline tables inside lists and `breaker`."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def dumps(document: dict[str, Any], prefix: str = "") -> str:
    """A value of None leaves its key out, so that an override can take something away."""
    plain = {name: value for name, value in document.items() if not isinstance(value, dict) and value is not None}
    tables = {name: value for name, value in document.items() if isinstance(value, dict)}
    text = "".join(f"{_key(name)} = {_value(value)}\n" for name, value in plain.items())
    for name, value in tables.items():
        path = f"{prefix}.{_key(name)}" if prefix else _key(name)
        text += f"\n[{path}]\n" + dumps(value, path)
    return text


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        result[name] = merged(result[name], value) if isinstance(value, dict) and isinstance(result.get(name), dict) else value
    return result
