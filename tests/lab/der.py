"""A strict DER reader, just enough for a device's look at a package before any library touches it, and for spoiling PFX files.

Definite, minimal lengths, single-octet tags, nothing behind the end: what is not that is refused.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator

INTEGER, OCTET_STRING, NULL, OBJECT, UTF8 = 0x02, 0x04, 0x05, 0x06, 0x0C
SEQUENCE, SET = 0x30, 0x31


class DerError(ValueError):
    """Not DER, or not what was expected there."""


@dataclass(frozen=True)
class Node:
    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list["Node"]:
        if not self.tag & 0x20:
            raise DerError(f"tag {self.tag:#x} is not constructed")
        return list(_each(self.content))

    def expect(self, tag: int) -> "Node":
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#x} where {tag:#x} belongs")
        return self

    def oid(self) -> str:
        self.expect(OBJECT)
        arcs: list[int] = []
        value = 0
        for octet in self.content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(value)
                value = 0
        if not arcs:
            raise DerError("empty object identifier")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def integer(self) -> int:
        self.expect(INTEGER)
        if not self.content:
            raise DerError("empty integer")
        return int.from_bytes(self.content, "big", signed=True)


def _one(data: bytes, start: int) -> tuple[Node, int]:
    if start + 2 > len(data):
        raise DerError("truncated")
    tag, length, at = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise DerError("long tag")
    if length == 0x80:
        raise DerError("indefinite length")
    if length > 0x80:
        count = length & 0x7F
        if count > 4 or at + count > len(data):
            raise DerError("length of the length")
        length = int.from_bytes(data[at:at + count], "big")
        if length < 0x80 or data[at] == 0:
            raise DerError("length not minimal")
        at += count
    if at + length > len(data):
        raise DerError("truncated")
    return Node(tag, data[at:at + length], data[start:at + length]), at + length


def _each(data: bytes) -> Iterator[Node]:
    at = 0
    while at < len(data):
        node, at = _one(data, at)
        yield node


def read(data: bytes) -> Node:
    node, end = _one(data, 0)
    if end != len(data):
        raise DerError("trailing data")
    return node


def encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def encode_integer(value: int) -> bytes:
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def rewrite(data: bytes, change: Callable[[Node], bytes | None]) -> bytes:
    """The same structure with some nodes exchanged; also looks into octet strings that hold DER."""
    node = read(data)
    changed = change(node)
    if changed is not None:
        return changed
    if node.tag & 0x20:
        return encode(node.tag, b"".join(rewrite(child.raw, change) for child in node.children()))
    if node.tag == OCTET_STRING and node.content[:1] == b"\x30":
        try:
            return encode(node.tag, rewrite(node.content, change))
        except DerError:
            return node.raw
    return node.raw
