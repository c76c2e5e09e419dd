"""``python -m exporter`` and the console script."""

from __future__ import annotations

import errno
import os
import sys

from exporter import __version__

EXIT_OUTPUT = 1

VERSION_OPTIONS = ("--version", "-V")

_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EPIPE})


def main() -> None:
    """Run the command line."""
    open_missing_streams()
    try:
        if len(sys.argv) > 1 and sys.argv[1] in VERSION_OPTIONS:
            # Asked for by installers and scripts: nothing else is imported.
            sys.stdout.write(f"stalwart-exporter {__version__}\n")
        else:
            from exporter.cli.main import main as run

            run()
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in _OUTPUT_ERRORS:
            raise
        # The rest of the buffer cannot be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr.write(f"cannot write the output: {error.strerror}\n")
        sys.exit(EXIT_OUTPUT)


def open_missing_streams() -> None:
    """Replace closed standard streams by the null device, so that no other file gets their descriptors."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Gets the lowest free descriptor, which is this one.
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - lives as long as the process


if __name__ == "__main__":
    main()
