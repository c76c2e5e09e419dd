"""The web configuration file of Prometheus' exporter-toolkit: TLS, users, headers."""
