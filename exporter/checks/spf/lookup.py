"""
SPF records as receivers see them: the limits on DNS queries, and the result for an address.

Contract: RFC 7208, sections 4 and 5. The limits are counted over all terms, since which of them a receiver reaches
depends on the message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from exporter.checks.dns.answers import Answer
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.spf.macros import Sender, expand, needs_sender
from exporter.checks.spf.syntax import LOOKUPS, Mechanism, SpfRecord, SpfSyntaxError, is_spf, parse_spf

MOST_LOOKUPS = 10
MOST_VOID = 2
MOST_MAIL_HOSTS = 10

QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class Missing(Enum):
    """Why there is no record to evaluate."""

    ABSENT = "there is no SPF record"
    SEVERAL = "there are several SPF records"
    INVALID = "the record is invalid"
    UNKNOWN = "the query failed"


class Loaded(NamedTuple):
    """
    The SPF record of a name.

    Attributes:
        texts: The published records.
        why: More about what is missing.
    """

    record: SpfRecord | None
    missing: Missing | None
    texts: Sequence[str] = ()
    why: str = ""


async def load(resolver: DnsResolver, domain: str) -> Loaded:
    """Return the record of *domain*."""
    return read(await resolver.texts(domain))


def read(answer: Answer[str]) -> Loaded:
    """Return the record in the TXT records of a name."""
    if answer.failed:
        return Loaded(None, Missing.UNKNOWN, why=answer.why)
    texts = [text for text in answer.values if is_spf(text)]
    if len(texts) != 1:
        return Loaded(None, Missing.SEVERAL if texts else Missing.ABSENT, texts)
    try:
        return Loaded(parse_spf(texts[0]), None, texts)
    except SpfSyntaxError as error:
        return Loaded(None, Missing.INVALID, texts, why=str(error))


@dataclass(slots=True)
class Limits:
    """
    The cost of a record with everything it includes.

    Attributes:
        broken: Terms that make the record a permanent error.
        unknown: Terms whose query failed.
    """

    lookups: int = 0
    void: int = 0
    broken: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class SpfEvaluation:
    """Evaluates records of one domain. *sample* stands for any message where macros need one."""

    def __init__(self, resolver: DnsResolver, sample: Sender) -> None:
        self._resolver = resolver
        self._sample = sample

    async def limits(self, record: SpfRecord, domain: str) -> Limits:
        """Walk through all terms, up to just beyond the limit."""
        found = Limits()
        await self._walk(record, domain, found)
        return found

    async def _walk(self, record: SpfRecord, domain: str, found: Limits) -> None:
        for mechanism in record.mechanisms:
            if mechanism.name in LOOKUPS:
                found.lookups += 1
                if found.lookups > MOST_LOOKUPS:
                    return
                await self._weigh(mechanism, domain, found)
        if record.redirect and not any(mechanism.name == "all" for mechanism in record.mechanisms):
            found.lookups += 1
            if found.lookups <= MOST_LOOKUPS:
                await self._descend(f"redirect={record.redirect}", record.redirect, domain, found)

    async def _weigh(self, mechanism: Mechanism, domain: str, found: Limits) -> None:
        term = f"{mechanism.name}:{mechanism.target}" if mechanism.target else mechanism.name
        if mechanism.name == "include":
            await self._descend(term, mechanism.target, domain, found)
            return
        if mechanism.name == "ptr" or (mechanism.target and needs_sender(mechanism.target)):
            return  # depends on the message
        name = expand(mechanism.target, domain, self._sample) if mechanism.target else domain
        answer: Answer[object]
        if mechanism.name == "mx":
            hosts = await self._resolver.mail_hosts(name)
            if len(hosts.values) > MOST_MAIL_HOSTS:
                found.broken.append(f"{term}: more than {MOST_MAIL_HOSTS} mail hosts")
            answer = Answer(status=hosts.status, why=hosts.why)
        else:
            addresses = await self._resolver.addresses(name)
            answer = Answer(status=addresses.status, why=addresses.why)
        if answer.failed:
            found.unknown.append(f"{term}: {answer.why}")
        found.void += answer.absent

    async def _descend(self, term: str, spec: str, domain: str, found: Limits) -> None:
        if needs_sender(spec):
            return
        name = expand(spec, domain, self._sample)
        inner = await load(self._resolver, name)
        if inner.missing is Missing.UNKNOWN:
            found.unknown.append(f"{term}: {inner.why}")
        elif inner.record is None:
            found.void += inner.missing is Missing.ABSENT
            found.broken.append(f"{term}: {inner.missing.value if inner.missing else ''}")
        else:
            await self._walk(inner.record, name, found)

    async def result(self, record: SpfRecord, domain: str, address: str) -> str:
        """Return the result for a message from *address*: ``pass``, ``fail``, ..., ``permerror`` or ``temperror``."""
        sender = Sender(address=address, domain=self._sample.domain, helo=self._sample.helo)
        return await self._check(record, domain, sender, _Counter())

    async def _check(self, record: SpfRecord, domain: str, sender: Sender, counter: _Counter) -> str:
        for mechanism in record.mechanisms:
            if mechanism.name in LOOKUPS and not counter.admits():
                return "permerror"
            matched = await self._matches(mechanism, domain, sender, counter)
            if isinstance(matched, str):
                return matched
            if matched:
                return QUALIFIERS[mechanism.qualifier]
        if not record.redirect:
            return "neutral"
        if not counter.admits():
            return "permerror"
        result = await self._include(record.redirect, domain, sender, counter)
        return "permerror" if result == "none" else result

    async def _matches(self, mechanism: Mechanism, domain: str, sender: Sender, counter: _Counter) -> bool | str:
        """Return whether *mechanism* matches, or the error that ends the evaluation."""
        match mechanism.name:
            case "all":
                return True
            case "ip4" | "ip6":
                return _inside(sender.address, mechanism.target)
            case "include":
                result = await self._include(mechanism.target, domain, sender, counter)
                return {"none": "permerror"}.get(result, result) if result in _ENDS else result == "pass"
            case "exists":
                answer = await self._resolver.addresses_of_family(expand(mechanism.target, domain, sender), 4)
                return "temperror" if answer.failed else bool(answer.values)
            case "ptr":
                return await self._is_named(mechanism, domain, sender)
        name = expand(mechanism.target, domain, sender) if mechanism.target else domain
        return await self._is_host(name, mechanism, sender)

    async def _include(self, spec: str, domain: str, sender: Sender, counter: _Counter) -> str:
        name = expand(spec, domain, sender)
        inner = await load(self._resolver, name)
        if inner.record is None:
            return _RESULTS.get(inner.missing or Missing.INVALID, "permerror")
        return await self._check(inner.record, name, sender, counter)

    async def _is_host(self, name: str, mechanism: Mechanism, sender: Sender) -> bool | str:
        hosts = [name]
        if mechanism.name == "mx":
            answer = await self._resolver.mail_hosts(name)
            if answer.failed:
                return "temperror"
            hosts = [mx.host for mx in answer.values[:MOST_MAIL_HOSTS] if mx.host]
        version = ipaddress.ip_address(sender.address).version
        prefix = mechanism.prefix4 if version == 4 else mechanism.prefix6
        for host in hosts:
            found = await self._resolver.addresses_of_family(host, version)
            if found.failed:
                return "temperror"
            if any(_inside(sender.address, f"{address}/{prefix}") for address in found.values):
                return True
        return False

    async def _is_named(self, mechanism: Mechanism, domain: str, sender: Sender) -> bool | str:
        target = expand(mechanism.target, domain, sender) if mechanism.target else domain
        names = await self._resolver.pointers(sender.address)
        version = ipaddress.ip_address(sender.address).version
        for name in names.values[:MOST_MAIL_HOSTS]:
            if name == target or name.endswith(f".{target}"):
                addresses = await self._resolver.addresses_of_family(name, version)
                if _same(sender.address, addresses.values):
                    return True
        return False


_RESULTS = {Missing.UNKNOWN: "temperror", Missing.ABSENT: "none"}
_ENDS = frozenset({"none", "permerror", "temperror"})


@dataclass(slots=True)
class _Counter:
    left: int = MOST_LOOKUPS

    def admits(self) -> bool:
        self.left -= 1
        return self.left >= 0


def _inside(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def _same(address: str, others: Sequence[str]) -> bool:
    return ipaddress.ip_address(address) in {ipaddress.ip_address(other) for other in others}
