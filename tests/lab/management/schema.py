"""Messages against docs/openapi.json.

References are put in place and patterns translated once, at the start: a lease answer may hold five hundred requests.
"""
from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema

OPENAPI = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"


def _python_pattern(pattern: str) -> str:
    # ECMA-262's `$` is the very end; Python's also stands before a last line feed.
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith("\\$") else pattern


class Schemas:
    def __init__(self, path: Path = OPENAPI) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self._validators: dict[str, jsonschema.Draft202012Validator] = {}

    def resolve(self, reference: str) -> Any:
        """What a `#/…` reference points at; KeyError when nothing is there."""
        if not reference.startswith("#/"):
            raise KeyError(reference)
        node: Any = self.document
        for step in reference[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            node = node[int(step)] if isinstance(node, list) else node[step]
        return node

    def expanded(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self.expanded(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self.expanded({**copy.deepcopy(self.resolve(schema["$ref"])), **rest})
        if "discriminator" in schema:
            return self._by_discriminator(schema)
        return {
            key: _python_pattern(value) if key == "pattern" and isinstance(value, str) else self.expanded(value)
            for key, value in schema.items()
        }

    def _by_discriminator(self, schema: dict[str, Any]) -> dict[str, Any]:
        # Same verdict as oneOf, since each branch fixes the property; but the complaint names the fault.
        name = schema["discriminator"]["propertyName"]
        mapping: dict[str, str] = schema["discriminator"]["mapping"]
        rules: list[dict[str, Any]] = [{"properties": {name: {"enum": list(mapping)}}, "required": [name]}]
        for value, reference in mapping.items():
            rules.append({
                "if": {"properties": {name: {"const": value}}, "required": [name]},
                "then": self.expanded({"$ref": reference}),
            })
        return {"type": "object", "allOf": rules}

    def validator(self, name: str) -> jsonschema.Draft202012Validator:
        found = self._validators.get(name)
        if found is None:
            found = jsonschema.Draft202012Validator(self.expanded({"$ref": f"#/components/schemas/{name}"}))
            self._validators[name] = found
        return found

    def complaint(self, name: str, message: Any) -> str | None:
        """The first fault as `/pointer: text`, or None."""
        error = next(self.validator(name).iter_errors(message), None)
        if error is None:
            return None
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
        return f"{pointer}: {error.message[:300]}"
