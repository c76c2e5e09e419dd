"""Who is behind a source address: its confirmed name, and its autonomous system."""
