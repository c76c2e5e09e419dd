"""
The syntax of an SPF record.

Contract: RFC 7208, sections 4.6 and 12, with the erratum on macro letters: ``c``, ``r`` and ``t`` are for explanations
only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_TERM = re.compile(r"(?P<qualifier>[-+?~]?)(?P<name>[a-z0-9][a-z0-9._-]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9._-]*)=(?P<value>.*)", re.IGNORECASE | re.DOTALL)
_PREFIXES = re.compile(r"(?:/(?P<four>0|[1-9][0-9]?))?(?://(?P<six>0|[1-9][0-9]{0,2}))?$")
_MACRO = re.compile(r"%\{[slodiphcrtv](?:[1-9][0-9]{0,2})?r?[-.+,/_=]*\}|%[%_-]", re.IGNORECASE)
_EXPLANATION_ONLY = re.compile(r"%\{[crt]", re.IGNORECASE)
_LITERALS = re.compile(r"[!-$&-~]*")
_TOP_LABEL = re.compile(r"\.(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?$", re.IGNORECASE)

MECHANISMS = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
LOOKUPS = frozenset({"include", "a", "mx", "ptr", "exists"})
"""Mechanisms that need a DNS query."""


class SpfSyntaxError(ValueError):
    """The record is a permanent error; the message names the term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """
    One mechanism.

    Attributes:
        target: The domain-spec, or the network of ``ip4`` and ``ip6``; empty if there is none.
        prefix4, prefix6: Prefix lengths of ``a`` and ``mx``.
    """

    qualifier: str
    name: str
    target: str = ""
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SpfRecord:
    """
    A valid record.

    Attributes:
        redirect: The domain-spec of ``redirect``; empty if there is none.
    """

    mechanisms: Sequence[Mechanism]
    redirect: str = ""


def is_spf(text: str) -> bool:
    """Whether a TXT record claims to be an SPF record."""
    return _VERSION.match(text) is not None


def parse_spf(text: str) -> SpfRecord:
    """Parse a record. Raises `SpfSyntaxError`."""
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, text[len("v=spf1") :].split(" ")):
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier["name"].lower(), modifier["value"]
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise SpfSyntaxError(f"two {name} modifiers")
            _check_domain_spec(value, term)
        else:
            _check_macros(value, term)
        modifiers[name] = value
    return SpfRecord(mechanisms=mechanisms, redirect=modifiers.get("redirect", ""))


def _mechanism(term: str) -> Mechanism:
    match = _TERM.fullmatch(term)
    if match is None or (name := match["name"].lower()) not in MECHANISMS:
        raise SpfSyntaxError(f"{term}: unknown mechanism")
    qualifier, rest = match["qualifier"] or "+", match["rest"]
    if name == "all":
        if rest:
            raise SpfSyntaxError(f"{term}: takes no argument")
        return Mechanism(qualifier=qualifier, name=name)
    if name in ("ip4", "ip6"):
        return Mechanism(qualifier=qualifier, name=name, target=_network(rest, term, version=int(name[2])))
    if name in ("include", "exists"):
        if not rest.startswith(":"):
            raise SpfSyntaxError(f"{term}: needs a domain")
        return Mechanism(qualifier=qualifier, name=name, target=_check_domain_spec(rest[1:], term))
    return _hosts(qualifier, name, rest, term)


def _hosts(qualifier: str, name: str, rest: str, term: str) -> Mechanism:
    """Parse what follows ``a``, ``mx`` or ``ptr``."""
    prefixes = _PREFIXES.search(rest) if name != "ptr" else None
    spec = rest if prefixes is None else rest[: prefixes.start()]
    if spec and not spec.startswith(":"):
        raise SpfSyntaxError(f"{term}: unknown mechanism")
    four = int(prefixes["four"]) if prefixes is not None and prefixes["four"] else 32
    six = int(prefixes["six"]) if prefixes is not None and prefixes["six"] else 128
    if four > 32 or six > 128:
        raise SpfSyntaxError(f"{term}: the prefix length is too long")
    target = _check_domain_spec(spec[1:], term) if spec else ""
    return Mechanism(qualifier=qualifier, name=name, target=target, prefix4=four, prefix6=six)


def _network(rest: str, term: str, *, version: int) -> str:
    if not rest.startswith(":"):
        raise SpfSyntaxError(f"{term}: needs an address")
    address, slash, length = rest[1:].partition("/")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise SpfSyntaxError(f"{term}: not an IPv{version} address") from error
    if parsed.version != version or "%" in address:
        raise SpfSyntaxError(f"{term}: not an IPv{version} address")
    most = parsed.max_prefixlen
    if slash and (not re.fullmatch(r"0|[1-9][0-9]{0,2}", length) or int(length) > most):
        raise SpfSyntaxError(f"{term}: not a prefix length")
    return f"{address}/{length if slash else most}"


def _check_domain_spec(text: str, term: str) -> str:
    _check_macros(text, term)
    ends_in_macro = re.search(r"%\{[^}]*\}$", text) is not None
    if not ends_in_macro and _TOP_LABEL.search(text) is None:
        raise SpfSyntaxError(f"{term}: not a domain")
    if _EXPLANATION_ONLY.search(text):
        raise SpfSyntaxError(f"{term}: a macro for explanations only")
    return text


def _check_macros(text: str, term: str) -> None:
    if _LITERALS.fullmatch(_MACRO.sub("", text)) is None:
        raise SpfSyntaxError(f"{term}: invalid macro or character")
