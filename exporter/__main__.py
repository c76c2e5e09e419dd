"""``python -m exporter`` and the console script."""

from __future__ import annotations


def main() -> None:
    """Runs the command line."""
    from exporter.cli.main import app

    app()


if __name__ == "__main__":
    main()
