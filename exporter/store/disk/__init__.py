"""The history file on disk: its checks, its identity and its locks."""
