"""Certificates that are served: one handshake per listener, and what is wrong with what it shows."""
