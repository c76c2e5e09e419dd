"""HTTP of both generations: requests, responses, the Prometheus endpoint, and the live streams."""
