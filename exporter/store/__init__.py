"""The history file: tallies with their watermarks, in SQLite."""
