"""The server with its mail and surroundings, without I/O."""
