"""
A simulated Stalwart server with the REST or JMAP API, built from the wire contract and recordings of real servers.

It does not import the exporter. A `World` is the server with its mail and environment, without I/O; `StandIn` serves it
on a port from a thread, `Simulator` in a running event loop::

    with StandIn(Profile(version="0.15.5", edition="enterprise", trace_store=True)) as server:
        server.call(lambda world: world.submit(["someone@defer.test"]))
        server.faults.add("status", "/api/logs", status=503, times=1)
        server.advance(120)
        server.upgrade("0.16.18")
"""

from exporter.simulator.harness.faults import Fault, FaultKind
from exporter.simulator.harness.front import RequestRecord
from exporter.simulator.harness.script import Script, full_day
from exporter.simulator.harness.simulator import Simulator, serve, simulating
from exporter.simulator.harness.standin import StandIn
from exporter.simulator.world.clock import Clock, ManualClock, WallClock
from exporter.simulator.world.mail.destinations import Destination, Temper
from exporter.simulator.world.mail.failures import Reply
from exporter.simulator.world.mail.schedules import Schedule
from exporter.simulator.world.profile import Edition, Profile
from exporter.simulator.world.reports import DmarcRow, TlsPolicy
from exporter.simulator.world.telemetry.ledger import DeliveryKey, Ledger
from exporter.simulator.world.world import World

__all__ = [
    "Clock",
    "DeliveryKey",
    "Destination",
    "DmarcRow",
    "Edition",
    "Fault",
    "FaultKind",
    "Ledger",
    "ManualClock",
    "Profile",
    "Reply",
    "RequestRecord",
    "Schedule",
    "Script",
    "Simulator",
    "StandIn",
    "Temper",
    "TlsPolicy",
    "WallClock",
    "World",
    "full_day",
    "serve",
    "simulating",
]
