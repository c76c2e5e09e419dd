"""What holds for all tests."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import settings

from tests.support.certificates import Authority, Identity

# How wide the terminal is of whoever runs the tests, or what a test runner says of it, is not the tests' business.
os.environ.pop("COLUMNS", None)

# Deadlines fail on a busy machine. On CI nothing is remembered from one run to the next, so that a seed says it all.
settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True, derandomize=False, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "developer"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Chooses the seed of all generated examples, unless one is given with ``--hypothesis-seed``."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """Says how to have the same examples again."""
    return _seed(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says so once more where something failed, as quiet runs have no header."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(_seed(config), yellow=True)


SLOW_SECONDS = 1800
"""How long a test marked ``slow`` may take that says nothing of it; for all others, pyproject.toml does."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives slow tests more time."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("other"), "other-authority")


@pytest.fixture(scope="session")
def server_identity(authority: Authority) -> Identity:
    """The certificate of a server on the loopback address."""
    return authority.issue("server", "DNS:localhost,IP:127.0.0.1")


def _seed(config: pytest.Config) -> str:
    profile = os.environ.get("HYPOTHESIS_PROFILE", "developer")
    return f"examples: profile {profile}, repeat with --hypothesis-seed={config.option.hypothesis_seed}"
