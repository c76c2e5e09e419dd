"""Pages about the checks of domains: all of them, and one with its records."""
