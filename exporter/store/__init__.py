"""The history file: tallies with their watermarks and the report history, in SQLite."""
