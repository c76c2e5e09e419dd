"""Pages about mail: search, one message, what is stuck, senders, and exports."""
