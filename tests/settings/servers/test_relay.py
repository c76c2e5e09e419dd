"""The relay of a server and its budget."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exporter.settings.servers.relay import RelaySettings


@pytest.mark.parametrize("host", ["smtp.relay.example", "SMTP.Relay.Example.", " smtp.relay.example"])
def test_the_host_is_compared_as_a_domain_name(host: str):
    """In whatever spelling it is written."""
    assert RelaySettings(host=host).host == "smtp.relay.example"


@pytest.mark.parametrize("host", ["", "192.0.2.1", "a b", "smtp.relay.example:587"])
def test_what_is_no_host_name_is_refused(host: str):
    """A port or an address never occurs in the server's events as a host name."""
    with pytest.raises(ValidationError, match="is not a host name"):
        RelaySettings(host=host)


def test_a_budget_belongs_to_a_host():
    """Without it nothing would be counted, and the alert would be silent."""
    with pytest.raises(ValidationError, match="has a budget but no host"):
        RelaySettings(recipients_per_day=100)

    assert RelaySettings(host="smtp.relay.example", recipients_per_hour=5).budget == {"1h": 5}
