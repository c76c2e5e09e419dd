"""MTA-STS: the record, the policy file, and that it names the domain's mail hosts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.checks.domains.context import DomainContext, Findings, texts_of
from exporter.checks.domains.tags import TagError, claims, parse_tags
from exporter.checks.hosts.access import HostSilent, HostWrong
from exporter.checks.hosts.policy_file import PATH
from exporter.domains import domain_name
from exporter.model.posture import Check, CheckOutcome, PolicyFile, Record

MOST_AGE_SECONDS = 31_557_600
SHORT_SECONDS = 86_400
MODES = frozenset({"enforce", "testing", "none"})
MOST_HOSTS = 100

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LINE = re.compile(r"(?P<key>[A-Za-z0-9_.-]{1,32}):[ \t]*(?P<value>.*?)[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A valid policy; *hosts* may begin with ``*.``."""

    mode: str
    max_age_seconds: int
    hosts: Sequence[str]


class PolicyError(ValueError):
    """The policy is invalid; the message says where."""


def parse_policy(text: str) -> Policy:
    """Parse a policy file. Raises `PolicyError`. Contract: RFC 8461, section 3.2."""
    fields: dict[str, str] = {}
    hosts: list[str] = []
    for line in filter(None, (part.rstrip("\r") for part in text.split("\n"))):
        match = _LINE.fullmatch(line)
        if match is None:
            raise PolicyError(f"not a field: {line[:60]}")
        if match["key"] == "mx":
            hosts.append(_host_pattern(match["value"]))
        else:
            fields.setdefault(match["key"], match["value"])
    if fields.get("version") != "STSv1":
        raise PolicyError("version: STSv1 is missing")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in MODES:
        raise PolicyError(f"mode: {mode or 'is missing'}")
    if not re.fullmatch(r"[0-9]{1,10}", age) or int(age) > MOST_AGE_SECONDS:
        raise PolicyError(f"max_age: {age or 'is missing'}")
    if not hosts and mode != "none":
        raise PolicyError("mx: is missing")
    return Policy(mode=mode, max_age_seconds=int(age), hosts=hosts[:MOST_HOSTS])


def _host_pattern(text: str) -> str:
    name = domain_name(text.removeprefix("*."))
    if name is None:
        raise PolicyError(f"mx: not a host: {text[:60]}")
    return f"*.{name}" if text.startswith("*.") else name


def admits(policy: Policy, host: str) -> bool:
    """Whether *policy* names a mail host; an asterisk stands for one label."""
    return host in policy.hosts or f"*.{host.partition('.')[2]}" in policy.hosts


async def check_mta_sts(context: DomainContext) -> CheckOutcome | None:
    """Check MTA-STS; nothing to check if nothing is published or wanted. Contract: RFC 8461, section 3."""
    findings = Findings()
    name = f"_mta-sts.{context.domain}"
    answer = await context.resolver.texts(name)
    texts = [text for text in answer.values if claims(text, "STSv1")]
    if answer.failed:
        findings.unknown(f"{name}: {answer.why}")
        return findings.outcome(context.domain, Check.MTA_STS)
    wanted = context.wanted("TXT", name)
    if not texts and not wanted:
        return None
    hosts = await _mail_hosts(context, findings)
    file = policy_file(context.domain, hosts)
    publish = []
    if not _is_valid(texts, findings):
        publish.append(wanted[0] if wanted else _record(name, file))
    if texts:
        publish += await _check_policy(context, hosts, findings)
    return findings.outcome(
        context.domain, Check.MTA_STS, publish=publish, remove=texts_of(name, texts), files=[file] if hosts else []
    )


def policy_file(domain: str, hosts: Sequence[str]) -> PolicyFile:
    """Return a policy that names *hosts*, for a week."""
    lines = ["version: STSv1", "mode: enforce", *(f"mx: {host}" for host in hosts), "max_age: 604800"]
    return PolicyFile(url=f"https://mta-sts.{domain}{PATH}", content="\r\n".join(lines) + "\r\n")


def _record(name: str, file: PolicyFile) -> Record:
    digest = hashlib.sha256(file.content.encode()).hexdigest()[:20]
    return Record(name=name, type="TXT", content=f"v=STSv1; id={digest}")


def _is_valid(texts: Sequence[str], findings: Findings) -> bool:
    if not texts:
        findings.bad("there is no MTA-STS record")
    elif len(texts) > 1:
        findings.bad("several MTA-STS records, so senders use none")
    else:
        findings.note(texts[0])
        try:
            id_ = parse_tags(texts[0]).get("id", "")
        except TagError as error:
            findings.bad(f"the record is invalid: {error}")
            return False
        if _ID.fullmatch(id_) is None:
            findings.bad(f"id={id_} is not an id of 1 to 32 letters and digits")
    return not findings.is_bad


async def _mail_hosts(context: DomainContext, findings: Findings) -> list[str]:
    answer = await context.resolver.mail_hosts(context.domain)
    if answer.failed:
        findings.unknown(f"MX: {answer.why}")
    return [mx.host for mx in sorted(answer.values) if mx.host]


async def _check_policy(context: DomainContext, hosts: Sequence[str], findings: Findings) -> list[Record]:
    """Check the policy; return the record of the policy host if that is missing."""
    host = f"mta-sts.{context.domain}"
    addresses = await context.resolver.any_addresses(host)
    if addresses.failed:
        findings.unknown(f"{host}: {addresses.why}")
        return []
    if not addresses.values:
        findings.bad(f"{host}: the policy host does not exist")
        target = context.ours.host
        wanted = context.wanted("CNAME", host)
        return wanted or ([Record(name=host, type="CNAME", content=f"{target}.")] if target else [])
    try:
        policy = parse_policy(await context.hosts.policy(host, addresses.values[0]))
    except HostSilent as error:
        findings.unknown(f"{host}: {error}")
    except (HostWrong, PolicyError) as error:
        findings.bad(f"{host}: {error}")
    else:
        _compare(policy, hosts, findings, wanted=bool(context.wanted("TXT", f"_mta-sts.{context.domain}")))
    return []


def _compare(policy: Policy, hosts: Sequence[str], findings: Findings, *, wanted: bool) -> None:
    """Compare a policy with the mail hosts; the mode ``none`` is for ending MTA-STS, unless it is *wanted*."""
    findings.note(f"mode {policy.mode}, max_age {policy.max_age_seconds}, mx {', '.join(policy.hosts[:4])}")
    if policy.mode == "none":
        if wanted:
            findings.bad("the mode none switches MTA-STS off, which the server wants")
        return
    for host in hosts:
        if not admits(policy, host):
            findings.bad(f"the policy does not name the mail host {host}")
    if policy.max_age_seconds < SHORT_SECONDS:
        findings.bad(f"max_age is {policy.max_age_seconds} seconds, so short that it hardly protects")
