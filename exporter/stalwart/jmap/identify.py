"""
Identification of a server of v0.16 or newer.

Contract: Stalwart v0.16; tests/recordings/jmap-0.16.18. No response contains the version. One contains the edition and
the key's permissions, so that no forbidden request is needed to find them.
"""

from __future__ import annotations

from exporter.errors import PayloadError, TargetForbidden, TargetRefused, TargetServerError, TargetUnsupported
from exporter.model.server import Generation, ServerIdentity
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.native import WITHHELD
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.session import Account, parse_session
from exporter.stalwart.jmap.schema import CounterNames, counter_names, fingerprint_of

_OTHER = ServerIdentity(
    generation=Generation.UNKNOWN, note="not a known Stalwart management API: a proxy, or another program"
)


class Identifier:
    """Identifies one server, and sets the limits and permissions of *api*."""

    def __init__(self, transport: Transport, api: JmapApi) -> None:
        self._transport = transport
        self._api = api
        self._names: dict[str, CounterNames] = {}

    async def identify(self) -> tuple[ServerIdentity, CounterNames]:
        """Return the server's identity, and whether its counters have correct names. Raises a `TargetError`."""
        try:
            account = await self._api.fetch_account()
            may_log_in = "authenticate" in account.permissions
            username = await self._fetch_session() if may_log_in else ""
        except TargetUnsupported:
            return _OTHER, CounterNames.UNKNOWN
        except TargetRefused as error:
            raise TargetRefused(f"{error}; API keys of v0.15 are not valid from v0.16 on") from error
        names = await self.counter_names() if may_log_in else CounterNames.UNKNOWN
        identity = ServerIdentity(
            generation=Generation.JMAP,
            edition=account.edition,
            permissions=account.permissions,
            account=username,
            note=_note(account, names),
        )
        return identity, names

    async def _fetch_session(self) -> str:
        """Fetch the session, set the limits of the API, and return our account's name."""
        session = parse_session(await self._transport.request(Endpoint.JMAP_SESSION))
        self._api.limits = session.limits
        return session.username

    async def counter_names(self) -> CounterNames:
        """
        Return whether the server's counters have their correct names, by its schema.

        A schema is fetched once, since its URL changes with its content. Unknown if it cannot be read.
        """
        try:
            link = await self._transport.request(Endpoint.JMAP_SCHEMA_LINK)
            fingerprint = fingerprint_of(link)
            if not fingerprint:
                return counter_names(link)
            if fingerprint not in self._names:
                schema = await self._transport.request(Endpoint.JMAP_SCHEMA, path_args=(fingerprint,))
                self._names = {fingerprint: counter_names(schema)}
        except (TargetUnsupported, TargetForbidden, TargetServerError, PayloadError):
            return CounterNames.UNKNOWN
        return self._names[fingerprint]


def _note(account: Account, names: CounterNames) -> str:
    if account.in_bootstrap:
        return "the server is in bootstrap mode: it has not been set up"
    return WITHHELD if names is CounterNames.WRONG else ""
