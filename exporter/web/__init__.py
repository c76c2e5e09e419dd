"""The exporter's HTTP endpoints: metrics, health and pages; see `exporter.web.interfaces`."""
