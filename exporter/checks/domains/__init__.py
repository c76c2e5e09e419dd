"""The checks of a domain and of the server's own addresses."""
