"""
A stand-in Stalwart of the REST and the JMAP generation, built from the wire contract and recordings of real servers.

It knows nothing of the exporter. A `World` is the server with its mail and surroundings, without I/O; `StandIn` puts it
on a port in a thread, `Simulator` into a running event loop::

    with StandIn(Profile(version="0.15.5", edition="enterprise", trace_store=True)) as server:
        server.call(lambda world: world.submit(["someone@defer.test"]))
        server.faults.add("status", "/api/logs", status=503, times=1)
        server.advance(120)
        server.upgrade("0.16.18")
"""

from .clock import Clock, ManualClock, WallClock
from .destinations import Destination, Temper
from .failures import Reply
from .faults import Fault, FaultKind
from .front import RequestRecord
from .ledger import DeliveryKey, Ledger
from .profile import Edition, Profile
from .reports import DmarcRow, TlsPolicy
from .schedules import Schedule
from .script import Script, full_day
from .simulator import Simulator, serve, simulating
from .standin import StandIn
from .world import World

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
