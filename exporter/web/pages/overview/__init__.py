"""The overview of all servers."""
