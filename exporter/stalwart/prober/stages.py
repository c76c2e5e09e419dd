"""
What a delivery diagnosis says.

Contract: Stalwart v0.10.7-v0.15, ``GET /api/troubleshoot/delivery/{target}``, and v0.16, ``GET
/api/live/delivery/{target}``; tests/recordings/ops-0.15.5 and ops-0.16.18. There is no verdict: an address is accepted
with ``rcptToSuccess``, a domain with a second ``ehloSuccess`` on one connection. Failed look-ups of TLSA records and
policies do not end it, and after any other error the next host is tried.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import msgspec

from exporter.errors import PayloadError
from exporter.model.posture import DeliveryProbe, ProbeResult, ProbeStage
from exporter.stalwart.http.responses import decoding_problem
from exporter.stalwart.streams.sse import SseDecoder

MOST_EVENTS = 2000
MOST_MILLISECONDS = 3_600_000

_STAGES = {
    "mxLookup": ProbeStage.MX_LOOKUP,
    "mtaStsFetch": ProbeStage.MTA_STS_FETCH,
    "tlsRptLookup": ProbeStage.TLS_RPT_LOOKUP,
    "mtaStsVerify": ProbeStage.MTA_STS_VERIFY,
    "tlsaLookup": ProbeStage.TLSA_LOOKUP,
    "daneVerify": ProbeStage.DANE_VERIFY,
    "ipLookup": ProbeStage.IP_LOOKUP,
    "connection": ProbeStage.CONNECTION,
    "readGreeting": ProbeStage.GREETING,
    "ehlo": ProbeStage.EHLO,
    "startTls": ProbeStage.STARTTLS,
    "mailFrom": ProbeStage.MAIL_FROM,
    "rcptTo": ProbeStage.RCPT_TO,
    "quit": ProbeStage.QUIT,
}
_OTHER_NAMES = {"mtaStsNotFound": "mtaStsFetch", "tlsRptNotFound": "tlsRptLookup", "tlsaNotFound": "tlsaLookup"}
_ENDINGS = ("Start", "Success", "Error", "Completed")
_HARMLESS = frozenset({ProbeStage.MTA_STS_FETCH, ProbeStage.TLS_RPT_LOOKUP, ProbeStage.TLSA_LOOKUP, ProbeStage.QUIT})
_REPLY = re.compile(r"Code: ([0-9]{3})\b")


class _Event(msgspec.Struct):
    type: str
    elapsed: int | float | None = None
    reason: str | None = None


_events = msgspec.json.Decoder(list[_Event])


def parse_stream(body: bytes) -> Iterator[_Event]:
    """Yield the events of a whole stream. Raises `PayloadError`."""
    count = 0
    for message in SseDecoder().feed(body):
        try:
            found = _events.decode(message.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PayloadError(decoding_problem(error, "event")) from error
        count += len(found)
        if count > MOST_EVENTS:
            raise PayloadError(f"more than {MOST_EVENTS} events")
        yield from found


def parse_delivery(body: bytes, *, domain: str, is_address: bool) -> DeliveryProbe:
    """Return what the stream *body* about a target in *domain* says. Raises `PayloadError`."""
    return _Reading(domain, is_address).read(parse_stream(body))


class _Reading:
    """One diagnosis, event by event."""

    def __init__(self, domain: str, is_address: bool) -> None:
        self._domain = domain
        self._is_address = is_address
        self._seconds: dict[ProbeStage, float] = {}
        self._at = ProbeStage.MX_LOOKUP
        self._error: tuple[ProbeStage, str] | None = None
        self._accepted = self._completed = self._encrypted = False

    def read(self, events: Iterable[_Event]) -> DeliveryProbe:
        for event in events:
            self._take(event)
        return DeliveryProbe(domain=self._domain, stage=self._at, result=self._result(), seconds=dict(self._seconds))

    def _take(self, event: _Event) -> None:
        if event.type == "completed":
            self._completed = True
        elif event.type == "deliveryAttemptStart":
            self._encrypted = False
        else:
            stage, ending = _stage_of(event.type)
            if stage is None:
                return
            self._count(stage, event.elapsed)
            if ending == "Error" and stage not in _HARMLESS:
                self._error = stage, event.reason or ""
                self._at = stage
            elif stage not in _HARMLESS and not self._accepted:
                self._at = stage
            self._look(stage, ending)

    def _look(self, stage: ProbeStage, ending: str) -> None:
        if ending != "Success":
            return
        if stage is ProbeStage.STARTTLS:
            self._encrypted = True
        is_end = stage is ProbeStage.RCPT_TO if self._is_address else stage is ProbeStage.EHLO and self._encrypted
        if is_end:
            self._accepted, self._error = True, None

    def _count(self, stage: ProbeStage, elapsed: float | None) -> None:
        if elapsed is None:
            return
        if not math.isfinite(elapsed) or not 0 <= elapsed <= MOST_MILLISECONDS:
            raise PayloadError("event.elapsed: not a duration")
        self._seconds[stage] = self._seconds.get(stage, 0.0) + elapsed / 1000

    def _result(self) -> ProbeResult:
        if self._accepted:
            return ProbeResult.ACCEPTED
        if self._error is None or not self._completed:
            return ProbeResult.UNFINISHED
        reply = _REPLY.search(self._error[1][:1000])
        if reply is None:
            return ProbeResult.FAILED
        return {"4": ProbeResult.DEFERRED, "5": ProbeResult.REJECTED}.get(reply[1][0], ProbeResult.FAILED)


def _stage_of(kind: str) -> tuple[ProbeStage | None, str]:
    """Return the stage of an event and how it ended; ``None`` for one that is not known."""
    if kind in _OTHER_NAMES:
        return _STAGES[_OTHER_NAMES[kind]], "Success"
    for ending in _ENDINGS:
        if kind.endswith(ending):
            return _STAGES.get(kind.removesuffix(ending)), ending
    return None, ""
