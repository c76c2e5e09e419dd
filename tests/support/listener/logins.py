"""Logins to the exporter's pages."""

from __future__ import annotations

from tests.support.listener.app import basic


def authorization(name: str, password: str) -> bytes:
    return basic(name, password)["Authorization"].encode()
