"""A management service that is not what it should be: bad answers, one at a time, and bad TLS."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence


@dataclass(frozen=True)
class Answer:
    what: str
    call: str
    fault: str                                # a name of management/faults.py
    event: str                                # in the log; none where the call is simply made again
    says: str                                 # its reason; … stands for anything
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tls:
    what: str
    service: Sequence[str]                    # how it is started
    says: str
    event: str = "MGT-6001"


READ, LATE = "the answer is not of the API: ", "…: no answer in time"
REDIRECT, LARGE = "…: answers {}, redirects are refused", "…: the answer is larger than 16777216 octets"
LEASE = [
    Answer("a redirect", "lease", "redirect", "MGT-6005", REDIRECT.format(307), {"location": "SELF/connectors"}),
    Answer("a redirect for good", "lease", "redirect", "MGT-6005", REDIRECT.format(301), {"status": 301}),
    Answer("an endless body", "lease", "endless", "MGT-6005", LARGE),
    Answer("17 MiB", "lease", "too-large", "MGT-6005", LARGE),
    Answer("an answer that never comes", "lease", "hang", "MGT-6001", LATE),
    Answer("a sign-in page", "lease", "not-json", "MGT-6005", READ + "not a JSON object"),
    Answer("JSON that breaks off", "lease", "broken-json", "MGT-6005", READ + "a value is missing or does not end"),
    Answer("nothing at all", "lease", "empty", "MGT-6005", READ + "not a JSON object"),
    Answer("JSON nested 100,000 deep", "lease", "deep-json", "MGT-6005", READ + "/deep" + "/0" * 15 + ": nested deeper than 16", {"depth": 100000}),
    Answer("the same key twice", "lease", "duplicate-keys", "MGT-6005", READ + "/requests: twice in one object"),
    Answer("wrong types", "lease", "wrong-types", "MGT-6005", READ + "/requests: not a list"),
    Answer("a list that is cut off", "lease", "truncated", "MGT-6001", "…: stream truncated"),
    Answer("a connection that breaks after the work", "lease", "drop-after", "", ""),
    Answer("the same request twice", "lease", "duplicate-leases", "", ""),
    Answer("a lease until the year 9999", "lease", "far-leases", "", ""),
    Answer("a chunked body", "lease", "chunked", "", ""),
]
IMPORTS = [
    Answer("a redirect", "imports", "redirect", "IMP-2051", REDIRECT.format(307)),
    Answer("a sign-in page", "imports", "not-json", "IMP-2051", READ + "not a JSON object"),
    Answer("JSON that breaks off", "imports", "broken-json", "IMP-2051", READ + "a value is missing or does not end"),
    Answer("wrong types", "imports", "wrong-types", "IMP-2051", READ + "/value: not a list"),
    Answer("an endless body", "imports", "endless", "IMP-2051", LARGE),
    Answer("an answer that never comes", "imports", "hang", "IMP-2051", LATE),
    Answer("a list that is cut off", "imports", "truncated", "IMP-2051", "…: stream truncated"),
    Answer("a next page on another host", "imports", "next-link", "IMP-2051", READ + "nextLink leaves the service: …", {"url": "https://elsewhere.example/api/v1/users/x"}),
    Answer("the same page twice", "imports", "next-link", "", ""),
    Answer("500", "imports", "500", "IMP-2051", "the management service answers 500: armed"),
    Answer("503", "imports", "503", "IMP-2051", "the management service answers 503: armed"),
    Answer("a connection that breaks before the work", "imports", "drop-before", "", ""),
    Answer("a connection that breaks after the work", "imports", "drop-after", "", ""),
]
RESULTS = [
    Answer("a redirect", "results", "redirect", "MGT-6012", REDIRECT.format(307)),
    Answer("an endless body", "results", "endless", "MGT-6012", LARGE),
    Answer("an answer that never comes", "results", "hang", "MGT-6012", LATE),
    Answer("JSON that breaks off", "results", "broken-json", "MGT-6012", READ + "a value is missing or does not end"),
    Answer("wrong types", "results", "wrong-types", "MGT-6012", READ + "/outcomes: not a list"),
    Answer("a connection that breaks before the work", "results", "drop-before", "", ""),
    Answer("a connection that breaks after the work", "results", "drop-after", "", ""),
    Answer("500", "results", "500", "MGT-6012", "the management service answers 500: armed"),
    Answer("503", "results", "503", "MGT-6012", "the management service answers 503: armed"),
    Answer("an outcome left out", "results", "omit-outcomes", "", ""),
    Answer("an outcome of somebody else's request", "results", "foreign-outcomes", "", ""),
]
NOT_ACCEPTED = "…: the server's certificate is not accepted: "
TLS = [
    Tls("a certificate for another name", ("--tls-certificate", "wrong-name"), NOT_ACCEPTED + "IP address mismatch"),
    Tls("an expired certificate", ("--tls-certificate", "expired"), NOT_ACCEPTED + "certificate has expired"),
    Tls("a certificate of a foreign CA", ("--tls-certificate", "foreign"), NOT_ACCEPTED + "unable to get local issuer certificate"),
    Tls("TLS 1.1", ("--tls-max", "1.1"), "…: no TLS connection: …protocol version…"),
]
CHANGES: list[tuple[str, dict[str, Any] | str]] = [
    ("another device", "device"), ("another person", "user"), ("another device and person", "both"), ("another key type", {"profile": {"keyType": "rsa2048"}}),
    ("another PKCS#12 encryption", {"delivery": {"pkcs12": "legacy3des"}}), ("another kind", {"kind": "pfx.deliver", "purpose": "smimeEncryption"}),
    ("a form that cannot be read", "unreadable"),
]
