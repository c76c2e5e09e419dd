"""
The daemon's own process: ``python -m exporter.app``, which the command ``run`` turns into.

It is a separate process to stay small over months: it parses no command line, prints no tables, and runs without
docstrings.
"""

from __future__ import annotations

import sys

# httpx and structlog import rich for their command lines and tracebacks; the daemon does not need these megabytes.
sys.modules["rich"] = None  # type: ignore[assignment]
sys.modules["pygments"] = None  # type: ignore[assignment]

from exporter.app.process import main  # noqa: E402 - after what must not be imported

if __name__ == "__main__":
    sys.exit(main())
