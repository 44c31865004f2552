"""Binding statements: who says that a device is a person's, where the operator pinned that signer."""
from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import imports
import pki


def binding(signer: pki.Identity, device_id: str, upn: str, key_sha256: str, *, not_before: dt.datetime | None = None,
            not_after: dt.datetime | None = None, **other: Any) -> str:
    """`device.binding` in base64; `other` overwrites members of the statement."""
    start = not_before or pki.now() - dt.timedelta(hours=1)
    end = not_after or pki.now() + dt.timedelta(days=365)
    statement = {"v": 1, "deviceId": device_id, "userPrincipalName": upn, "spkiSha256": key_sha256,
                 "notBefore": imports.time_text(start), "notAfter": imports.time_text(end), **other}
    return base64.b64encode(imports.sign(json.dumps(statement).encode(), signer)).decode()
