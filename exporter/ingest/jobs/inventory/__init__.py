"""The collectors of what a server manages besides mail."""
