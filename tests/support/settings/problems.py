"""The problems that settings are refused with."""

from __future__ import annotations

import pytest

from exporter.errors import SettingsError
from tests.support.settings.configuration import MINIMAL, load_text


def problems_of(directory, text, environ=None):
    """The lines for a file that must be refused."""
    with pytest.raises(SettingsError) as caught:
        load_text(directory, text, environ)
    return list(caught.value.problems)


def problems_of_server(directory, keys):
    """The lines for a good server with *keys* added."""
    return problems_of(directory, MINIMAL + keys)
