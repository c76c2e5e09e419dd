"""What keeps state fresh: pollers on a timer, subscribers on a live stream, and what both know of their server."""
