"""The settings of a server's relay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from exporter.settings.section import Section
from exporter.settings.types import Count, HostName


class RelaySettings(Section):
    """
    The relay (smart host) that takes the server's outgoing mail, and how much it accepts. Relays count recipients, and
    so does the exporter: each one that the relay has accepted, by the host name in the server's delivery events.
    """

    host: HostName | None = Field(
        default=None,
        description="Host name of the relay, as in the server's route. Its accepted recipients are counted in "
        "`stalwart_relay_recipients_total`.",
    )
    recipients_per_hour: Annotated[Count, Field(ge=1)] | None = Field(
        default=None,
        json_schema_extra={"unit": "recipients"},
        description="Recipients that the relay accepts in any hour. `StalwartRelayBudget` fires before they are used "
        "up.",
    )
    recipients_per_day: Annotated[Count, Field(ge=1)] | None = Field(
        default=None,
        json_schema_extra={"unit": "recipients"},
        description="Recipients that the relay accepts in any 24 hours.",
    )

    @property
    def budget(self) -> Mapping[str, int]:
        """The budget by window, ``1h`` and ``1d``; without those that are not set."""
        windows = {"1h": self.recipients_per_hour, "1d": self.recipients_per_day}
        return {window: recipients for window, recipients in windows.items() if recipients is not None}

    @model_validator(mode="after")
    def _name_the_relay(self) -> Self:
        if self.host is None and self.budget:
            raise ValueError("has a budget but no host")
        return self
