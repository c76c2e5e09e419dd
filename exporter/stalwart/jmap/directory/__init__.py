"""The directory of a server: domains and accounts."""
