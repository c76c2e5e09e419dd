"""Below a request: names to addresses, addresses to connections, and how much of an answer is read at once."""
