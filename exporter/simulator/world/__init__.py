"""The server with its mail and environment, without I/O."""
