"""What `run` would refuse although every setting is of the right form: files that do not do what they are for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporter.app.connection import context_for
from exporter.errors import SettingsError
from exporter.settings import ServerSettings, Settings


def check_usable(settings: Settings) -> None:
    """Raise `SettingsError` with every problem and the path of its setting; blocks on the disk."""
    problems = [*unusable_certificates(settings.servers)]
    if problems:
        raise SettingsError(problems)


def unusable_certificates(servers: Sequence[ServerSettings]) -> Iterator[str]:
    """Certificates that cannot be read as such, and keys that do not belong to theirs."""
    for index, server in enumerate(servers):
        if server.tls.ca_file is None and server.tls.cert_file is None:
            continue
        try:
            context_for(server)
        except SettingsError as error:
            yield from (f"servers[{index}].tls.{problem}" for problem in error.problems)
