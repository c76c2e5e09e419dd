"""Configuration files and how tests load them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from exporter.settings import Settings, load_settings

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
ENCRYPTED_KEY = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"

MINIMAL = """
[[servers]]
url = "https://mx1.example.org"
token = "secret-token"
"""


def load_text(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Loads *text* as an explicitly named file that nobody else can read."""
    return load_settings(write_private(directory / "config.toml", text), environ or {})


def write_private(path: Path, text: str) -> Path:
    """A file for its owner alone."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


TWO_SERVERS = (
    MINIMAL
    + """
[[servers]]
url = "https://mx2.example.org"
token = "other-token"
"""
)
