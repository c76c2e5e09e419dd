"""What holds for all tests."""

from __future__ import annotations

import os

# How wide the terminal is of whoever runs the tests, or what a test runner says of it, is not the tests' business.
os.environ.pop("COLUMNS", None)
