"""The HTTP server: sockets, connections with limits, and which of them to close when there are too many."""
