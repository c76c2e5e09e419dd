"""Accounts, credentials, rate limits and bans."""
