"""The process among others: how it is started, and what the service manager is told."""
