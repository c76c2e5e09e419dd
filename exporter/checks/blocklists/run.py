"""
The entries of a server's addresses on blocklists.

A list is believed only while its test entries are right, and no question is repeated within an hour.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Sequence

from exporter.checks.blocklists.answer import Read, Verdict, entry_name, read_answer
from exporter.checks.domains.context import Findings
from exporter.checks.domains.run import REWRITTEN, CheckRun
from exporter.checks.domains.sending import MOST_ADDRESSES, UNNAMED
from exporter.clock import Clock
from exporter.model.outside import Entry, Family
from exporter.model.posture import Check, CheckOutcome

REPEAT_SECONDS = 3600.0
"""How long nothing is asked again."""

TEST_ENTRIES = {Family.IPV4: ("127.0.0.2", "127.0.0.1"), Family.IPV6: ("::ffff:7f00:2", "::ffff:7f00:1")}
"""The address that every list has, and the one that none may have."""

IPV4_ONLY = frozenset({"b.barracudacentral.org", "bl.mailspike.net", "bl.spamcop.net", "psbl.surriel.com"})
"""Lists without entries for IPv6; asking them would only make unknowns."""


class BlocklistChecker:
    """Asks the lists with these *zones*. One is shared by all servers."""

    def __init__(self, zones: Sequence[str], *, clock: Clock) -> None:
        self.zones = tuple(zones)
        self._clock = clock
        self._faults: dict[tuple[str, Family], tuple[float, str]] = {}
        self._turns: dict[tuple[str, Family], asyncio.Lock] = {}

    def entries(self, run: CheckRun, *, configured: bool) -> list[Entry]:
        """
        Return what there is to look for.

        Addresses that only this machine knows are left out, unless they are *configured*.
        """
        addresses = [one for one in run.ours.addresses.values[:MOST_ADDRESSES] if configured or not _is_local(one)]
        found = [Entry(run.ours.host or UNNAMED, address, zone) for zone in self.zones for address in addresses]
        return [one for one in found if not (one.family is Family.IPV6 and one.zone in IPV4_ONLY)]

    async def check(self, run: CheckRun, entries: Iterable[Entry]) -> list[CheckOutcome]:
        """Return the outcome of each entry; the lists are asked at the same time."""
        lists: dict[tuple[str, Family], list[Entry]] = {}
        for entry in entries:
            lists.setdefault((entry.zone, entry.family), []).append(entry)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._check_list(run, zone, family, held), name=f"checks-{zone}")
                for (zone, family), held in lists.items()
            ]
        return [outcome for task in tasks for outcome in task.result()]

    async def _check_list(
        self, run: CheckRun, zone: str, family: Family, entries: Sequence[Entry]
    ) -> list[CheckOutcome]:
        fault = REWRITTEN if run.rewritten else await self._fault(run, zone, family)
        if fault:
            return [_outcome(entry, lambda findings: findings.unknown(fault)) for entry in entries]
        return [await self._check_entry(run, entry) for entry in entries]

    async def _fault(self, run: CheckRun, zone: str, family: Family) -> str:
        """Return why a list is not believed, otherwise an empty text."""
        key = zone, family
        async with self._turns.setdefault(key, asyncio.Lock()):
            at, fault = self._faults.get(key, (-REPEAT_SECONDS, ""))
            if self._clock.monotonic() - at >= REPEAT_SECONDS or key not in self._faults:
                at, fault = self._clock.monotonic(), await _tested(run, zone, family)
                self._faults[key] = at, fault
        return fault

    async def _check_entry(self, run: CheckRun, entry: Entry) -> CheckOutcome:
        name = entry_name(entry.address, entry.zone)
        read = read_answer(await run.resolver.addresses_of_family(name, 4))
        if read.verdict is Verdict.CLEAN:
            return _outcome(entry, lambda findings: findings.note("is not listed"))
        if read.verdict is Verdict.UNKNOWN:
            return _outcome(entry, lambda findings: findings.unknown(read.why))
        reasons = (await run.resolver.texts(name)).values[:2]
        return _outcome(entry, lambda findings: findings.bad(": ".join((f"is listed ({read.why})", *reasons))))


async def _tested(run: CheckRun, zone: str, family: Family) -> str:
    """Ask for the test entries; return what is wrong with the answers, otherwise an empty text."""
    always, never = TEST_ENTRIES[family]
    listed = await _read(run, always, zone)
    if listed.verdict is Verdict.UNKNOWN:
        return listed.why
    if listed.verdict is Verdict.CLEAN:
        return f"the list does not have its test entry for {'IPv6' if family is Family.IPV6 else 'IPv4'} ({always})"
    clean = await _read(run, never, zone)
    if clean.verdict is Verdict.UNKNOWN:
        return clean.why
    return "" if clean.verdict is Verdict.CLEAN else f"the list has an entry that no list may have ({never})"


async def _read(run: CheckRun, address: str, zone: str) -> Read:
    return read_answer(await run.resolver.addresses_of_family(entry_name(address, zone), 4))


def _outcome(entry: Entry, find: Callable[[Findings], None]) -> CheckOutcome:
    findings = Findings()
    find(findings)
    return findings.outcome(entry.subject, Check.BLOCKLISTS)


def _is_local(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified
