"""The stand-in on a socket, with its faults, script and remote control."""
