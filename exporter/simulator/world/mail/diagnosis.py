"""
The server's own tests: a delivery up to RCPT TO, and what the spam filter says.

The stages are those that real servers were seen to report; no mail is sent, no event is raised and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.simulator.world.mail.destinations import BUSY, Destination, Temper

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
SPAM_SCORE = 16.5

Stage = dict[str, Any]


def diagnose(target: str, destination: Destination, *, jmap: bool, timeout_seconds: int) -> Iterator[Stage]:
    """Yield the stages of a delivery to *target*; the generations differ in the names of two members."""
    domain = target.rpartition("@")[2]
    yield {"type": "mxLookupStart", "domain": domain}
    match destination.temper:
        case Temper.NULL_MX:
            yield _failed("mxLookup", "Null MX record")
        case Temper.UNKNOWN_DOMAIN:
            yield _failed("mxLookup", "DNS record not found: Non-Existent Domain")
        case Temper.DNS_BROKEN:
            yield _failed("mxLookup", "DNS resolution error: request timed out")
        case _:
            mxs = [{"exchanges": [f"{destination.host}."], "preference": 10}]
            yield {"type": "mxLookupSuccess", "mxs": mxs, "elapsed": destination.round_trip_ms}
            yield from _policies(destination)
            yield from _host(target, destination, jmap=jmap, timeout_seconds=timeout_seconds)
    yield {"type": "completed"}


def _policies(destination: Destination) -> Iterator[Stage]:
    yield {"type": "mtaStsFetchStart"}
    yield {"type": "mtaStsNotFound", "elapsed": 1}
    yield {"type": "tlsRptLookupStart"}
    if destination.tls_rpt:
        rua = [{"type": "mail", "email": f"tls@{destination.domain}"}]
        yield {"type": "tlsRptLookupSuccess", "rua": rua, "elapsed": 1}
    else:
        yield {"type": "tlsRptNotFound", "elapsed": 1}


def _host(target: str, destination: Destination, *, jmap: bool, timeout_seconds: int) -> Iterator[Stage]:
    spelled = ("remoteIps", "remoteIp") if jmap else ("remote_ips", "remote_ip")
    took = destination.round_trip_ms
    yield {"type": "deliveryAttemptStart", "hostname": destination.host}
    yield {"type": "tlsaLookupStart"}
    yield _failed("tlsaLookup", "DNS resolution error: could not validate negative response missing SOA")
    yield {"type": "ipLookupStart"}
    yield {"type": "ipLookupSuccess", spelled[0]: [destination.ip], "elapsed": 1}
    yield {"type": "connectionStart", spelled[1]: destination.ip}
    if destination.temper is Temper.REFUSE:
        yield _failed("connection", "I/O error: Connection refused (os error 111)")
        return
    yield {"type": "connectionSuccess", "elapsed": took}
    yield {"type": "readGreetingStart"}
    if destination.temper is Temper.HANG:
        reason = f"Temporary Failure for {destination.host}: Connection failed: Timeout while reading greeting"
        yield {**_failed("readGreeting", reason), "elapsed": 1000 * timeout_seconds + 1}
        return
    yield {"type": "readGreetingSuccess", "elapsed": took}
    yield {"type": "ehloStart"}
    if destination.temper is Temper.BUSY:
        yield _failed("ehlo", f"Unexpected reply: {BUSY}")
        return
    yield {"type": "ehloSuccess", "elapsed": took}
    yield {"type": "startTlsStart"}
    if not destination.starttls:
        yield _failed("startTls", "STARTTLS not advertised by host")
        return
    if destination.temper is Temper.TLS_BROKEN:
        yield _failed("startTls", "TLS error: invalid peer certificate: UnknownIssuer")
        return
    yield {"type": "startTlsSuccess", "elapsed": took}
    yield {"type": "ehloStart"}
    yield {"type": "ehloSuccess", "elapsed": took}
    if "@" in target:
        yield from _envelope(target, destination)
    yield {"type": "quitStart"}
    yield {"type": "quitCompleted", "elapsed": took}


def _envelope(target: str, destination: Destination) -> Iterator[Stage]:
    reply = destination.rcpt_reply(target)
    yield {"type": "mailFromStart"}
    yield {"type": "mailFromSuccess", "elapsed": destination.round_trip_ms}
    yield {"type": "rcptToStart"}
    if reply.code < 400:
        yield {"type": "rcptToSuccess", "elapsed": destination.round_trip_ms}
    else:
        yield _failed("rcptTo", f"Unexpected reply: {reply}")


def _failed(stage: str, reason: str) -> Stage:
    return {"type": f"{stage}Error", "elapsed": 1, "reason": reason}


def classify(message: str) -> tuple[float, str]:
    """Return score and result (`ham`, `spam`) of a message."""
    return (SPAM_SCORE, "spam") if GTUBE in message else (0.0, "ham")
