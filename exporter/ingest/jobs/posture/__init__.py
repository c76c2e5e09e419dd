"""The collector of domain checks: what the server wants, the checks, and when their results changed."""
