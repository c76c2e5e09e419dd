"""
The daemon's own process: ``python -m exporter.app``, which the command ``run`` becomes.

A process of its own because it lives for months and must be small: it parses no command line and draws no tables, and
runs without docstrings.
"""

from __future__ import annotations

import sys

# httpx and structlog load rich for command lines and tracebacks of their own, megabytes that nobody here looks at.
sys.modules["rich"] = None  # type: ignore[assignment]
sys.modules["pygments"] = None  # type: ignore[assignment]

from exporter.app.process import main  # noqa: E402 - after what must not be loaded

if __name__ == "__main__":
    sys.exit(main())
