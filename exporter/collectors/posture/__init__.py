"""The families of checks: of domains, and of the server as others see it."""
