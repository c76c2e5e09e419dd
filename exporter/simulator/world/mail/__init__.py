"""Mail: accepted, queued, attempted, delivered or given up."""
