"""The client of probes for both generations; its login is not that of the other requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, TypeVar

import msgspec

from exporter.errors import PayloadError, TargetForbidden, TargetServerError
from exporter.model.posture import DeliveryProbe, SpamProbe
from exporter.model.server import Generation
from exporter.stalwart.http.responses import quoted
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses, request_of
from exporter.stalwart.prober import dmarc
from exporter.stalwart.prober.calls import ACTION_SET, CLASSIFY, DMARC, ProbeEndpoint
from exporter.stalwart.prober.dmarc import Outcome, Sample
from exporter.stalwart.prober.spam import (
    Envelope,
    Verdict,
    jmap_request,
    message_of,
    parse_rest,
    parse_verdict,
    rest_request,
)
from exporter.stalwart.prober.stages import parse_delivery

T = TypeVar("T")

_KEY = "k"


class _Refusal(msgspec.Struct):
    type: str
    description: str | None = None


class _Done(msgspec.Struct):
    created: dict[str, msgspec.Raw] = {}
    refused: dict[str, _Refusal] = msgspec.field(name="notCreated", default_factory=dict)


_done = msgspec.json.Decoder(_Done)
_verdict = msgspec.json.Decoder(Verdict)
_outcome = msgspec.json.Decoder(Outcome)


class Prober:
    """
    Probes one server over *transport*, which must allow `PROBE_CALLS`; *generation* is the one that was detected.

    Every method raises a `TargetError`.
    """

    def __init__(self, transport: Transport, *, generation: Callable[[], Generation]) -> None:
        self._transport = transport
        self._generation = generation

    async def diagnose(self, target: str, *, stage_seconds: int) -> DeliveryProbe:
        """
        Let the server try to deliver to *target*, an address or a domain, without sending a message.

        *stage_seconds* is the deadline for each stage.
        """
        is_jmap = self._generation() is Generation.JMAP
        endpoint = ProbeEndpoint.JMAP_DELIVERY_PROBE if is_jmap else ProbeEndpoint.DELIVERY_PROBE
        body = await self._transport.request(endpoint, params={"timeout": stage_seconds}, path_args=[target])
        return parse_delivery(body, domain=target.rpartition("@")[2], is_address="@" in target)

    async def classify(self, kind: str, envelope: Envelope, *, now: datetime) -> SpamProbe:
        """Let the spam filter classify the message of this *kind*, ``clean`` or ``spam``; nothing is stored."""
        message = message_of(kind, envelope, date=format_datetime(now))
        if self._generation() is not Generation.JMAP:
            body = await self._transport.request(ProbeEndpoint.SPAM_PROBE, body=rest_request(message, envelope))
            return parse_rest(body, kind)
        verdict = await self._act(CLASSIFY, jmap_request(message, envelope), _verdict)
        return parse_verdict(verdict, kind)

    async def authenticate(self, sample: Sample) -> Mapping[str, str]:
        """Let the server authenticate a *sample*; return the results by part, see `dmarc`."""
        if self._generation() is not Generation.JMAP:
            body = await self._transport.request(ProbeEndpoint.DMARC_PROBE, body=dmarc.rest_request(sample))
            return dmarc.parse_rest(body)
        return dmarc.results_of(await self._act(DMARC, dmarc.jmap_request(sample), _outcome))

    def allow_retry(self) -> None:
        """Allow requests after refused credentials again."""
        self._transport.allow_retry()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    async def _act(self, action: str, members: Mapping[str, Any], decoder: msgspec.json.Decoder[T]) -> T:
        call = Call("c0", ACTION_SET, {"create": {_KEY: {"@type": action, **members}}})
        body = await self._transport.request(ProbeEndpoint.PROBE_ACTION, body=request_of([call]))
        done = MethodResponses(body).result(call, _done)
        refusal = done.refused.get(_KEY)
        if refusal is not None and refusal.type == "forbidden":
            raise TargetForbidden(f"the prober's key lacks action{action}, sysActionCreate or authenticate")
        if refusal is not None:
            raise TargetServerError(f"{action}: the server refused it: {quoted(refusal.type)}")
        if _KEY not in done.created:
            raise PayloadError(f"{ACTION_SET}.created: missing")
        try:
            return decoder.decode(done.created[_KEY])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PayloadError(f"{action}: {quoted(str(error))}") from error
