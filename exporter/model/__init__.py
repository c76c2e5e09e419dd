"""The mail server as data, independent of wire formats and of Prometheus."""
