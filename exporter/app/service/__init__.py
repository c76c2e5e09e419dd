"""The process among others: how it is started, and what is reported to the service manager."""
