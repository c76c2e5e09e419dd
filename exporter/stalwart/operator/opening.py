"""Opens queue control for one server of either generation."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.errors import TargetServerError
from exporter.model.server import Generation
from exporter.stalwart.detect import RestDetector
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.session import parse_session
from exporter.stalwart.operator.client import OperatorClient
from exporter.stalwart.operator.jmap.client import JmapOperator
from exporter.stalwart.operator.rest.client import RestOperator


async def open_operator(transport: Transport, *, clock: Clock) -> OperatorClient:
    """
    Detect the generation of the server behind *transport*, which must allow `OPERATOR_CALLS`.

    Raises a `TargetError`, also if it is no Stalwart server.
    """
    identity = await RestDetector(transport).detect()
    if identity.generation is Generation.REST:
        return RestOperator(transport, clock=clock)
    if identity.generation is not Generation.JMAP:
        raise TargetServerError(identity.note)
    api = JmapApi(transport, clock=clock)
    account = await api.fetch_account()
    if "authenticate" in account.permissions:
        api.limits = parse_session(await transport.request(Endpoint.JMAP_SESSION)).limits
    return JmapOperator(transport, api, clock=clock)
