"""The exporter's HTTP endpoints: metrics, health and a status page; see `exporter.web.interfaces`."""
