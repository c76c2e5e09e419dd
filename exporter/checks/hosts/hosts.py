"""The hosts that one run of checks connects to: each mail host once, and none again that does not answer."""

from __future__ import annotations

import asyncio
from collections import Counter

from exporter.checks.hosts.access import HostAccess, HostSilent, HostWrong
from exporter.checks.hosts.policy_file import fetch_policy
from exporter.checks.hosts.smtp_certificate import fetch_certificates

SILENCES = 2
"""An address that has not answered so often is not asked again in this run."""


class Hosts:
    """Remembers, for one run, what mail hosts have shown and which addresses are silent."""

    def __init__(self, access: HostAccess) -> None:
        self._access = access
        self._silences: Counter[str] = Counter()
        self._shown: dict[tuple[str, str], list[bytes] | HostSilent | HostWrong] = {}
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

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
        key = host, address
        async with self._turns.setdefault(key, asyncio.Lock()):
            if key not in self._shown:
                try:
                    self._shown[key] = await fetch_certificates(host, address, greeting, self._access)
                except (HostSilent, HostWrong) as error:
                    self._shown[key] = error
        shown = self._shown[key]
        if isinstance(shown, HostSilent | HostWrong):
            raise type(shown)(str(shown))
        return shown
