"""The web configuration file of Prometheus exporters (exporter-toolkit): TLS, users, headers."""
