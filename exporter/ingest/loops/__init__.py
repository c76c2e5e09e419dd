"""Loops that keep state fresh: pollers on a timer, subscribers on a live stream, and the session they share."""
