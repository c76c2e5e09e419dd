"""What the tests of this folder share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.web.config.document import load_web_config
from tests.support.certificates import Authority, Identity
from tests.support.listener.config import Load
from tests.support.listener.tls import install


@pytest.fixture
def tls(tmp_path: Path, authority: Authority, server_identity: Identity) -> str:
    """The beginning of a good ``tls_server_config``, its files beside the configuration."""
    shutil.copy(server_identity.cert, tmp_path / "server.pem")
    shutil.copy(server_identity.key, tmp_path / "server.key")
    shutil.copy(authority.cert, tmp_path / "ca.pem")
    return "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


@pytest.fixture
def load(write_config: Callable[[str], Path]) -> Load:
    """Loads a configuration of that content."""
    return lambda content: load_web_config(write_config(content))


@pytest.fixture
def configure(tmp_path: Path, authority: Authority, server_identity: Identity) -> Callable[..., Path]:
    """Writes a configuration with TLS on, further lines of its section, and what comes after the section."""
    install(server_identity, tmp_path)
    shutil.copy(authority.cert, tmp_path / "ca.pem")

    def write(*lines: str, rest: str = "") -> Path:
        path = tmp_path / "web.yml"
        section = ("tls_server_config:", "cert_file: server.pem", "key_file: server.key", *lines)
        path.write_text("\n  ".join(section) + "\n" + rest)
        return path

    return write
