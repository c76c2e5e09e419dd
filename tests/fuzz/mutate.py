"""Input that a server, a proxy or an attacker might send: recorded answers, spoilt at random."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

ODD_VALUES: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 0.5, 1e308),
    *("", " ", "\x00", "\ud800", "ü", "☃", "x" * 300, "0", "-1", "1e999", "NaN", "null", "a@b", "a@[192.0.2.1]"),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z", "2026-11-30T10:00:00", "Z"),
    *([], {}, [[]], {"": None}, {"0": {}}, {"@type": "List", "value": {"0": 1}}, [None, 1, "a"]),
)
ODD_BYTES: Sequence[bytes] = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"\r", b'"', b"\\", b"\\ud800", b"{}"),
    *(b"[" * 2000, b'{"a":' * 1500, b"1" * 400, b"1e400", b"-0", b"NaN", b"Infinity", b"null", b"true", b"<html>"),
    *(
        b"&amp;",
        b"# TYPE x counter\n",
        b'le="+Inf"',
        b"=",
        b", to = [",
        b'", code = 250',
        b"data: ",
        b":",
        b";",
        b"%2B",
    ),
)


def spoilt(text: bytes, rng: random.Random) -> bytes:
    """*text* with one or more mistakes in it; of what it says, or of how it is written."""
    if rng.random() < 0.7 and (document := _document(text)) is not None:
        for _ in range(rng.choice((1, 1, 2, 5))):
            document = _with_mistake(document, rng)
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")
        if rng.random() < 0.9:
            return text
    for _ in range(rng.choice((1, 1, 2, 8))):
        text = _rewritten(text, rng)
    return text


def _document(text: bytes) -> Any:
    """The JSON document, or ``None``."""
    if text[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _with_mistake(document: Any, rng: random.Random) -> Any:
    """*document* with one value changed, one member gone, doubled or renamed."""
    at, parent, key = document, None, None
    while isinstance(at, dict | list) and at and (parent is None or rng.random() < 0.85):
        parent = at
        key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
        at = at[key]
    if parent is None:
        return _odd_value(rng)
    _spoil(parent, key, rng)
    return document


def _spoil(parent: Any, key: Any, rng: random.Random) -> None:
    way = rng.randrange(5)
    if way == 0:
        del parent[key]
    elif way == 1 and isinstance(parent, dict):
        parent[str(rng.choice(ODD_VALUES))] = parent.pop(key)
    elif way == 2 and isinstance(parent, list):
        parent.extend([parent[key]] * rng.choice((1, 3, 50)))
    elif way == 3 and isinstance(parent[key], str):
        parent[key] = _respelt(parent[key], rng)
    else:
        parent[key] = _odd_value(rng)


def _odd_value(rng: random.Random) -> Any:
    """One of them, which may be changed afterwards."""
    return copy.deepcopy(rng.choice(ODD_VALUES))


def _respelt(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    odd = rng.choice(ODD_VALUES)
    return text[:at] + (odd if isinstance(odd, str) else str(odd)) + text[at + rng.randrange(4) :]


def _rewritten(text: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(text) + 1)
    end = min(len(text), at + rng.choice((1, 1, 4, 40)))
    way = rng.randrange(6)
    if way == 0:
        return text[:at]
    if way == 1:
        return text[:at] + text[end:]
    if way == 2:
        return text[:at] + rng.choice(ODD_BYTES) + text[at:]
    if way == 3:
        return text[:at] + rng.randbytes(end - at) + text[end:]
    if way == 4:
        return text[:end] + text[at:end] * rng.choice((1, 2, 30)) + text[end:]
    other = rng.randrange(len(text) + 1)
    return text[:at] + text[other : other + 40] + text[end:]
