"""Settings that are made in the program."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from exporter.settings import ServerSettings, Settings, StreamSettings


def test_a_section_made_alone_does_not_repeat_values():
    """Sections without rules between keys keep values to themselves too."""
    with pytest.raises(ValidationError) as caught:
        StreamSettings(transport="hunter22")

    assert "hunter22" not in str(caught.value)


def test_settings_cannot_be_changed():
    """What was checked stays as it was checked."""
    server = ServerSettings(url="https://mx1.example.org", token="secret-token")

    with pytest.raises(ValidationError):
        server.url = "https://mx2.example.org"


def test_settings_can_be_made_of_servers_made_before():
    """Models made in code keep the rules about the list of servers."""
    server = ServerSettings(url="https://mx1.example.org", token="secret-token")

    settings = Settings(servers=(server,))

    assert settings.servers == (server,)
    with pytest.raises(ValidationError, match="the same as that of servers"):
        Settings(servers=(server, server))


def test_models_made_without_a_file_refuse_without_repeating_values():
    """The rules belong to the models, not to the loader."""
    with pytest.raises(ValidationError) as caught:
        ServerSettings(url="https://mx1.example.org", username="u", password="hunter22", token="hunter22")

    assert "two kinds of credentials" in str(caught.value)
    assert "hunter22" not in str(caught.value) + repr(caught.value.errors())
