"""DNS queries, with deadlines and a budget."""
