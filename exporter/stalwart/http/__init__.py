"""HTTP to one server: allow-list, throttle, credentials, connections, and the meaning of responses."""
