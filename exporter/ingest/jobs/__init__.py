"""What one poll does, a module per collector."""
