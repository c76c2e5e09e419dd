"""Which collectors run for a server."""

from __future__ import annotations

from pydantic import Field

from exporter.settings.section import Section


class CollectorSettings(Section):
    """
    What is collected from the server. Switch off what is not wanted; what the server does not offer, or the key may not
    read, is left out without a setting.
    """

    queue: bool = Field(default=True, description="The outbound queue.")
    failed: bool = Field(default=True, description="Failing recipients. Needs `queue`, whose pages it counts.")
    metrics: bool = Field(default=True, description="Stored metrics (Enterprise edition).")
    native: bool = Field(default=True, description="The server's own Prometheus page.")
    logs: bool = Field(default=True, description="The server's log.")
    traces: bool = Field(default=True, description="Stored traces of delivery attempts (Enterprise edition).")
    reports: bool = Field(default=True, description="Received DMARC, TLS and ARF reports.")
    outgoing: bool = Field(default=True, description="Outgoing DMARC and TLS reports.")
    inventory: bool = Field(
        default=True, description="Accounts, domains, certificates, tasks, blocked addresses and cluster nodes."
    )
    accounts: bool = Field(default=True, description="Numbers of accounts, quotas and features of accounts.")
    senders: bool = Field(default=True, description="Senders in the trail.")

    def wants(self, name: str) -> bool:
        """Return whether the collector *name* is to run; collectors without a setting are."""
        return bool(getattr(self, name, True)) and (name != "failed" or self.queue)
