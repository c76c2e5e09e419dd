"""Secrets, logins, and the tables of logins."""
