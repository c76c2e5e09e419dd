"""The fixed documents of the JMAP generation: the session, `/api/account` and the server's schema."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import lru_cache
from typing import Any

from exporter.simulator.common.responses import encode
from exporter.simulator.jmap.permissions import held
from exporter.simulator.world.accounts.api_keys import account_id, full_name
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.profile import Profile
from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.names import SINCE_REPAIRED, counted_names

MAX_CALLS = 16
MAX_OBJECTS = 500
MAX_REQUEST_BYTES = 10_000_000
MANAGEMENT = "urn:stalwart:jmap"
CORE = "urn:ietf:params:jmap:core"
SESSION_STATE = "fe00b35c"

_PLAIN = (
    *("mail", "calendars", "calendars:parse", "contacts", "contacts:parse", "filenode", "principals"),
    *("principals:availability", "submission", "vacationresponse", "blob", "quota"),
)
_MINE = ("websocket", "principals", "principals:availability")
_VAPID = "BJX6m9i2cwjeu9Ynm0vBRaEg3UXwFo8ZgENg0b20UnfmEY0Zh0462BHMjv31jOP7iP5dGQIl0NcVah6hkBH7skY"
_EDITIONS = {"community": "oss", "unlicensed": "community", "enterprise": "enterprise"}
_KNOWN_HASHES = {
    "0.16.18": "25gnm1_xB9bPk-puX9VTFMP1W5V-1muUWuK964-_uEw",
    "0.16.0": "aJJKvnpsjjwAEzJ0eKDWdfSLK_RvBKsLhk8BwCq-7qA",
}
_URN = "urn:ietf:params:jmap:"
_MORE = ("emailpush", "webpush-vapid", "websocket", "sieve", "core")
KNOWN_CAPABILITIES = frozenset({MANAGEMENT, *(_URN + name for name in (*_PLAIN, *_MORE))})


def session(profile: Profile, account: Account | None) -> dict[str, Any]:
    """Return the session resource; its URLs use the configured public URL, not the requested one."""
    public = f"https://{profile.hostname}"
    shown: dict[str, Any] = {
        "capabilities": _capabilities(profile),
        "accounts": {},
        "primaryAccounts": {},
        "username": "",
        "apiUrl": f"{public}/jmap/",
        "downloadUrl": f"{public}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?accept={{type}}",
        "uploadUrl": f"{public}/jmap/upload/{{accountId}}/",
        "eventSourceUrl": f"{public}/jmap/eventsource/?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
        "state": "0",
    }
    return shown if account is None else shown | _personal(profile, account)


def _capabilities(profile: Profile) -> dict[str, Any]:
    core = {
        "maxSizeUpload": 50_000_000,
        "maxConcurrentUpload": 4,
        "maxSizeRequest": MAX_REQUEST_BYTES,
        "maxConcurrentRequests": profile.concurrent_requests,
        "maxCallsInRequest": MAX_CALLS,
        "maxObjectsInGet": MAX_OBJECTS,
        "maxObjectsInSet": MAX_OBJECTS,
        "collationAlgorithms": ["i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"],
    }
    shown: dict[str, Any] = {CORE: core, **{_URN + name: {} for name in _PLAIN}}
    shown[f"{_URN}sieve"] = {"implementation": "Stalwart v1.0.0"}
    if profile.release >= (0, 16, 16):
        shown[f"{_URN}emailpush"] = {}
    shown[f"{_URN}webpush-vapid"] = {"applicationServerKey": _VAPID}
    shown[f"{_URN}websocket"] = {"url": f"wss://{profile.hostname}/jmap/ws", "supportsPush": True}
    return shown


def _personal(profile: Profile, account: Account) -> dict[str, Any]:
    own, name = account_id(account), full_name(account, profile.local_domain)
    abilities: dict[str, Any] = {
        f"{_URN}websocket": {},
        f"{_URN}principals": {"currentUserPrincipalId": own},
        f"{_URN}principals:availability": {"maxAvailabilityDuration": "P52W1D"},
        MANAGEMENT: {},
    }
    listed = {"name": name, "isPersonal": True, "isReadOnly": False, "accountCapabilities": abilities}
    return {
        "accounts": {own: listed},
        "primaryAccounts": dict.fromkeys((*(_URN + mine for mine in _MINE), MANAGEMENT), own),
        "username": name,
        "state": SESSION_STATE,
    }


def account(profile: Profile, caller: Account) -> dict[str, Any]:
    """Return the document at `/api/account`."""
    return {"permissions": sorted(held(caller)), "edition": _EDITIONS[profile.edition], "locale": "en_US"}


def schema_hash(profile: Profile) -> str:
    """Return the fingerprint of a release's schema; invented for releases whose schema is unknown."""
    known = _KNOWN_HASHES.get(profile.version)
    if known is not None:
        return known
    digest = hashlib.sha256(profile.version.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@lru_cache(maxsize=8)
def packed_schema(*, repaired: bool) -> bytes:
    """Return the schema, gzip-compressed; `repaired` since v0.16.12."""
    counters = [*counted_names(), *(SINCE_REPAIRED if repaired else ())]
    signatures = ["Dkim1Ed25519Sha256", "Dkim1RsaSha256"]
    if repaired:
        signatures += ["Dkim2Ed25519Sha256", "Dkim2RsaSha256"]
    enums = {
        "MetricType": _named([*counters, *catalog.GAUGES, *catalog.HISTOGRAMS]),
        "EventType": _named([*counters, *catalog.UNCOUNTED_TITLES]),
        "DkimSignatureType": _named(signatures),
    }
    empty = ("objects", "schemas", "fields", "forms", "lists", "dashboards", "layouts")
    return gzip.compress(encode({**{name: {} for name in empty}, "enums": enums}), mtime=0)


def _named(names: list[str]) -> list[dict[str, str]]:
    return [{"name": name, "label": name} for name in names]
