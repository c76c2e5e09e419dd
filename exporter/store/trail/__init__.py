"""The trail: what happened to each message and each refused session, kept for a while."""
