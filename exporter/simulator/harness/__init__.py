"""The simulated server on a socket, with faults, a script and remote control."""
