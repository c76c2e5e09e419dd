"""Ends a command of ``queue`` with its exit status."""

from __future__ import annotations

from collections.abc import Callable

import typer

from exporter.errors import StoreError, TargetError, TargetForbidden


def finish(work: Callable[[], int]) -> None:
    """Exit with the status that *work* returns; what makes it impossible is printed."""
    from exporter.cli.output import complain
    from exporter.cli.queue import exits
    from exporter.cli.queue.connection import Unusable

    try:
        status = work()
    except Unusable as error:
        for line in str(error).splitlines():
            complain(line)
        status = exits.REFUSED
    except TargetForbidden as error:
        complain(f"nothing was changed: {error}")
        status = exits.REFUSED
    except TargetError as error:
        complain(str(error))
        status = exits.UNUSABLE
    except StoreError as error:
        complain(f"{error}; nothing more was changed, as it cannot be recorded (--no-audit does without)")
        status = exits.UNUSABLE
    raise typer.Exit(status)
