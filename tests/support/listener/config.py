"""Web configuration files, loaded or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.errors import SettingsError
from exporter.web.config.document import WebConfig

Load = Callable[[str], WebConfig]


def problems(load: Load, content: str) -> list[str]:
    """What is wrong with a content, without the file's own path in front."""
    with pytest.raises(SettingsError) as raised:
        load(content)
    return [problem.partition("web.yml: ")[2] for problem in raised.value.problems]
