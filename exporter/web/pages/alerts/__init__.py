"""The alerts: what each would say now, and their runbooks."""
