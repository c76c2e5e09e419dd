"""How often each collector of a server runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.settings.section import Section
from exporter.settings.types import Duration
from exporter.units import DAY, SECOND

Interval = Annotated[Duration, Field(ge=SECOND, le=DAY)]


class IntervalSettings(Section):
    """Time between the starts of two polls. Polls of one collector never overlap."""

    queue: Interval = Field(
        default=30.0,
        description="Outbound queue. Short, since a growing queue is the first sign of trouble.",
    )
    metrics: Interval = Field(
        default=60.0, description="Stored metrics (Enterprise edition). The server writes them hourly."
    )
    native: Interval = Field(
        default=60.0,
        description="The server's own Prometheus page. Polled only if `native_username` is set.",
    )
    logs: Interval = Field(default=60.0, description="New lines in the server's log.")
    traces: Interval = Field(default=60.0, description="Stored traces of delivery attempts (Enterprise edition).")
    failed: Interval = Field(
        default=60.0, description="Failing recipients, counted from the pages of the queue collector."
    )
    reports: Interval = Field(
        default=300.0, description="Received DMARC, TLS and ARF reports. They arrive a few times per day."
    )
    senders: Interval = Field(
        default=30.0, description="Senders in the trail, judged against their own past. Makes no request."
    )
    outgoing: Interval = Field(default=300.0, description="Outgoing DMARC and TLS reports waiting to be sent.")
    accounts: Interval = Field(
        default=3600.0,
        description="Accounts, their quotas and features. 10 000 accounts take five or six requests, and the server a "
        "second of processor time. Up to v0.15 the key needs `individual-list`, which also allows reading password "
        "hashes; without it the collector is off.",
    )
    settings: Interval = Field(
        default=300.0,
        description="Changes of the server's settings (v0.16 and newer). Takes up to six requests; only keyed digests "
        "are kept.",
    )
    inventory: Interval = Field(
        default=300.0,
        description="Accounts, domains, certificates, tasks, blocked addresses and cluster nodes (v0.16 "
        "and newer). Takes about eight requests, for values that change slowly.",
    )
