"""What accounts send: the hours of each, and their queries."""
