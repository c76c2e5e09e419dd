"""Probes: requests by which a server tests delivery, spam filter and authentication, with a login of their own."""
