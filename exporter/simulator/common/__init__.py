"""HTTP of both generations: requests, responses, the Prometheus page, and the live streams' hub."""
