"""What each collector does in one poll, one module per collector."""
