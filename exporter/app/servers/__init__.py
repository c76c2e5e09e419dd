"""The watched servers: connections, saved state, supervision, and the fleet that owns them."""
