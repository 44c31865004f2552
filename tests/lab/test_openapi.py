#!/usr/bin/python3
"""docs/openapi.json: a sound document, that takes every example of the contract and refuses what has been spoiled."""
from __future__ import annotations

import copy
import json
import os
import re
import sys
import unittest
from pathlib import Path
from typing import Any, Iterator

import jsonschema

from management.schema import Schemas

EXAMPLES = Path(__file__).resolve().parents[1] / "contract" / "examples"
MESSAGES = {
    "enroll.request.json": "EnrolRequest", "enroll.response.json": "EnrolResponse", "error.json": "Problem",
    "heartbeat.request.json": "HeartbeatRequest", "imported-certificates.response.json": "ImportedCertificatesResponse",
    "lease.request.json": "LeaseRequest", "lease.response.json": "LeaseResponse", "package.json": "Package",
    "renew.request.json": "LeaseRenewRequest", "renew.response.json": "LeaseRenewResponse", "results.request.json": "ResultsRequest",
    "results.response.json": "ResultsResponse",
}
LEASE, RESULTS, IMPORTS, HEARTBEAT = "LeaseResponse", "ResultsRequest", "ImportedCertificatesResponse", "HeartbeatRequest"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
FIXED = {"openapi", "info", "servers", "paths", "components", "tags", "jsonSchemaDialect", "security", "webhooks", "externalDocs"}


def filled(value: Any) -> Any:
    """What the examples leave out (`…`) put back: something small of the same form."""
    if isinstance(value, dict):
        return {name: filled(each) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each) for each in value]
    if isinstance(value, str) and "…" in value:
        if value.startswith("-----BEGIN"):
            return value.replace("…", "MAAA")
        return "Aa0" * 10 + "Zz" if "characters" in value else "MAAA"
    return value


