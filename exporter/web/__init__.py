"""What the exporter shows over HTTP: the metrics, its health and a status page; see `exporter.web.interfaces`."""
