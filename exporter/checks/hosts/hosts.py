"""The hosts that one run of checks connects to: each listener once, and no policy host again that does not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from typing import NamedTuple

from exporter.checks.hosts.access import HostAccess, HostSilent, HostWrong
from exporter.checks.hosts.handshake import trusting
from exporter.checks.hosts.policy_file import fetch_policy
from exporter.checks.hosts.probe import Shown, probe
from exporter.model.outside import Port, Protocol

SILENCES = 2
"""An address that has not answered so often is not asked again in this run."""

AT_ONCE = 8
"""Listeners that are connected to at the same time."""


class _Place(NamedTuple):
    host: str
    address: str
    port: Port


class Hosts:
    """
    Remembers, for one run, what listeners have shown and which addresses are silent.

    Attributes:
        knows_authorities: There are authorities that certificates can be trusted by; known after the first handshake.
    """

    def __init__(self, access: HostAccess) -> None:
        self.knows_authorities = False
        self._access = access
        self._silences: Counter[str] = Counter()
        self._shown: dict[_Place, Shown | HostSilent | HostWrong] = {}
        self._turns: dict[_Place, asyncio.Lock] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._loading = asyncio.Lock()
        self._context: ssl.SSLContext | None = None

    async def policy(self, host: str, address: str) -> str:
        """Return the MTA-STS policy of *host* at *address*. Raises `HostSilent` or `HostWrong`."""
        if self._silences[address] >= SILENCES:
            raise HostSilent("did not answer before")
        try:
            return await fetch_policy(host, address, self._access)
        except HostSilent:
            self._silences[address] += 1
            raise

    async def certificates(self, host: str, address: str, greeting: str) -> list[bytes]:
        """Return the certificates that *host* at *address* shows to SMTP. Raises `HostSilent` or `HostWrong`."""
        port = Port(self._access.smtp_port, Protocol.SMTP)
        return (await self.shown(host, address, port, greeting)).certificates

    async def shown(self, host: str, address: str, port: Port, greeting: str) -> Shown:
        """Return what a listener shows. Raises `HostSilent` or `HostWrong`, again if it has done so before."""
        place = _Place(host, address, port)
        async with self._turns.setdefault(place, asyncio.Lock()):
            if place not in self._shown:
                try:
                    self._shown[place] = await self._probe(place, greeting)
                except (HostSilent, HostWrong) as error:
                    self._shown[place] = error
        shown = self._shown[place]
        if isinstance(shown, HostSilent | HostWrong):
            raise type(shown)(str(shown))
        return shown

    async def _probe(self, place: _Place, greeting: str) -> Shown:
        async with self._at_once:
            context = await self._trusting()
            return await probe(*place, greeting, context, timeout_seconds=self._access.timeout_seconds)

    async def _trusting(self) -> ssl.SSLContext:
        async with self._loading:
            if self._context is not None:
                return self._context
            try:
                context, self.knows_authorities = await asyncio.to_thread(trusting, self._access.ca_file)
            except OSError as error:
                raise HostSilent("the certificate authorities cannot be read") from error
            self._context = context
            return context