def example(file: str) -> Any:
    return filled(json.loads((EXAMPLES / file).read_text(encoding="utf-8")))


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*path, name)
        yield from members(each, (*path, name))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def spoiled(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    result = copy.deepcopy(value)
    holder = at(result, path[:-1])
    if new is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return result


class Document(unittest.TestCase):
    schemas = Schemas()

    def test_every_reference_leads_somewhere(self) -> None:
        references = [at(self.schemas.document, path) for path in members(self.schemas.document) if path[-1] == "$ref"]
        self.assertGreater(len(references), 100)
        for reference in references:
            with self.subTest(reference):
                self.schemas.resolve(reference)
        for path in members(self.schemas.document):
            if path[-1] == "mapping":
                for reference in at(self.schemas.document, path).values():
                    self.schemas.resolve(reference)

    def test_every_component_is_used(self) -> None:
        text = json.dumps(self.schemas.document)
        unused = [f"{kind}/{name}" for kind in ("schemas", "parameters", "headers", "responses") for name in self.schemas.document["components"][kind]
                  if f'"#/components/{kind}/{name}"' not in text]
        # What travels sealed or signed inside a message is named by no call.
        self.assertEqual(unused, ["schemas/BindingStatement", "schemas/Package"])

    def test_schemas_are_draft_2020_12(self) -> None:
        for name, schema in self.schemas.document["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)
                for path in members(schema):
                    if path[-1] == "pattern" and isinstance(at(schema, path), str):
                        re.compile(at(schema, path))
                    if path[-1] == "required" and "properties" in at(schema, path[:-1]):
                        self.assertLessEqual(set(at(schema, path)), set(at(schema, path[:-1])["properties"]))

    def test_structure(self) -> None:
        document = self.schemas.document
        self.assertRegex(document["openapi"], r"^3\.1\.\d+$")
        self.assertLessEqual(set(document), FIXED)
        self.assertLessEqual({"title", "version"}, set(document["info"]))
        self.assertEqual(document["jsonSchemaDialect"], "https://json-schema.org/draft/2020-12/schema")
        operations: list[str] = []
        for path, item in document["paths"].items():
            self.assertTrue(path.startswith("/"))
            self.assertLessEqual(set(item), METHODS | {"parameters", "summary", "description"})
            for method in METHODS & set(item):
                with self.subTest(path=path, method=method):
                    self._operation(path, item[method])
                    operations.append(item[method]["operationId"])
        self.assertEqual(len(operations), len(set(operations)))

    def _operation(self, path: str, operation: dict[str, Any]) -> None:
        document = self.schemas.document
        self.assertLessEqual({"operationId", "summary", "responses", "security", "tags"}, set(operation))
        self.assertLessEqual(set(operation["tags"]), {each["name"] for each in document["tags"]})
        for scheme in operation["security"]:
            self.assertLessEqual(set(scheme), set(document["components"]["securitySchemes"]))
        parameters = [self.schemas.resolve(each["$ref"]) if "$ref" in each else each for each in operation.get("parameters", [])]
        named = {each["name"] for each in parameters if each["in"] == "path"}
        self.assertEqual(named, set(re.findall(r"\{([^}]+)\}", path)))
        for each in parameters:
            self.assertLessEqual({"name", "in", "schema"}, set(each))
            self.assertTrue(each["in"] != "path" or each["required"])
        contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for status, response in operation["responses"].items():
            self.assertRegex(status, r"^(?:[1-5]\d\d|default)$")
            response = self.schemas.resolve(response["$ref"]) if "$ref" in response else response
            self.assertIn("description", response)
            contents += [response["content"]] if "content" in response else []
            if status >= "400":
                self.assertEqual(list(response["content"]), ["application/problem+json"])
        for content in contents:
            for media in content.values():
                self.assertIn("schema", media)


class Examples(unittest.TestCase):
    schemas = Schemas()

    def test_every_example_is_taken(self) -> None:
        found = {path.name for path in EXAMPLES.glob("*.json")}
        self.assertEqual(found, set(MESSAGES))
        for file, name in MESSAGES.items():
            with self.subTest(file):
                self.assertIsNone(self.schemas.complaint(name, example(file)))

    def test_plain_one_of_judges_like_the_discriminator(self) -> None:
        """The service's reader follows the discriminator; one that does not know it must come to the same verdict."""
        plain = jsonschema.RefResolver.from_schema(self.schemas.document)
        for file, name in (("lease.response.json", "LeaseResponse"), ("results.request.json", "ResultsRequest")):
            validator = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}"}, resolver=plain)
            message = example(file)
            validator.validate(message)
            paths = [path for path in members(message) if not isinstance(path[-1], int)][::7]
            for path in paths:
                for new in (..., 17):
                    wrong = spoiled(message, path, new)
                    with self.subTest(path=path, new=new):
                        self.assertEqual(validator.is_valid(wrong), self.schemas.complaint(name, wrong) is None)

    def test_a_missing_member_is_refused_where_it_is_required(self) -> None:
        refused = 0
        for file, name in MESSAGES.items():
            message = example(file)
            for path in members(message):
                if isinstance(path[-1], int):
                    continue
                if self.schemas.complaint(name, spoiled(message, path, ...)):
                    refused += 1
                # null means absent: the verdicts are the same.
                with self.subTest(file=file, path=path):
                    self.assertEqual(self.schemas.complaint(name, spoiled(message, path, ...)) is None,
                                     self.schemas.complaint(name, spoiled(message, path, None)) is None)
        self.assertGreater(refused, 150)

    def test_a_wrong_type_is_refused(self) -> None:
        for file, name in MESSAGES.items():
            message = example(file)
            for path in members(message):
                value = at(message, path)
                new = [] if not isinstance(value, list) else "text"
                with self.subTest(file=file, path=path):
                    self.assertIsNotNone(self.schemas.complaint(name, spoiled(message, path, new)))

    def test_limits(self) -> None:
        request, lease, results = example("lease.request.json"), example("lease.response.json"), example("results.request.json")
        history, heartbeat = example("imported-certificates.response.json"), example("heartbeat.request.json")
        first = ("requests", 0)
        cases: list[tuple[str, Any, tuple[Any, ...], Any]] = [
            ("LeaseRequest", request, ("maxRequests",), 501),
            ("LeaseRequest", request, ("maxRequests",), 0),
            ("LeaseRequest", request, ("waitSeconds",), 61),
            ("LeaseRequest", request, ("kinds",), []),
            ("LeaseRequest", request, ("kinds",), ["pkcs.steal"]),
            ("LeaseRenewRequest", example("renew.request.json"), ("leases",), ["l"] * 501),
            (LEASE, lease, ("requests",), [lease["requests"][0]] * 501),
            (LEASE, lease, (*first, "id"), "x" * 129),
            (LEASE, lease, (*first, "id"), ""),
            (LEASE, lease, (*first, "id"), "a/b"),
            (LEASE, lease, (*first, "id"), "r-1\n"),
            (LEASE, lease, (*first, "kind"), "pkcs.steal"),
            (LEASE, lease, (*first, "leaseExpiresAt"), "2026-11-23T12:02:00"),
            (LEASE, lease, (*first, "leaseExpiresAt"), "2026-11-23T12:02:00+01:00"),
            (LEASE, lease, (*first, "user", "displayName"), "a\tb"),
            (LEASE, lease, (*first, "user", "displayName"), "x" * 4097),
            (LEASE, lease, (*first, "device", "recipientCertificate"), "MAAA" * 2049),
            (LEASE, lease, (*first, "device", "recipientCertificate"), "MAA"),
            (LEASE, lease, (*first, "device", "recipientCertificate"), "MA\nA"),
            (LEASE, lease, (*first, "device", "binding"), "MAAA" * 4097),
            (LEASE, lease, (*first, "device", "platform"), "symbian"),
            (LEASE, lease, (*first, "profile", "keyType"), "rsa1024"),
            (LEASE, lease, (*first, "profile", "keyUsage"), ["everything"]),
            (LEASE, lease, (*first, "profile", "extendedKeyUsage"), ["emailProtection"]),
            (LEASE, lease, (*first, "profile", "subjectAltNames"), [{"type": "email", "value": "a@b"}] * 21),
            (LEASE, lease, (*first, "profile", "renewalThresholdPercent"), 100),
            (LEASE, lease, (*first, "delivery", "format"), "zip"),
            (LEASE, lease, ("requests", 1, "previous", "serialNumber"), "5d0"),
            (LEASE, lease, ("requests", 2, "purpose"), "vpn"),
            (LEASE, lease, ("requests", 4, "reason"), "boredom"),
            (LEASE, lease, ("requests", 5, "reason"), "certificateHold"),
            (RESULTS, results, ("results",), []),
            (RESULTS, results, ("results", 0, "certificates", 0, "sha256"), "AB" * 32),
            (RESULTS, results, ("results", 0, "certificates", 0, "serialNumber"), "00a1"),
            (RESULTS, results, ("results", 0, "certificates"), []),
            (RESULTS, results, ("results", 0, "certificates", 0, "notAfter"), "2027-11-23T18:08:05.5Z"),
            (RESULTS, results, ("results", 0, "status"), "held"),
            (RESULTS, results, ("results", 3, "error", "code"), "noIdea"),
            (RESULTS, results, ("results", 3, "error", "message"), "x" * 513),
            (RESULTS, results, ("results", 3, "error", "message"), "a\nb"),
            (RESULTS, results, ("results", 2, "delivery", "identities", 0, "keyExportable"), True),
            ("ResultsResponse", example("results.response.json"), ("outcomes", 0, "outcome"), "maybe"),
            (IMPORTS, history, ("value", 0, "paddingScheme"), "pkcs1"),
            (IMPORTS, history, ("value", 0, "encryptedPfxBlob"), "MAAA" * 131073),
            (HEARTBEAT, heartbeat, ("pending",), -1),
            (HEARTBEAT, heartbeat, ("state",), "fine"),
            ("EnrolRequest", example("enroll.request.json"), ("csr",), "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"),
            ("Package", example("package.json"), ("v",), 2),
            ("Package", example("package.json"), ("identities", 0, "password"), "short"),
        ]
        for name, message, path, value in cases:
            with self.subTest(name=name, path=path, value=str(value)[:40]):
                self.assertIsNone(self.schemas.complaint(name, message))
                self.assertIsNotNone(self.schemas.complaint(name, spoiled(message, path, value)))

    def test_what_must_pass_passes(self) -> None:
        lease = example("lease.response.json")
        for path, value in (
                (("requests", 0, "unknownMember"), {"a": 1}),
                (("requests", 0, "leaseExpiresAt"), "2026-11-23T12:02:00.123456789Z"),
                (("requests", 0, "profile", "subject"), ""),
                (("requests", 1, "previous", "serialNumber"), "5D0C9A"),
                (("requests", 2, "thumbprints"), ["AB" * 20])):
            with self.subTest(path=path):
                self.assertIsNone(self.schemas.complaint("LeaseResponse", spoiled(lease, path, value)))


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent)
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    unittest.main()
