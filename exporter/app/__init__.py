"""The daemon: the package that connects all others."""
