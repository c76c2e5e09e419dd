"""
Digests of a server's settings, by which a change shows and a value does not.

Contract: Stalwart v0.16, some fifty singletons and a few lists of settings; tests/recordings/ops-0.16.18/settings.json.
The server masks most secrets, but not headers and addresses with tokens, so no object outlives the parsing of its
response: what remains is a keyed digest. Masked secrets do not show that they have changed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from exporter.errors import PayloadError, TargetForbidden, TargetServerError, TargetUnsupported
from exporter.model.inventory import SettingsDigests
from exporter.stalwart.http.allowlist import SETTINGS_LISTS, SETTINGS_SINGLETONS
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses

DIGEST_BYTES = 16
LIST_ROWS = 500
"""The most members of a list that are read; a change beyond them does not show."""


class _Rows(msgspec.Struct):
    items: list[msgspec.Raw] = msgspec.field(name="list")


_rows = msgspec.json.Decoder(_Rows)


async def fetch_settings_digests(api: JmapApi, key: bytes) -> SettingsDigests:
    """
    Return a digest of each kind of settings that the key may read, by the server's name of it.

    Raises `TargetForbidden` if there are none, another `TargetError` if the requests fail.
    """
    digests: dict[str, str] = {}
    for batch in _batches(_readable(api), api.limits.calls):
        answers = await api.ask([call for calls in batch for call in calls])
        for calls in batch:
            digest = digest_of(answers, calls[-1], key)
            if digest is not None:
                digests[calls[-1].object] = digest
    if not digests:
        await api.fetch_account()
        raise TargetForbidden("the key may read no settings (sysMtaStageRcptGet and others)")
    return SettingsDigests(digests=digests, areas={kind: _AREAS[kind] for kind in digests})


def _readable(api: JmapApi) -> Iterator[tuple[Call, ...]]:
    """Yield the calls for each kind of settings that the key may read, the reading one last."""
    for kinds in SETTINGS_SINGLETONS.values():
        for kind in kinds:
            if api.may(kind, "get"):
                yield (Call(f"g{kind}", f"x:{kind}/get", {"ids": ["singleton"]}),)
    for kinds in SETTINGS_LISTS.values():
        for kind in kinds:
            if api.may(kind, "get", "query"):
                arguments = {"position": 0, "limit": min(LIST_ROWS, api.limits.objects), "calculateTotal": True}
                query = Call(f"q{kind}", f"x:{kind}/query", arguments)
                yield query, Call(f"g{kind}", f"x:{kind}/get", {"#ids": query.ids()})


def _batches(reads: Iterator[tuple[Call, ...]], most: int) -> Iterator[list[tuple[Call, ...]]]:
    """Yield *reads* in batches of at most *most* calls."""
    batch: list[tuple[Call, ...]] = []
    count = 0
    for calls in reads:
        if batch and count + len(calls) > most:
            yield batch
            batch, count = [], 0
        batch.append(calls)
        count += len(calls)
    if batch:
        yield batch


def digest_of(answers: MethodResponses, get: Call, key: bytes) -> str | None:
    """Return the digest of what *get* returned; ``None`` if the server refused it or does not know it."""
    try:
        rows = answers.result(get, _rows).items
    except (TargetForbidden, TargetUnsupported, TargetServerError):
        return None
    return hmac.new(key, b"\n".join(sorted(map(_canonical, rows))), hashlib.sha256).hexdigest()[: 2 * DIGEST_BYTES]


def _canonical(raw: msgspec.Raw) -> bytes:
    """Return an object with its members in order, since the server's order has no meaning."""
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The error quotes none of the object, which may have secrets.
        raise PayloadError("settings: an object cannot be parsed") from None


def _areas(*tables: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    return {kind: area for table in tables for area, kinds in table.items() for kind in kinds}


_AREAS = _areas(SETTINGS_SINGLETONS, SETTINGS_LISTS)
